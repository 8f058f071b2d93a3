import type { SQLOutputValue } from "node:sqlite";
import type { LogEntry } from "../../model/change.ts";
import type { Epoch } from "../../model/ids.ts";
import type { Position } from "../../model/position.ts";
import type { Connection } from "./connection.ts";

type Row = Record<string, SQLOutputValue>;

export const ENTRY_COLUMNS =
  "seq, epoch, op, id, title, text, audience, source_time, embedding, vector, digest_after";

/** A row of `log` or `orphans`, as it travels. */
export function entryOf(row: Row): LogEntry {
  return {
    seq: Number(row.seq),
    epoch: Number(row.epoch),
    op: row.op === "delete" ? "delete" : "upsert",
    id: String(row.id),
    title: String(row.title),
    text: String(row.text),
    audience: String(row.audience),
    sourceTime: Number(row.source_time),
    embedding: String(row.embedding),
    vector: Buffer.from(bytesOf(row)).toString("base64"),
    digestAfter: String(row.digest_after),
  };
}

export function bytesOf(row: Row): Uint8Array {
  return row.vector instanceof Uint8Array ? row.vector : new Uint8Array(0);
}

export interface Meta {
  readonly position: Position;
  /** Highest epoch seen. */
  readonly epoch: Epoch;
}

export function readMeta({ sql }: Connection): Meta {
  const row = sql("SELECT epoch, seq, digest, source_time, count FROM meta").get() ?? {};
  return {
    epoch: Number(row.epoch),
    position: {
      seq: Number(row.seq),
      digest: String(row.digest),
      sourceTime: Number(row.source_time),
      count: Number(row.count),
    },
  };
}

export function writeMeta({ sql }: Connection, { epoch, position }: Meta): void {
  sql("UPDATE meta SET epoch = ?, seq = ?, digest = ?, source_time = ?, count = ?").run(
    epoch,
    position.seq,
    position.digest,
    position.sourceTime,
    position.count,
  );
}

export function readEntry({ sql }: Connection, seq: number): LogEntry | null {
  const row = sql(`SELECT ${ENTRY_COLUMNS} FROM log WHERE seq = ?`).get(seq);
  return row === undefined ? null : entryOf(row);
}

export function writeEntry({ sql }: Connection, entry: LogEntry, vector: Uint8Array): void {
  sql(`INSERT INTO log (${ENTRY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`).run(
    entry.seq,
    entry.epoch,
    entry.op,
    entry.id,
    entry.title,
    entry.text,
    entry.audience,
    entry.sourceTime,
    entry.embedding,
    vector,
    entry.digestAfter,
  );
}
