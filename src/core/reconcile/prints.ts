import { hash } from "node:crypto";
import type { RangeRef, RangeSum, RecordMark } from "../../model/record.ts";

/**
 * What two copies tell each other of ranges and records: 8 bytes instead of 16 and a name, made
 * with a number that is new in each session. Two different things have equal prints once in 2^64,
 * and nobody who writes documents can aim at it, for he cannot know the number beforehand.
 */
export interface RangePrint extends RangeRef {
  readonly count: number;
  /** 16 hex digits; "" of an empty range. */
  readonly print: string;
}

/** Bytes of a session's number. */
export const NONCE_BYTES = 16;
export const PRINT_DIGITS = 16;

export function rangePrint(
  nonce: Uint8Array,
  { prefix, bits, count, digest }: RangeSum,
): RangePrint {
  const print = count === 0 ? "" : printed(nonce, `${count}:${digest}`);
  return { prefix, bits, count, print };
}

export function markPrint(nonce: Uint8Array, { id, digest }: RecordMark): string {
  return printed(nonce, `${digest}:${id}`);
}

function printed(nonce: Uint8Array, text: string): string {
  const bytes = Buffer.allocUnsafe(nonce.length + Buffer.byteLength(text));
  bytes.set(nonce);
  bytes.write(text, nonce.length, "utf8");
  return hash("sha256", bytes, "hex").slice(0, PRINT_DIGITS);
}
