import { canonicalJson } from "../../lib/canonical.ts";
import { TideoverError } from "../../lib/errors.ts";
import { PackedReader, PackedWriter } from "../../lib/packed.ts";
import { type LogEntry, type Payload, payloadSchema } from "../../model/change.ts";
import type { StoredRecord } from "../../model/record.ts";

/**
 * Records and log entries as bytes: what a snapshot's layers hold, and what agents send each other.
 * Vectors are raw, so that nothing is lost and little is spent: base64 in JSON is a third more, and
 * takes several times as long.
 *
 * Another framing needs another tag and another media type: a reader refuses what it does not know.
 */
const RECORDS_TAG = 0x31525654; // "TVR1"
const ENTRIES_TAG = 0x31455654; // "TVE1"
const DIGEST_BYTES = 16;
const OPS = ["upsert", "delete", "watermark"] as const;

/** Collects records until somebody finds that they are enough. */
export class RecordPacker {
  readonly #writer = new PackedWriter();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get size(): number {
    return this.#writer.length + 8;
  }

  add(record: StoredRecord): void {
    packRecord(this.#writer, record);
    this.#count += 1;
  }

  take(): Buffer {
    return framed(RECORDS_TAG, this.#count, this.#writer.take());
  }
}

export function packRecords(records: readonly StoredRecord[]): Buffer {
  const packer = new RecordPacker();
  for (const record of records) packer.add(record);
  return packer.take();
}

/** Throws INDEX_CORRUPT when the bytes are not what `packRecords` writes. */
export function unpackRecords(bytes: Uint8Array): StoredRecord[] {
  return unpacked(bytes, RECORDS_TAG, "records", readRecord);
}

/** As many of the first entries as fit into about `mostBytes`, and always one. */
export function packEntries(
  entries: readonly LogEntry[],
  mostBytes = Number.POSITIVE_INFINITY,
): Buffer {
  const writer = new PackedWriter();
  let count = 0;
  for (const entry of entries) {
    packEntry(writer, entry);
    count += 1;
    if (writer.length >= mostBytes) break;
  }
  return framed(ENTRIES_TAG, count, writer.take());
}

/** Throws INDEX_CORRUPT when the bytes are not what `packEntries` writes. */
export function unpackEntries(bytes: Uint8Array): LogEntry[] {
  return unpacked(bytes, ENTRIES_TAG, "log entries", readEntry);
}

function framed(tag: number, count: number, body: Uint8Array): Buffer {
  const head = Buffer.allocUnsafe(8);
  head.writeUInt32LE(tag, 0);
  head.writeUInt32LE(count, 4);
  return Buffer.concat([head, body]);
}

function unpacked<T>(
  bytes: Uint8Array,
  tag: number,
  what: string,
  read: (reader: PackedReader) => T,
): T[] {
  try {
    const reader = new PackedReader(bytes);
    if (reader.u32() !== tag) throw new RangeError("they do not begin as they should");
    const count = reader.u32();
    const values: T[] = [];
    for (let n = 0; n < count; n += 1) values.push(read(reader));
    if (reader.left > 0) throw new RangeError(`${reader.left} bytes are left over`);
    return values;
  } catch (error) {
    if (error instanceof TideoverError) throw error;
    throw new TideoverError(`these bytes are no ${what}: ${reasonOf(error)}`, {
      code: "INDEX_CORRUPT",
      retry: "later",
      next: "Look whether both sides run the same version of Tideover.",
      cause: error,
    });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function packRecord(writer: PackedWriter, record: StoredRecord): void {
  writer.raw(Buffer.from(record.digest, "hex"));
  writer.text(record.id);
  packContent(writer, record);
  writer.bytes(record.vector);
}

function readRecord(reader: PackedReader): StoredRecord {
  const digest = hexOf(reader.raw(DIGEST_BYTES));
  const id = reader.text();
  const content = readContent(reader);
  return { id, ...content, vector: reader.bytes(), digest };
}

interface Content {
  readonly audience: string;
  readonly labels: readonly string[];
  readonly embedding: string;
  readonly title: string;
  readonly text: string;
  readonly payload: Payload;
}

/** What records and log entries have in common, but for the vector. */
function packContent(writer: PackedWriter, content: Content): void {
  writer.text(content.audience);
  writer.u32(content.labels.length);
  for (const label of content.labels) writer.text(label);
  writer.text(content.embedding);
  writer.text(content.title);
  writer.text(content.text);
  writer.text(isEmpty(content.payload) ? "" : canonicalJson(content.payload));
}

function readContent(reader: PackedReader) {
  const audience = reader.text();
  const labels: string[] = [];
  for (let left = reader.u32(); left > 0; left -= 1) labels.push(reader.text());
  const embedding = reader.text();
  const title = reader.text();
  const text = reader.text();
  return { audience, labels, embedding, title, text, payload: payloadOf(reader.text()) };
}

function payloadOf(text: string): Payload {
  return text === "" ? {} : payloadSchema.parse(JSON.parse(text));
}

function isEmpty(payload: Payload): boolean {
  for (const _ in payload) return false;
  return true;
}

function packEntry(writer: PackedWriter, entry: LogEntry): void {
  writer.f64(entry.seq);
  writer.f64(entry.epoch);
  writer.u8(OPS.indexOf(entry.op));
  writer.text(entry.id);
  packContent(writer, entry);
  writer.f64(entry.sourceTime);
  writer.raw(Buffer.from(entry.digestAfter, "hex"));
  writer.bytes(Buffer.from(entry.vector, "base64"));
}

function readEntry(reader: PackedReader): LogEntry {
  const [seq, epoch] = [reader.f64(), reader.f64()];
  const op = OPS[reader.u8()];
  if (op === undefined) throw new RangeError(`entry ${seq} does what is not known`);
  const id = reader.text();
  const content = readContent(reader);
  const sourceTime = reader.f64();
  const digestAfter = hexOf(reader.raw(DIGEST_BYTES));
  const vector = Buffer.from(reader.bytes()).toString("base64");
  return { seq, epoch, op, id, ...content, sourceTime, vector, digestAfter };
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}
