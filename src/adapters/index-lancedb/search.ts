import { refuseForeignQuery } from "../../core/reconcile/compatible.ts";
import type { DigestKey } from "../../core/reconcile/digest.ts";
import { floatsOf } from "../../core/reconcile/entry.ts";
import { refuseDamaged, refuseUnanswering } from "../../core/reconcile/follow.ts";
import { bestOf, type VectorPlace } from "../../core/reconcile/vectors.ts";
import type { StoredRecord } from "../../model/record.ts";
import { versionNames } from "../../model/vectors.ts";
import type { IndexHit, IndexQuery } from "../../ports/index.ts";
import type { Named, State } from "./bookkeeping.ts";
import type { Copy } from "./copy.ts";
import type { LanceTable } from "./driver.ts";
import { anyOf, visible } from "./filter.ts";
import { compareTexts, inOrder, recordsOf } from "./reading.ts";
import {
  blanksIn,
  columnName,
  numbersOf,
  recordsOfRows,
  textsOf,
  type VectorColumn,
} from "./rows.ts";

/**
 * See IndexStore.search. Exact: Lance compares every record that the caller may see, whatever index
 * there is. Whose they are stands in the same query and is looked at first.
 */
export function search(copy: Copy, query: IndexQuery): Promise<IndexHit[]> {
  return copy.read(async (table, state) => {
    refuseUnanswering(state.meta.standing, query.proving);
    const places = refuseForeignQuery(shown(state)?.held ?? [], query);
    // A table has no column for vectors before the first one comes.
    if (table === null || places.length === 0 || query.k <= 0) return [];
    const key = copy.options.digestKey;
    const found = places.map((place) => best(table, lookOf(query, place, places), key));
    return bestOf(await Promise.all(found), query.k).map(({ record, score }) => {
      refuseDamaged(record, key);
      const { id, title, text, audience } = record;
      return { id, title, text, audience, score };
    });
  }, shown);
}

/** The hot part of a restore answers from the table that it is loaded into. */
function shown({ meta, named, next }: State): Named | null {
  return meta.standing.kind === "partial" ? next : named;
}

/** A look at the records that have their vectors laid out in one way. */
interface Look {
  readonly query: IndexQuery;
  readonly place: VectorPlace;
  readonly column: VectorColumn;
  /** Which records it is: the caller's, of this layout. */
  readonly where: string;
}

function lookOf(query: IndexQuery, place: VectorPlace, all: readonly VectorPlace[]): Look {
  const { embedding, dimensions } = place;
  const slot = versionNames(embedding).indexOf(query.embedding) + 1;
  const mine = visible(query);
  const where = all.length === 1 ? mine : `${mine} AND ${anyOf("embedding", [embedding])}`;
  return { query, place, column: { slot, dimensions }, where };
}

interface Scored {
  readonly id: string;
  readonly score: number;
  readonly record: StoredRecord;
}

/** The k best of them, in order. */
async function best(table: LanceTable, look: Look, key: DigestKey): Promise<Scored[]> {
  const { query, place } = look;
  return (await candidates(table, look, key))
    .map((record) => ({ id: record.id, record, score: cosine(record, place, query.vector) }))
    .sort((a, b) => b.score - a.score || compareTexts(a.id, b.id))
    .slice(0, query.k);
}

/** Distance of what has nothing in common, less what 32 bits may be off by. */
const NOTHING_IN_COMMON = 1 - 1e-6;

/** The k best, and perhaps some more; each once. */
async function candidates(
  table: LanceTable,
  look: Look,
  key: DigestKey,
): Promise<readonly StoredRecord[]> {
  const { records, worst } = await nearest(table, look);
  if (records.length >= look.query.k && worst < NOTHING_IN_COMMON) return records;
  const all = [...records, ...(await undirected(table, look, key))];
  return [...new Map(all.map((record) => [record.id, record])).values()];
}

/** More than are asked for: Lance picks any of those that are equally far. */
const SPARE = 16;

async function nearest(table: LanceTable, { query, column, where }: Look) {
  for (let limit = query.k + SPARE; ; limit *= 4) {
    const rows = await table
      .vectorSearch(query.vector.slice())
      .column(columnName(column))
      .distanceType("cosine")
      .bypassVectorIndex()
      .where(where)
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
 * in common with any query, as every record has with a query of zeros. The k first of them by id.
 */
async function undirected(
  table: LanceTable,
  look: Look,
  key: DigestKey,
): Promise<readonly StoredRecord[]> {
  const ids = await (isZero(look.query.vector) ? allIds(table, look) : blankIds(table, look));
  const ordered = inOrder(ids.map((id) => ({ id }))).map(({ id }) => id);
  return recordsOf(table, ordered.slice(0, look.query.k), key);
}

async function allIds(table: LanceTable, { where }: Look): Promise<string[]> {
  return textsOf(await table.query().where(where).select(["id"]).toArrow(), "id");
}

/** Of several vectors any may be the one of zeros: that it is this one, only its numbers tell. */
async function blankIds(table: LanceTable, { where, column }: Look): Promise<string[]> {
  const query = table.query().where(`${where} AND blank`);
  const rows = await query.select(["id", columnName(column)]).toArrow();
  const blank = blanksIn(rows, column);
  return textsOf(rows, "id").filter((_, at) => blank[at]);
}

function isZero(vector: Float32Array): boolean {
  return vector.every((value) => value === 0);
}

/** From the vectors that the record's digest vouches for, and in 64 bits: Lance's has 32. */
function cosine({ vector }: StoredRecord, place: VectorPlace, query: Float32Array): number {
  const own = floatsOf(vector).subarray(place.from, place.from + place.dimensions);
  const [dot, a, b] = [product(own, query), product(own, own), product(query, query)];
  return a === 0 || b === 0 ? 0 : dot / Math.sqrt(a * b);
}

function product(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
}
