import { createHmac, hash } from "node:crypto";
import { canonicalJson } from "../../lib/canonical.ts";
import type { Payload } from "../../model/change.ts";
import { LEAF_BITS, type RangeRef, type StoredRecord } from "../../model/record.ts";

/** What a digest covers: everything that a caller of the index could be answered with. */
export type DigestedRecord = Omit<StoredRecord, "digest">;

/**
 * Keys digests and range keys where tenants choose ids and contents: without it, whoever can write
 * documents freely can, with effort, find two sets with one sum. Every copy of an index must be
 * given the same key. Absent: digests find accidents, not forgers.
 */
export type DigestKey = Uint8Array | undefined;

const MODULUS = 1n << 128n;
// Names the framing below. Another framing needs another tag: two regions that run different
// releases must then see "diverged", never two digests that are equal by accident.
const FORMAT = "tideover-record-2";
const RANGE_FORMAT = "tideover-range-1";
const EMPTY_PAYLOAD = "{}";

/**
 * The 128-bit digest of one live record, as 32 hex digits: the first half of a SHA-256 (of an
 * HMAC-SHA-256 under `key`). Payloads count by their canonical JSON (RFC 8785).
 *
 * Throws TypeError when a text has a lone surrogate: UTF-8 writes every one of them as the same
 * replacement character, so two different texts would get one digest.
 */
export function recordDigest(record: DigestedRecord, key?: DigestKey): string {
  return sum256(framed(fieldsOf(record)), key).slice(0, 32);
}

function fieldsOf(record: DigestedRecord): (string | Uint8Array)[] {
  const { id, audience, labels, embedding, vector, title, text, payload } = record;
  return [
    FORMAT,
    id,
    audience,
    // Framed by itself, or the labels "a", "b" would be the one label "a\0b".
    labels.length === 0 ? "" : framed(labels),
    embedding,
    vector,
    title,
    text,
    isEmpty(payload) ? EMPTY_PAYLOAD : canonicalJson(payload),
  ];
}

function isEmpty(payload: Payload): boolean {
  for (const _ in payload) return false;
  return true;
}

/**
 * The fields one after the other, each behind its length. Without the lengths the title "ab" with
 * the text "c" and the title "a" with the text "bc" would be one record.
 */
function framed(fields: readonly (string | Uint8Array)[]): Uint8Array {
  const sizes = fields.map((field) =>
    typeof field === "string" ? utf8Length(field) : field.length,
  );
  const bytes = Buffer.allocUnsafe(sizes.reduce((total, size) => total + size + 4, 0));
  let at = 0;
  for (const [n, field] of fields.entries()) {
    at = bytes.writeUInt32BE(sizes[n] ?? 0, at);
    if (typeof field === "string") at += bytes.write(field, at, "utf8");
    else {
      bytes.set(field, at);
      at += field.length;
    }
  }
  return bytes;
}

function utf8Length(text: string): number {
  if (!text.isWellFormed()) throw new TypeError("text with a lone surrogate has no digest");
  return Buffer.byteLength(text, "utf8");
}

function sum256(bytes: Uint8Array, key: DigestKey): string {
  // One call: a hash object for each record would cost more than the hashing.
  if (key === undefined) return hash("sha256", bytes, "hex");
  return createHmac("sha256", key).update(bytes).digest("hex");
}

/** Where a record stands in the order that ranges are cut from: 32 bits, evenly spread. */
export function rangeKey(id: string, key?: DigestKey): number {
  return Number.parseInt(sum256(framed([RANGE_FORMAT, id]), key).slice(0, 8), 16);
}

/** The range with kept sums that a record of this range key belongs to. */
export function leafOf(rangeKey: number): RangeRef {
  return { prefix: rangeKey >>> (32 - LEAF_BITS), bits: LEAF_BITS };
}

/** First range key of a range, and the first behind it (2^32 at the end). */
export function rangeBounds({ prefix, bits }: RangeRef): { from: number; below: number } {
  const width = 2 ** (32 - bits);
  return { from: prefix * width, below: (prefix + 1) * width };
}

/** Labels as digests and filters want them. */
export function sortedLabels(labels: readonly string[]): string[] {
  return [...new Set(labels)].sort();
}

/**
 * The set's digest with one more record in it. The sum modulo 2^128 does not depend on the order,
 * so two copies that hold the same records have the same digest whatever their histories were.
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
