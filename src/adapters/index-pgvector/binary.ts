/**
 * Parameters in PostgreSQL's binary format. A batch travels as one array a column: no number is
 * printed and read again, so that every bit of a vector arrives, and no text needs quoting.
 */

/** A whole array parameter. */
type ArrayParameter = Buffer;

const TEXT = 25;
const BIGINT = 20;
const DOUBLE = 701;

export function texts(values: readonly (string | null)[]): ArrayParameter {
  return arrayOf(
    TEXT,
    values.map((value) => (value === null ? null : Buffer.from(value, "utf8"))),
  );
}

export function bigints(values: readonly (number | null)[]): ArrayParameter {
  return arrayOf(
    BIGINT,
    values.map((value) => {
      if (value === null) return null;
      const bytes = Buffer.allocUnsafe(8);
      bytes.writeBigInt64BE(BigInt(value));
      return bytes;
    }),
  );
}

export function doubles(values: readonly number[]): ArrayParameter {
  return arrayOf(
    DOUBLE,
    values.map((value) => {
      const bytes = Buffer.allocUnsafe(8);
      bytes.writeDoubleBE(value);
      return bytes;
    }),
  );
}

/**
 * `oid`: of the type `vector` in this database; an extension's types have other numbers in each.
 * `values`: little-endian f32; empty bytes stand for no vector.
 */
export function vectors(oid: number, values: readonly Uint8Array[]): ArrayParameter {
  return arrayOf(
    oid,
    values.map((bytes) => (bytes.length === 0 ? null : vectorParameter(bytes))),
  );
}

/** Number of dimensions, two unused bytes, the numbers big-endian: what `vector_recv` reads. */
export function vectorParameter(bytes: Uint8Array): Buffer {
  const parameter = Buffer.allocUnsafe(4 + bytes.length);
  parameter.writeUInt16BE(bytes.length / 4, 0);
  parameter.writeUInt16BE(0, 2);
  parameter.set(bytes, 4);
  parameter.subarray(4).swap32();
  return parameter;
}

/** What `vector_send` gives, as little-endian f32. */
export function vectorBytes(sent: unknown): Uint8Array {
  if (!(sent instanceof Uint8Array)) return new Uint8Array(0);
  const bytes = Uint8Array.from(sent.subarray(4));
  Buffer.from(bytes.buffer).swap32();
  return bytes;
}

/** Dimensions (one, or none of an empty array), whether NULLs, type, length, first subscript. */
function arrayOf(oid: number, elements: readonly (Uint8Array | null)[]): ArrayParameter {
  const size = elements.reduce((total, element) => total + 4 + (element?.length ?? 0), 20);
  const bytes = Buffer.allocUnsafe(elements.length === 0 ? 12 : size);
  bytes.writeInt32BE(elements.length === 0 ? 0 : 1, 0);
  bytes.writeInt32BE(elements.includes(null) ? 1 : 0, 4);
  bytes.writeUInt32BE(oid, 8);
  if (elements.length === 0) return bytes;
  bytes.writeInt32BE(elements.length, 12);
  bytes.writeInt32BE(1, 16);
  let at = 20;
  for (const element of elements) {
    at = bytes.writeInt32BE(element?.length ?? -1, at);
    if (element === null) continue;
    bytes.set(element, at);
    at += element.length;
  }
  return bytes;
}
