import { refuseForeignQuery } from "../../core/reconcile/compatible.ts";
import { refuseDamaged, refuseUnanswering } from "../../core/reconcile/follow.ts";
import { bestOf, type VectorPlace } from "../../core/reconcile/vectors.ts";
import { type Connection, oneMoment } from "../../ledger/connection.ts";
import { labelsOf, recordOf } from "../../ledger/entries.ts";
import { readMeta } from "../../ledger/meta.ts";
import type { HeldVectors } from "../../model/vectors.ts";
import type { IndexHit, IndexQuery } from "../../ports/index.ts";
import { RECORD_COLUMNS, recordTables } from "./contents.ts";
import { NEXT } from "./restore-tables.ts";

const BYTES = 4;

/**
 * Exact: every record that the caller may see is compared. The scope stands in the WHERE clause, so
 * that LIMIT counts only documents of the caller's. A vector of zeros has no direction and no
 * cosine: it is at distance 1, like nothing in common. One of another length is damaged: it is put
 * first, where it will be found out, since passing over it would hide the damage.
 */
const NEAREST = (prefix: string, vector: string) => `
  SELECT ${RECORD_COLUMNS}, distance FROM (
    SELECT n, id, CASE length(vector) WHEN :bytes
      THEN coalesce(vec_distance_cosine(${vector}, :vector), 1) ELSE -1 END AS distance
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
    const places = refuseForeignQuery(heldVectors(connection, prefix), query);
    const found = places.map((place) => nearest(connection, prefix, place, query));
    return [...bestOf(found, query.k)];
  });
}

/** Of the records that have their vectors laid out so. */
function nearest(
  connection: Connection,
  prefix: string,
  place: VectorPlace,
  query: IndexQuery,
): IndexHit[] {
  const { buffer, byteOffset, byteLength } = query.vector;
  const rows = connection.sql(NEAREST(prefix, columnOf(place))).all({
    vector: new Uint8Array(buffer, byteOffset, byteLength),
    bytes: place.total * BYTES,
    scopes: JSON.stringify(visibleScopes(connection, prefix, place, query)),
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

/** A part is copied out of its record; the only vector of one is compared where it lies. */
function columnOf({ from, dimensions, total }: VectorPlace): string {
  if (dimensions === total) return "vector";
  return `substr(vector, ${from * BYTES + 1}, ${dimensions * BYTES})`;
}

function visibleScopes(
  { sql }: Connection,
  prefix: string,
  { embedding }: VectorPlace,
  { audiences, labels = [] }: IndexQuery,
): number[] {
  const held = new Set(labels);
  const rows = sql(`
    SELECT scope, labels FROM ${prefix}scopes
    WHERE embedding = ? AND audience IN (SELECT value FROM json_each(?))`).all(
    embedding,
    JSON.stringify(audiences),
  );
  return rows
    .filter((row) => labelsOf(row).every((label) => held.has(label)))
    .map(({ scope }) => Number(scope));
}

/** By single steps through the names: tenants and labels make many scopes of each. */
export function heldVectors({ sql }: Connection, prefix = ""): HeldVectors[] {
  const step = (than: ">=" | ">") =>
    sql(`
      SELECT embedding, (
        SELECT length(vector) / ${BYTES} FROM ${prefix}records r WHERE r.scope = s.scope LIMIT 1
      ) AS dimensions
      FROM ${prefix}scopes s
      WHERE embedding ${than} ? AND dimensions IS NOT NULL ORDER BY embedding LIMIT 1`);
  const held: HeldVectors[] = [];
  for (let row = step(">=").get(""); row !== undefined; ) {
    const embedding = String(row.embedding);
    held.push({ embedding, dimensions: Number(row.dimensions) });
    row = step(">").get(embedding);
  }
  return held;
}
