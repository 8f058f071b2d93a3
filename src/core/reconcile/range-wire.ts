import { ByteReader, ByteWriter } from "../../lib/bytes.ts";
import { TideoverError } from "../../lib/errors.ts";
import { LEAF_BITS, type RangeRef, type RecordMark } from "../../model/record.ts";
import { NONCE_BYTES, PRINT_DIGITS, type RangePrint } from "./prints.ts";
import type { MarkPrints, RangeQuestion, WantedPrints } from "./ranges.ts";

/**
 * How questions and answers of a comparison stand in bytes: about 10 a range, 8 a record. As JSON
 * with digests in hexadecimal it would be five times as much.
 */

/** A question as it is sent: `own` is none, and `repair` wants whole records of what is named. */
export type WireQuestion = Exclude<RangeQuestion, { ask: "own" }> & {
  readonly nonce: Uint8Array;
  readonly whole?: boolean;
};

const KINDS = ["sums", "marks", "named", "whole"] as const;
/** Parts that one question may ask for, so that its answer has a bound. */
export const MOST_PARTS = 65_536;

export function encodeQuestion(question: WireQuestion): Buffer {
  const out = new ByteWriter();
  const kind = question.ask === "named" && question.whole === true ? "whole" : question.ask;
  out.number(KINDS.indexOf(kind)).raw(question.nonce);
  switch (question.ask) {
    case "sums":
      return writeRanges(out.number(question.split), question.ranges).done();
    case "marks":
      return writeRanges(out.number(question.skip), question.ranges).done();
    case "named":
      writeRanges(out, question.wanted);
      for (const { prints } of question.wanted) writePrints(out, prints);
      return out.done();
  }
}

/** Throws USAGE on anything that is no question, or asks for too much at once. */
export function decodeQuestion(bytes: Uint8Array): WireQuestion {
  return understood("question", "USAGE", () => {
    const read = new ByteReader(bytes);
    const kind = KINDS[read.number()];
    const nonce = read.raw(NONCE_BYTES);
    if (kind === "sums") {
      const split = read.number();
      const ranges = readRanges(read);
      refuseTooMuch(ranges, split);
      return { ask: kind, nonce, split, ranges };
    }
    if (kind === "marks")
      return { ask: kind, nonce, skip: read.number(), ranges: readRanges(read) };
    if (kind === undefined) throw new RangeError("it asks for nothing known");
    const ranges = readRanges(read);
    const wanted = ranges.map((range) => ({ ...range, prints: readPrints(read) }));
    return { ask: "named", nonce, whole: kind === "whole", wanted };
  });
}

function refuseTooMuch(ranges: readonly RangeRef[], split: number): void {
  const bits = Math.max(0, ...ranges.map((range) => range.bits));
  if (split <= LEAF_BITS - bits && ranges.length * 2 ** split <= MOST_PARTS) return;
  throw new RangeError(`it asks for 2^${split} parts of ${ranges.length} ranges`);
}

export function encodeSums(parts: readonly RangePrint[]): Buffer {
  const out = new ByteWriter();
  for (const { count, print } of parts) out.number(count).hex(print);
  return out.done();
}

/** `question`: an answer says nothing of what was asked. Throws PEER_UNAVAILABLE on another shape. */
export function decodeSums(
  bytes: Uint8Array,
  { ranges, split }: { readonly ranges: readonly RangeRef[]; readonly split: number },
): RangePrint[] {
  return understood("answer", "PEER_UNAVAILABLE", () => {
    const read = new ByteReader(bytes);
    const parts = ranges.flatMap((range) => partsOf(range, split));
    return parts.map((part) => {
      const count = read.number();
      return { ...part, count, print: count === 0 ? "" : read.hex(PRINT_DIGITS) };
    });
  });
}

function partsOf({ prefix, bits }: RangeRef, split: number): RangeRef[] {
  const parts = 2 ** split;
  return Array.from({ length: parts }, (_, at) => ({
    prefix: prefix * parts + at,
    bits: bits + split,
  }));
}

export function encodeMarks(ranges: readonly MarkPrints[]): Buffer {
  const out = new ByteWriter();
  for (const { prints, cut } of ranges) writePrints(out.number(cut ? 1 : 0), prints);
  return out.done();
}

export function decodeMarks(bytes: Uint8Array): MarkPrints[] {
  return understood("answer", "PEER_UNAVAILABLE", () => {
    const read = new ByteReader(bytes);
    const ranges: MarkPrints[] = [];
    while (!read.atEnd) ranges.push({ cut: read.number() === 1, prints: readPrints(read) });
    return ranges;
  });
}

export function encodeNames(marks: readonly RecordMark[]): Buffer {
  const out = new ByteWriter();
  for (const { id, digest } of marks) out.text(id).hex(digest);
  return out.done();
}

export function decodeNames(bytes: Uint8Array): RecordMark[] {
  return understood("answer", "PEER_UNAVAILABLE", () => {
    const read = new ByteReader(bytes);
    const marks: RecordMark[] = [];
    while (!read.atEnd) marks.push({ id: read.text(), digest: read.hex(32) });
    return marks;
  });
}

function writeRanges(out: ByteWriter, ranges: readonly RangeRef[]): ByteWriter {
  out.number(ranges.length);
  for (const { bits, prefix } of ranges) out.number(bits).number(prefix);
  return out;
}

function readRanges(read: ByteReader): RangeRef[] {
  const count = read.number();
  if (count > MOST_PARTS) throw new RangeError(`it names ${count} ranges`);
  return Array.from({ length: count }, () => {
    const bits = read.number();
    const prefix = read.number();
    if (bits <= LEAF_BITS && prefix < 2 ** bits) return { prefix, bits };
    throw new RangeError(`there is no range ${prefix} of ${bits} bits`);
  });
}

function writePrints(out: ByteWriter, prints: WantedPrints["prints"]): void {
  out.number(prints.length);
  for (const print of prints) out.hex(print);
}

function readPrints(read: ByteReader): string[] {
  const count = read.number();
  // Not `Array.from({ length })` with a number that somebody else has written.
  const prints: string[] = [];
  for (let at = 0; at < count; at += 1) prints.push(read.hex(PRINT_DIGITS));
  return prints;
}

/** What the framing does not understand, in words of ours. */
export function understood<T>(
  what: "question" | "answer",
  code: "USAGE" | "PEER_UNAVAILABLE",
  work: () => T,
): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof TideoverError || !(error instanceof Error)) throw error;
    const message = `this is no ${what} of an index comparison: ${error.message}`;
    throw new TideoverError(message, {
      code,
      retry: code === "USAGE" ? "never" : "later",
      next: "Run the same version of Tideover in both regions.",
    });
  }
}
