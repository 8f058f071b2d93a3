import { type HeldVectors, refuseForeignQuery } from "../../core/reconcile/compatible.ts";
import { refuseDamaged, refuseUnanswering } from "../../core/reconcile/follow.ts";
import { type Connection, oneMoment } from "../../ledger/connection.ts";
import { labelsOf, recordOf } from "../../ledger/entries.ts";
import { readMeta } from "../../ledger/meta.ts";
import type { IndexHit, IndexQuery } from "../../ports/index.ts";
import { RECORD_COLUMNS, recordTables } from "./contents.ts";
import { NEXT } from "./restore-tables.ts";

/**
 * Exact: every record that the caller may see is compared. The scope stands in the WHERE clause, so
 * that LIMIT counts only documents of the caller's. A vector of zeros has no direction and no
 * cosine: it is at distance 1, like nothing in common. One of another length is damaged: it is put
 * first, where it will be found out, since passing over it would hide the damage.
 */
const NEAREST = (prefix: string) => `
  SELECT ${RECORD_COLUMNS}, distance FROM (
    SELECT n, id, CASE length(vector) WHEN :bytes
      THEN coalesce(vec_distance_cosine(vector, :vector), 1) ELSE -1 END AS distance
    FROM ${prefix}records
    WHERE scope IN (SELECT value FROM json_each(:scopes))
    ORDER BY distance, id
    LIMIT :k
  ) nearest CROSS JOIN ${recordTables(prefix)}
  WHERE r.n = nearest.n
  ORDER BY distance, nearest.id`;

/** See IndexStore.search. */
export function search(connection: Connection, query: IndexQuery): IndexHit[] {
  // One moment: between two questions the agent may re-embed the index, and the second would then
  // find a part of the documents.
  return oneMoment(connection, () => {
    const { standing } = readMeta(connection);
    refuseUnanswering(standing, query.proving);
    const prefix = standing.kind === "partial" ? NEXT : "";
    refuseForeignQuery(heldVectors(connection, prefix), query);
    return nearest(connection, prefix, query);
  });
}

function nearest(connection: Connection, prefix: string, query: IndexQuery): IndexHit[] {
  const { buffer, byteOffset, byteLength } = query.vector;
  const rows = connection.sql(NEAREST(prefix)).all({
    vector: new Uint8Array(buffer, byteOffset, byteLength),
    bytes: byteLength,
    scopes: JSON.stringify(visibleScopes(connection, prefix, query)),
    // SQLite takes a negative limit for none at all.
    k: Math.max(0, query.k),
  });
  return rows.map((row) => {
    const record = recordOf(row);
    refuseDamaged(record, connection.key);
    const { id, title, text, audience } = record;
    return { id, title, text, audience, score: 1 - Number(row.distance) };
  });
}

function visibleScopes(
  { sql }: Connection,
  prefix: string,
  { audiences, labels = [] }: IndexQuery,
): number[] {
  const held = new Set(labels);
  const rows = sql(`
    SELECT scope, labels FROM ${prefix}scopes
    WHERE audience IN (SELECT value FROM json_each(?))`).all(JSON.stringify(audiences));
  return rows
    .filter((row) => labelsOf(row).every((label) => held.has(label)))
    .map(({ scope }) => Number(scope));
}

/**
 * The first and the last embedding version by name. Enough: when these are equal to the query's,
 * so is every one between.
 */
function heldVectors({ sql }: Connection, prefix: string): HeldVectors[] {
  const end = (order: string) =>
    sql(`
      SELECT embedding, (
        SELECT length(vector) / 4 FROM ${prefix}records r WHERE r.scope = s.scope LIMIT 1
      ) AS dimensions
      FROM ${prefix}scopes s WHERE dimensions IS NOT NULL ORDER BY embedding ${order} LIMIT 1`).get();
  const rows = [end("ASC"), end("DESC")].filter((row) => row !== undefined);
  const held = new Map(rows.map((row) => [String(row.embedding), Number(row.dimensions)]));
  return [...held].map(([embedding, dimensions]) => ({ embedding, dimensions }));
}
