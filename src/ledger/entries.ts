import type { SQLOutputValue } from "node:sqlite";
import type { LogEntry, LogMark, Payload } from "../model/change.ts";
import type { StoredRecord } from "../model/record.ts";
import type { Connection } from "./connection.ts";

export type Row = Record<string, SQLOutputValue>;

export const ENTRY_COLUMNS =
  "seq, epoch, op, id, title, text, audience, labels, payload, source_time, embedding, vector, digest_after";

/** A row of `log` or `orphans`, as it travels. */
export function entryOf(row: Row): LogEntry {
  return {
    seq: Number(row.seq),
    epoch: Number(row.epoch),
    op: opOf(row),
    id: String(row.id),
    title: String(row.title),
    text: String(row.text),
    audience: String(row.audience),
    labels: labelsOf(row),
    payload: payloadOf(row),
    sourceTime: Number(row.source_time),
    embedding: String(row.embedding),
    vector: Buffer.from(bytesOf(row.vector)).toString("base64"),
    digestAfter: String(row.digest_after),
  };
}

function opOf({ op }: Row): LogEntry["op"] {
  return op === "delete" || op === "watermark" ? op : "upsert";
}

export function bytesOf(value: SQLOutputValue | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : new Uint8Array(0);
}

/** What is no list of texts is told as one label that nobody holds: see `payloadOf`. */
export function labelsOf({ labels }: Row): string[] {
  if (labels === "[]") return [];
  const value = parsed(labels);
  return Array.isArray(value) ? value.map(String) : [`unreadable: ${String(labels)}`];
}

/**
 * A payload that is no JSON any more is told as what is there. It must not throw: the damaged
 * record is what a scrub looks for, and its digest will not be the kept one.
 */
export function payloadOf({ payload }: Row): Payload {
  if (payload === "{}") return {};
  const value = parsed(payload);
  return isObject(value) ? value : { unreadable: String(payload) };
}

function parsed(text: SQLOutputValue | undefined): unknown {
  try {
    return JSON.parse(String(text));
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Payload {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function readEntry({ sql }: Connection, seq: number): LogEntry | null {
  const row = sql(`SELECT ${ENTRY_COLUMNS} FROM log WHERE seq = ?`).get(seq);
  return row === undefined ? null : entryOf(row);
}

/** The content of an entry may be large, and who asks for its mark does so for each request. */
export function readMark({ sql }: Connection, seq: number): LogMark | null {
  const row = sql("SELECT epoch, digest_after FROM log WHERE seq = ?").get(seq);
  if (row === undefined) return null;
  return { seq, epoch: Number(row.epoch), digestAfter: String(row.digest_after) };
}

export function entriesAfter({ sql }: Connection, after: number, limit: number): LogEntry[] {
  const rows = sql(`SELECT ${ENTRY_COLUMNS} FROM log WHERE seq > ? ORDER BY seq LIMIT ?`);
  return rows.all(after, limit).map(entryOf);
}

export function orphans({ sql }: Connection): LogEntry[] {
  return sql(`SELECT ${ENTRY_COLUMNS} FROM orphans ORDER BY n`).all().map(entryOf);
}

export function writeEntry({ sql }: Connection, entry: LogEntry, vector: Uint8Array): void {
  sql(`INSERT INTO log (${ENTRY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`).run(
    entry.seq,
    entry.epoch,
    entry.op,
    entry.id,
    entry.title,
    entry.text,
    entry.audience,
    JSON.stringify(entry.labels),
    JSON.stringify(entry.payload),
    entry.sourceTime,
    entry.embedding,
    vector,
    entry.digestAfter,
  );
}

/** Epoch and digest of a log entry: all that is compared of those that are there already. */
export function wordOf(
  { sql }: Connection,
  seq: number,
): { epoch: number; digestAfter: string } | null {
  const row = sql("SELECT epoch, digest_after FROM log WHERE seq = ?").get(seq);
  if (row === undefined) return null;
  return { epoch: Number(row.epoch), digestAfter: String(row.digest_after) };
}

/** A live record out of its columns, with `digest` in hexadecimal digits. */
export function recordOf(row: Row): StoredRecord {
  return {
    id: String(row.id),
    audience: String(row.audience),
    labels: labelsOf(row),
    embedding: String(row.embedding),
    vector: bytesOf(row.vector),
    title: String(row.title),
    text: String(row.text),
    payload: payloadOf(row),
    digest: String(row.digest),
  };
}
