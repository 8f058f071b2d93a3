import { type HeldVectors, refuseForeignQuery } from "../../core/reconcile/compatible.ts";
import type { IndexHit, IndexQuery } from "../../ports/index.ts";
import { type Connection, oneMoment } from "./connection.ts";

/**
 * Exact: every record that the caller may see is compared. The audience stands in the WHERE clause,
 * so that LIMIT counts only documents of the caller's. A vector of zeros has no direction and no
 * cosine: it is at distance 1, like nothing in common.
 */
const NEAREST = `
  SELECT id, title, text, audience, coalesce(vec_distance_cosine(vector, :vector), 1) AS distance
  FROM records
  WHERE embedding = :embedding AND audience IN (SELECT value FROM json_each(:audiences))
  ORDER BY distance, id
  LIMIT :k`;

/** See IndexStore.search. */
export function search(connection: Connection, query: IndexQuery): IndexHit[] {
  // One moment: between the two questions the agent may re-embed the index, and the second would
  // then find a part of the documents.
  return oneMoment(connection, () => {
    refuseForeignQuery(heldVectors(connection), query);
    const rows = connection.sql(NEAREST).all({
      vector: new Uint8Array(query.vector.buffer, query.vector.byteOffset, query.vector.byteLength),
      embedding: query.embedding,
      audiences: JSON.stringify(query.audiences),
      // SQLite takes a negative limit for none at all.
      k: Math.max(0, query.k),
    });
    return rows.map((row) => ({
      id: String(row.id),
      title: String(row.title),
      text: String(row.text),
      audience: String(row.audience),
      score: 1 - Number(row.distance),
    }));
  });
}

/**
 * The first and the last embedding version by name. Two look-ups in the index instead of a scan,
 * and enough: when these are equal to the query's, so is every one between.
 */
function heldVectors({ sql }: Connection): HeldVectors[] {
  const rows = sql(`
    SELECT embedding, length(vector) / 4 AS dimensions FROM records
    WHERE rowid IN (
      (SELECT rowid FROM records ORDER BY embedding LIMIT 1),
      (SELECT rowid FROM records ORDER BY embedding DESC LIMIT 1)
    )
    ORDER BY embedding`).all();
  const held = new Map(rows.map((row) => [String(row.embedding), Number(row.dimensions)]));
  return [...held].map(([embedding, dimensions]) => ({ embedding, dimensions }));
}
