import { type DigestedRecord, rangeKey } from "../../core/reconcile/digest.ts";
import type { Connection } from "../../ledger/connection.ts";

/** A live record as the writing of it needs to know it. */
export interface Held {
  readonly n: number;
  readonly scope: number;
  readonly digest: string;
}

/** Every part of a record. A part that is missing shows as an empty one: its digest tells. */
export const RECORD_COLUMNS = `
  r.id, coalesce(s.audience, '') AS audience, coalesce(s.labels, '') AS labels,
  coalesce(s.embedding, '') AS embedding, lower(hex(r.digest)) AS digest, r.vector,
  coalesce(t.title, '') AS title, coalesce(t.text, '') AS text, coalesce(t.payload, '') AS payload`;

/** The tables to read a record from. `prefix` names those of a restore that is under way. */
export function recordTables(prefix = ""): string {
  return `${prefix}records r LEFT JOIN ${prefix}scopes s ON s.scope = r.scope
    LEFT JOIN ${prefix}texts t ON t.n = r.n`;
}

export function find({ sql, key }: Connection, id: string): Held | null {
  const row = sql(
    "SELECT n, scope, lower(hex(digest)) AS digest FROM records WHERE range_key = ? AND id = ?",
  ).get(rangeKey(id, key), id);
  if (row === undefined) return null;
  return { n: Number(row.n), scope: Number(row.scope), digest: String(row.digest) };
}

type Written = DigestedRecord & { readonly digest: string };

/** Writes a record in the place of the one that is `held`, or in a new one. */
export function put(
  connection: Connection,
  record: Written,
  held: Held | null,
  scope: number,
): void {
  if (held === null) insert(connection, record, scope);
  else replace(connection, record, held, scope);
}

function insert({ sql, key }: Connection, record: Written, scope: number): void {
  const { id, vector, title, text, payload, digest } = record;
  const { lastInsertRowid } = sql("INSERT INTO records VALUES (NULL, ?, ?, ?, ?, ?)").run(
    rangeKey(id, key),
    id,
    scope,
    Buffer.from(digest, "hex"),
    vector,
  );
  // OR REPLACE: a text whose record was lost behind our back may lie there still.
  sql("INSERT OR REPLACE INTO texts VALUES (?, ?, ?, ?)").run(
    lastInsertRowid,
    title,
    text,
    JSON.stringify(payload),
  );
}

/** Updates, as rarely as can be, what stands in an index: each place is another page to write. */
function replace({ sql }: Connection, record: Written, held: Held, scope: number): void {
  const { n } = held;
  const { vector, title, text, payload, digest } = record;
  sql("UPDATE records SET digest = ?, vector = ? WHERE n = ?").run(
    Buffer.from(digest, "hex"),
    vector,
    n,
  );
  if (scope !== held.scope) sql("UPDATE records SET scope = ? WHERE n = ?").run(scope, n);
  sql("INSERT OR REPLACE INTO texts VALUES (?, ?, ?, ?)").run(
    n,
    title,
    text,
    JSON.stringify(payload),
  );
}

export function drop({ sql }: Connection, { n }: Held): void {
  sql("DELETE FROM records WHERE n = ?").run(n);
  sql("DELETE FROM texts WHERE n = ?").run(n);
}
