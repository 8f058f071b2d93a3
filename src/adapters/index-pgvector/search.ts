import { refuseForeignQuery } from "../../core/reconcile/compatible.ts";
import type { DigestKey } from "../../core/reconcile/digest.ts";
import { refuseDamaged, refuseUnanswering } from "../../core/reconcile/follow.ts";
import { bestOf, type VectorPlace } from "../../core/reconcile/vectors.ts";
import { TideoverError } from "../../lib/errors.ts";
import type { HnswSpec } from "../../model/index-engine.ts";
import type { IndexHit, IndexQuery } from "../../ports/index.ts";
import { vectorParameter } from "./binary.ts";
import type { Session, Value } from "./database.ts";
import { columnOf, haveGraphs, isBlank, MOST_GRAPH_DIMENSIONS } from "./graph.ts";
import { type Meta, RECORD_COLUMNS, type Row, recordOf, standingOf, wanted } from "./rows.ts";
import { arrayText, toColumn } from "./text.ts";

/**
 * See IndexStore.search. Give it a transaction of the reader role.
 *
 * Tenants are kept apart twice: by the policies, which read who asks from two settings of this
 * transaction, and by the WHERE clause. Either would do; both must fail before anybody sees what is
 * not his.
 */
export async function search(
  session: Session,
  meta: Meta,
  query: IndexQuery,
  { hnsw, key }: { readonly hnsw?: HnswSpec; readonly key?: DigestKey },
): Promise<IndexHit[]> {
  refuseUnanswering(standingOf(meta), query.proving);
  const places = refuseForeignQuery(meta.hot?.held ?? meta.held, query);
  if (query.k <= 0) return [];
  await tellWhoAsks(session, query);
  // The first part of a restore answers from the table that it is loaded into.
  const table = meta.hot === null ? "records" : "restored";
  const walked = hnsw !== undefined && (await canWalk(session, meta, places, query));
  const found: IndexHit[][] = [];
  for (const place of places) {
    const rows = walked
      ? await walk(session, place, query, hnsw)
      : await compareAll(session, table, place, query);
    found.push(rows.map((row) => hitOf(row, key)));
  }
  return [...bestOf(found, query.k)];
}

function hitOf(row: Row, key: DigestKey): IndexHit {
  const record = recordOf(row);
  refuseDamaged(record, key);
  const { id, title, text, audience } = record;
  return { id, title, text, audience, score: 1 - Number(row.distance) };
}

async function tellWhoAsks(session: Session, query: IndexQuery): Promise<void> {
  await session.all(
    "SELECT set_config('tideover.audiences', $1, true), set_config('tideover.labels', $2, true)",
    [arrayText(wanted(query.audiences)), arrayText(wanted(query.labels ?? []))],
  );
}

const VISIBLE = "embedding = $2 AND audience = ANY ($3::text[]) AND labels <@ $4::text[]";

function valuesOf(
  { embedding }: VectorPlace,
  { vector, audiences, labels = [], k }: IndexQuery,
): Value[] {
  const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
  return [
    vectorParameter(bytes),
    toColumn(embedding),
    arrayText(wanted(audiences)),
    arrayText(wanted(labels)),
    k,
  ];
}

/**
 * Every record that the caller may see. The distance stands inside of another expression, where no
 * graph can be used for it. A vector of zeros has no direction and no cosine: it is at distance 1,
 * like nothing in common.
 */
async function compareAll(
  session: Session,
  table: string,
  place: VectorPlace,
  query: IndexQuery,
): Promise<Row[]> {
  const distance = `${columnOf(place)} <=> $1::vector`;
  return mapped(
    session.all(
      `SELECT ${RECORD_COLUMNS}, coalesce(nullif(${distance}, 'NaN'), 1) AS distance
       FROM ${table} WHERE ${VISIBLE} ORDER BY distance, id LIMIT $5`,
      valuesOf(place, query),
    ),
  );
}

/** A record whose vector has other dimensions than it had when the index looked at it. */
async function mapped(rows: Promise<Row[]>): Promise<Row[]> {
  return rows.catch((error: unknown) => {
    if (!(error instanceof Error) || !error.message.startsWith("different vector dimensions")) {
      throw error;
    }
    throw new TideoverError("a record's vector has other dimensions than were written", {
      code: "INDEX_CORRUPT",
      retry: "later",
      next: "Repair this copy, or restore it.",
    });
  });
}

async function canWalk(
  session: Session,
  meta: Meta,
  places: readonly VectorPlace[],
  query: IndexQuery,
): Promise<boolean> {
  const dimensions = query.vector.length;
  if (query.exact === true || meta.hot !== null || dimensions > MOST_GRAPH_DIMENSIONS) return false;
  // From nowhere every direction is as far as any other: nothing to walk along.
  if (query.vector.every((value) => value === 0)) return false;
  return haveGraphs(session, places);
}

/** Records at the same distance as the last one, looked at so that the order by id holds for them. */
const TIES = 16;

/**
 * By the graph. With pgvector's defaults a search takes its `ef_search` nearest candidates and only
 * then looks who may see them: behind a filter, that is fewer than k, or none, without a word. An
 * iterative scan goes on until enough came through; when it has given up before that, every record
 * of the caller's is compared. Vectors of zeros are in no graph.
 */
async function walk(
  session: Session,
  place: VectorPlace,
  query: IndexQuery,
  hnsw: HnswSpec,
): Promise<Row[]> {
  const efSearch = Math.min(1_000, Math.max(hnsw.efSearch, query.k));
  await session.all(
    `SET LOCAL hnsw.ef_search = ${efSearch}; SET LOCAL hnsw.iterative_scan = relaxed_order;
     SET LOCAL hnsw.max_scan_tuples = ${hnsw.maxScanTuples}`,
  );
  const { dimensions } = place;
  const vector = `${columnOf(place)}::vector(${dimensions}) <=> $1::vector(${dimensions})`;
  const rows = await mapped(
    session.all(
      `WITH near AS MATERIALIZED (
         SELECT id, ${vector} AS distance FROM records WHERE ${VISIBLE}
         ORDER BY ${vector} LIMIT $5 + ${TIES}
       ), blank AS (
         SELECT id, 1::float8 AS distance FROM records
         WHERE ${isBlank(place)} AND ${VISIBLE} ORDER BY id LIMIT $5
       ), best AS (
         SELECT id, distance FROM near WHERE distance <> 'NaN' UNION SELECT id, distance FROM blank
         ORDER BY distance, id LIMIT $5
       )
       SELECT ${RECORD_COLUMNS}, distance FROM best JOIN records USING (id) ORDER BY distance, id`,
      valuesOf(place, query),
    ),
  );
  return rows.length < query.k ? compareAll(session, "records", place, query) : rows;
}
