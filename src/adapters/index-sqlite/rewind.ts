import { rangeKey } from "../../core/reconcile/digest.ts";
import { type Connection, diverged, transaction } from "./connection.ts";
import { drop, find, put, recordOf } from "./contents.ts";
import { ENTRY_COLUMNS, wordOf } from "./entries.ts";
import { type Base, type Meta, readMeta, writeBase, writePosition } from "./meta.ts";
import { recount } from "./range-sums.ts";
import { Scopes } from "./scopes.ts";
import { leafNode } from "./sum.ts";

/** See IndexStore.rewindTo. */
export function rewindTo(connection: Connection, seq: number): number {
  return transaction(connection, () => {
    const meta = readMeta(connection);
    const to = Math.max(0, seq);
    const count = meta.position.seq - to;
    if (count <= 0) return 0;
    if (to < meta.base.seq) {
      throw diverged(`its log begins above ${meta.base.seq}, so it cannot go back to ${to}`);
    }
    const gone = takeBack(connection, to);
    orphan(connection, to);
    // The epoch stays: what this index has seen of ownership is not undone with its entries.
    const position = { ...baseAt(connection, meta, to), count: meta.position.count - gone };
    writePosition(connection, { epoch: meta.epoch, position });
    return count;
  });
}

/** Undoes the entries above a seq, the last one first. Gives by how many records there are fewer. */
function takeBack(connection: Connection, above: number): number {
  const scopes = new Scopes(connection);
  const leaves = new Set<number>();
  let gone = 0;
  const rows = connection.sql(
    "SELECT seq, op, id, audience FROM log WHERE seq > ? ORDER BY seq DESC",
  );
  for (const row of rows.iterate(above)) {
    const [seq, id] = [Number(row.seq), String(row.id)];
    if (row.op === "watermark") lower(connection, seq, String(row.audience));
    else {
      gone += undo(connection, { seq, id, written: row.op === "upsert" }, scopes);
      leaves.add(leafNode(rangeKey(id, connection.key)));
    }
  }
  // Counted anew rather than subtracted: a record that was lost behind our back has nothing that
  // could be taken off, and the sums would go on speaking of it.
  recount(connection, leaves);
  scopes.sweep();
  return gone;
}

interface Undone {
  readonly seq: number;
  readonly id: string;
  /** Whether the entry wrote a record; else it deleted one. */
  readonly written: boolean;
}

function undo(connection: Connection, { seq, id, written }: Undone, scopes: Scopes): number {
  const held = find(connection, id);
  const row = connection
    .sql(`
    SELECT id, audience, labels, embedding, lower(hex(digest)) AS digest, vector, title, text, payload
    FROM undo WHERE seq = ?`)
    .get(seq);
  if (held !== null) scopes.leave(held.scope);
  if (row !== undefined) {
    const before = recordOf(row);
    put(connection, before, held, scopes.of(before));
  } else if (held !== null) drop(connection, held);
  return (written ? 1 : 0) - (row === undefined ? 0 : 1);
}

function lower({ sql }: Connection, seq: number, audience: string): void {
  const before = sql("SELECT source_time FROM undo_watermarks WHERE seq = ?").get(seq);
  const time = before?.source_time ?? null;
  if (time === null) sql("DELETE FROM watermarks WHERE audience = ?").run(audience);
  else sql("UPDATE watermarks SET source_time = ? WHERE audience = ?").run(time, audience);
}

function orphan(connection: Connection, above: number): void {
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
function baseAt(connection: Connection, { base }: Meta, seq: number): Base {
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
