import { z } from "zod";
import { ByteReader, ByteWriter } from "../../lib/bytes.ts";
import { payloadSchema } from "../../model/change.ts";
import type { StoredRecord } from "../../model/record.ts";
import { understood } from "./range-wire.ts";

/**
 * Whole records in bytes, vectors as they are: about 30 bytes more than what they hold. Those of the
 * first records that fit, and always one.
 */
export function encodeWithin(records: readonly StoredRecord[], mostBytes: number): Buffer {
  const out = new ByteWriter();
  for (const [at, record] of records.entries()) {
    const before = out.length;
    writeRecord(out, record);
    if (at > 0 && out.length > mostBytes) return out.done().subarray(0, before);
  }
  return out.done();
}

function writeRecord(out: ByteWriter, record: StoredRecord): void {
  out.text(record.id).text(record.audience).number(record.labels.length);
  for (const label of record.labels) out.text(label);
  out.text(record.embedding).bytes(record.vector).text(record.title).text(record.text);
  out.text(JSON.stringify(record.payload)).hex(record.digest);
}

/** Throws PEER_UNAVAILABLE on what is no record. Says nothing of whether its digest is right. */
export function decodeRecords(bytes: Uint8Array): StoredRecord[] {
  return understood("answer", "PEER_UNAVAILABLE", () => {
    const read = new ByteReader(bytes);
    const records: StoredRecord[] = [];
    while (!read.atEnd) records.push(readRecord(read));
    return records;
  });
}

const payloadText = z
  .string()
  .transform((text): unknown => JSON.parse(text))
  .pipe(payloadSchema);

function readRecord(read: ByteReader): StoredRecord {
  const id = read.text();
  const audience = read.text();
  const labels: string[] = [];
  for (let left = read.number(); left > 0; left -= 1) labels.push(read.text());
  return {
    id,
    audience,
    labels,
    embedding: read.text(),
    vector: read.bytes(),
    title: read.text(),
    text: read.text(),
    payload: payloadText.parse(read.text()),
    digest: read.hex(32),
  };
}
