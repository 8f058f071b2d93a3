import { refuseForeignQuery } from "../../core/reconcile/compatible.ts";
import type { DigestKey } from "../../core/reconcile/digest.ts";
import { floatsOf } from "../../core/reconcile/entry.ts";
import { refuseDamaged, refuseUnanswering } from "../../core/reconcile/follow.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { IndexHit, IndexQuery } from "../../ports/index.ts";
import type { Named, State } from "./bookkeeping.ts";
import type { Copy } from "./copy.ts";
import type { LanceTable } from "./driver.ts";
import { visible } from "./filter.ts";
import { compareTexts, inOrder, recordsOf } from "./reading.ts";
import { numbersOf, recordsOfRows, textsOf, vectorColumn } from "./rows.ts";

/**
 * See IndexStore.search. Exact: Lance compares every record that the caller may see, whatever index
 * there is. Whose they are stands in the same query and is looked at first.
 */
export function search(copy: Copy, query: IndexQuery): Promise<IndexHit[]> {
  return copy.read(async (table, state) => {
    refuseUnanswering(state.meta.standing, query.proving);
    const held = shown(state)?.held ?? [];
    refuseForeignQuery(held, query);
    // A table has no column for vectors before the first one comes.
    if (table === null || held.length === 0 || query.k <= 0) return [];
    const records = await candidates(table, query, copy.options.digestKey);
    const hits = records.map((record) => ({ record, score: cosine(record, query.vector) }));
    hits.sort((a, b) => b.score - a.score || compareTexts(a.record.id, b.record.id));
    return hits.slice(0, query.k).map(({ record, score }) => {
      refuseDamaged(record, copy.options.digestKey);
      const { id, title, text, audience } = record;
      return { id, title, text, audience, score };
    });
  }, shown);
}

/** The hot part of a restore answers from the table that it is loaded into. */
function shown({ meta, named, next }: State): Named | null {
  return meta.standing.kind === "partial" ? next : named;
}

/** Distance of what has nothing in common, less what 32 bits may be off by. */
const NOTHING_IN_COMMON = 1 - 1e-6;

/** The k best, and perhaps some more. */
async function candidates(
  table: LanceTable,
  query: IndexQuery,
  key: DigestKey,
): Promise<StoredRecord[]> {
  const { records, worst } = await nearest(table, query);
  if (records.length >= query.k && worst < NOTHING_IN_COMMON) return records;
  return [...records, ...(await undirected(table, query, key))];
}

/** More than are asked for: Lance picks any of those that are equally far. */
const SPARE = 16;

async function nearest(table: LanceTable, query: IndexQuery) {
  for (let limit = query.k + SPARE; ; limit *= 4) {
    const rows = await table
      .vectorSearch(query.vector.slice())
      .column(vectorColumn(query.vector.length))
      .distanceType("cosine")
      .bypassVectorIndex()
      .where(visible(query))
      .limit(limit)
      .toArrow();
    const distances = numbersOf(rows, "_distance");
    const worst = distances[query.k - 1] ?? Number.POSITIVE_INFINITY;
    if (rows.numRows < limit || (distances.at(-1) ?? 0) > worst) {
      return { records: recordsOfRows(rows), worst };
    }
  }
}

/**
 * A vector of zeros has no direction and no cosine, and Lance finds none of them: they have nothing
 * in common with any query, as every record has with a query of zeros.
 */
async function undirected(
  table: LanceTable,
  query: IndexQuery,
  key: DigestKey,
): Promise<StoredRecord[]> {
  const blank = query.vector.every((value) => value === 0);
  const where = blank ? visible(query) : `${visible(query)} AND blank`;
  const rows = await table.query().where(where).select(["id"]).toArrow();
  const ids = inOrder(textsOf(rows, "id").map((id) => ({ id }))).map(({ id }) => id);
  return recordsOf(table, ids.slice(0, query.k), key);
}

/** From the vector that the record's digest vouches for, and in 64 bits: Lance's has 32. */
function cosine({ vector }: StoredRecord, query: Float32Array): number {
  const own = floatsOf(vector);
  const [dot, a, b] = [product(own, query), product(own, own), product(query, query)];
  return a === 0 || b === 0 ? 0 : dot / Math.sqrt(a * b);
}

function product(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
}
