import type { LogEntry } from "../model/change.ts";
import type { Watermarks } from "../model/index-health.ts";
import type { Position } from "../model/position.ts";
import type { StoredRecord } from "../model/record.ts";
import { type Connection, transaction } from "./connection.ts";
import { ENTRY_COLUMNS, recordOf, wordOf } from "./entries.ts";
import { type Base, type Meta, readMeta, writeBase, writeWatermarks } from "./meta.ts";

/** Raises a watermark; the time that it had before is kept for a rewind. */
export function raiseWatermark(
  { sql }: Connection,
  seq: number,
  { audience, sourceTime }: Pick<LogEntry, "audience" | "sourceTime">,
): void {
  sql(`
    INSERT INTO undo_watermarks
    VALUES (?, (SELECT source_time FROM watermarks WHERE audience = ?))`).run(seq, audience);
  sql(`
    INSERT INTO watermarks VALUES (?, ?) ON CONFLICT (audience)
    DO UPDATE SET source_time = max(source_time, excluded.source_time)`).run(audience, sourceTime);
}

/** Puts back what the watermark was before this entry raised it. */
export function lowerWatermark({ sql }: Connection, seq: number, audience: string): void {
  const before = sql("SELECT source_time FROM undo_watermarks WHERE seq = ?").get(seq);
  const time = before?.source_time ?? null;
  if (time === null) sql("DELETE FROM watermarks WHERE audience = ?").run(audience);
  else sql("UPDATE watermarks SET source_time = ? WHERE audience = ?").run(time, audience);
}

/** What an entry replaced; null when there was nothing. */
export function undoAt({ sql }: Connection, seq: number): StoredRecord | null {
  const row = sql(`
    SELECT id, audience, labels, embedding, lower(hex(digest)) AS digest, vector, title, text, payload
    FROM undo WHERE seq = ?`).get(seq);
  return row === undefined ? null : recordOf(row);
}

/** Keeps what an entry replaces, for a rewind. */
export function writeUndo({ sql }: Connection, seq: number, record: StoredRecord): void {
  sql("INSERT INTO undo VALUES (?, ?, ?, ?, ?, unhex(?), ?, ?, ?, ?)").run(
    seq,
    record.id,
    record.audience,
    JSON.stringify(record.labels),
    record.embedding,
    record.digest,
    record.vector,
    record.title,
    record.text,
    JSON.stringify(record.payload),
  );
}

/** Takes the entries above a seq out of the log, and keeps them aside. */
export function orphanAbove(connection: Connection, above: number): void {
  connection
    .sql(
      `INSERT INTO orphans (${ENTRY_COLUMNS}) SELECT ${ENTRY_COLUMNS} FROM log WHERE seq > ? ORDER BY seq`,
    )
    .run(above);
  for (const table of ["log", "undo", "undo_watermarks"]) {
    connection.sql(`DELETE FROM ${table} WHERE seq > ?`).run(above);
  }
}

/** The position's parts that the log knows, at a seq that is not below the base. */
export function baseAt(connection: Connection, { base }: Meta, seq: number): Base {
  const row = connection.sql("SELECT digest_after, source_time FROM log WHERE seq = ?").get(seq);
  if (row === undefined) return base;
  return { seq, digest: String(row.digest_after), sourceTime: Number(row.source_time) };
}

/** See IndexStore.trimLog. */
export function trimLog(connection: Connection, upTo: number): number {
  return transaction(connection, () => {
    const meta = readMeta(connection);
    const to = Math.min(upTo, meta.position.seq - 1);
    if (to <= meta.base.seq || wordOf(connection, to) === null) return meta.base.seq;
    writeBase(connection, baseAt(connection, meta, to));
    for (const table of ["log", "undo", "undo_watermarks"]) {
      connection.sql(`DELETE FROM ${table} WHERE seq <= ?`).run(to);
    }
    return to;
  });
}

/** Lets the log begin at a snapshot's position. The orphans stay: they are of nobody's snapshot. */
export function beginLog(
  connection: Connection,
  { position, watermarks }: { readonly position: Position; readonly watermarks: Watermarks },
): void {
  for (const table of ["log", "undo", "undo_watermarks"]) {
    connection.sql(`DELETE FROM ${table}`).run();
  }
  writeBase(connection, position);
  writeWatermarks(connection, watermarks);
}
