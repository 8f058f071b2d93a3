import { createHash } from "node:crypto";

/** What a digest covers: everything that a caller of the index could be answered with. */
export interface DigestedRecord {
  readonly id: string;
  readonly audience: string;
  /** Version of the embedding model that made `vector`. */
  readonly embedding: string;
  /** Little-endian f32, exactly as stored. */
  readonly vector: Uint8Array;
  readonly title: string;
  readonly text: string;
}

const MODULUS = 1n << 128n;
// Names the framing below. Another framing needs another tag: two regions that run different
// releases must then see "diverged", never two digests that are equal by accident.
const FORMAT = "tideover-record-1";

/**
 * The 128-bit digest of one live record, as 32 hex digits: the first half of a SHA-256.
 *
 * Throws TypeError when a text has a lone surrogate: UTF-8 writes every one of them as the same
 * replacement character, so two different texts would get one digest.
 */
export function recordDigest(record: DigestedRecord): string {
  const hash = createHash("sha256");
  const texts = [FORMAT, record.id, record.audience, record.embedding, record.title, record.text];
  for (const field of [...texts.map(utf8), record.vector]) {
    // The length goes first. Without it the title "ab" with the text "c" and the title "a" with
    // the text "bc" would be one record.
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, field.length);
    hash.update(length).update(field);
  }
  return hash.digest("hex").slice(0, 32);
}

/**
 * The set's digest with one more record in it. The sum modulo 2^128 does not depend on the order,
 * so two copies that hold the same records have the same digest whatever their histories were.
 *
 * It finds accidents (lost writes, half-applied batches, two writers), not forgers: whoever can
 * choose documents freely can, with effort, find two sets with one sum.
 */
export function addDigest(set: string, record: string): string {
  return hex((number(set) + number(record)) % MODULUS);
}

/** The set's digest with one record fewer: the exact inverse of `addDigest`. */
export function removeDigest(set: string, record: string): string {
  return hex((number(set) - number(record) + MODULUS) % MODULUS);
}

function number(digest: string): bigint {
  return BigInt(`0x${digest}`);
}

function hex(value: bigint): string {
  return value.toString(16).padStart(32, "0");
}

function utf8(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new TypeError("text with a lone surrogate has no digest");
  return Buffer.from(text, "utf8");
}
