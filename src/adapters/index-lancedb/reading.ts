import type { DigestKey } from "../../core/reconcile/digest.ts";
import { leafNode, NO_SUM, one, plus, type Sum } from "../../ledger/sum.ts";
import { EMPTY_DIGEST } from "../../model/position.ts";
import {
  LEAF_BITS,
  type RangeRef,
  type RecordMark,
  type StoredRecord,
} from "../../model/record.ts";
import type { Held } from "./bookkeeping.ts";
import type { LanceTable } from "./driver.ts";
import { anyOf, atPlacesOf, within } from "./filter.ts";
import { digestsOf, numbersOf, recordsOfRows, rowIdsOf, textsOf } from "./rows.ts";

/** What a table really holds at one of its versions. */

/** See IndexStore.marks. */
export async function marks(table: LanceTable | null, range: RangeRef): Promise<RecordMark[]> {
  if (table === null) return [];
  const rows = await table
    .query()
    .where(within([range]))
    .select(["id", "digest"])
    .toArrow();
  const digests = digestsOf(rows);
  const found = textsOf(rows, "id").map((id, at) => ({ id, digest: digests[at] ?? EMPTY_DIGEST }));
  return inOrder(found);
}

/** See IndexStore.recordsIn. */
export async function recordsIn(
  table: LanceTable | null,
  range: RangeRef,
): Promise<StoredRecord[]> {
  if (table === null) return [];
  return inOrder(
    recordsOfRows(
      await table
        .query()
        .where(within([range]))
        .toArrow(),
    ),
  );
}

/** See IndexStore.recordsOf. In the order of the ids, each once. */
export async function recordsOf(
  table: LanceTable | null,
  ids: readonly string[],
  key: DigestKey,
): Promise<StoredRecord[]> {
  const order = new Map([...new Set(ids)].map((id, at) => [id, at]));
  const at = ({ id }: StoredRecord): number => order.get(id) ?? 0;
  const found = await find(table, ids, key);
  return found.map(({ record }) => record).sort((a, b) => at(a) - at(b));
}

/** A record, and where it stands in this version of the table. */
export interface Found {
  readonly record: StoredRecord;
  readonly row: bigint;
  /** Its range key, as the table keeps it. */
  readonly place: number;
}

/** The records with these ids, where they ought to stand. */
export async function find(
  table: LanceTable | null,
  ids: readonly string[],
  key: DigestKey,
): Promise<Found[]> {
  if (table === null || ids.length === 0) return [];
  const wanted = new Set(ids);
  const found = await foundBy(table, atPlacesOf(ids, key));
  return found.filter(({ record }) => wanted.has(record.id));
}

/** Those of them as well that stand in another one's place, which takes a look at every id. */
export async function findAnywhere(
  table: LanceTable | null,
  ids: readonly string[],
): Promise<Found[]> {
  return table === null || ids.length === 0 ? [] : foundBy(table, anyOf("id", ids));
}

async function foundBy(table: LanceTable, where: string): Promise<Found[]> {
  const rows = await table.query().where(where).withRowId().toArrow();
  const [numbers, places] = [rowIdsOf(rows), numbersOf(rows, "place")];
  return recordsOfRows(rows).map((record, at) => {
    return { record, row: numbers[at] ?? 0n, place: places[at] ?? 0 };
  });
}

/** By the bytes of the ids in UTF-8, as every engine sorts them. */
export function inOrder<T extends { readonly id: string }>(records: readonly T[]): T[] {
  return [...records].sort((a, b) => compareTexts(a.id, b.id));
}

export function compareTexts(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** The ways in which records spell their `embedding`, when these records come as well. */
export function heldWith(before: Held, records: readonly StoredRecord[]): Held {
  const held = new Map(before.map((one) => [one.embedding, one]));
  for (const { embedding, vector } of records) {
    held.set(embedding, { embedding, dimensions: vector.length / 4 });
  }
  return [...held.values()].sort((a, b) => compareTexts(a.embedding, b.embedding));
}

/**
 * As many of them as the table has records of. Only those are looked for of which no record was just
 * `put`: mostly all that come spell it as all others do, and there is nothing to ask.
 */
export async function heldNow(
  table: LanceTable,
  held: Held,
  put: readonly StoredRecord[],
): Promise<Held> {
  const sure = new Set(put.map(({ embedding }) => embedding));
  const there = await Promise.all(
    held.map(async ({ embedding }) => sure.has(embedding) || (await isIn(table, embedding))),
  );
  return held.filter((_, at) => there[at]);
}

async function isIn(table: LanceTable, embedding: string): Promise<boolean> {
  const query = table.query().where(anyOf("embedding", [embedding]));
  return (await query.select(["id"]).limit(1).toArrow()).numRows > 0;
}

/** More ranges than this are quicker looked for by reading all. */
const MOST_RANGES = 64;

/** Sums of the kept digests that stand in these leaves, by node. */
export async function standingSums(
  table: LanceTable | null,
  leaves: ReadonlySet<number>,
): Promise<Map<number, Sum>> {
  const sums = new Map([...leaves].map((leaf) => [leaf, NO_SUM]));
  if (table === null || leaves.size === 0) return sums;
  const ranges = [...leaves].map((leaf) => ({ prefix: leaf - 2 ** LEAF_BITS, bits: LEAF_BITS }));
  const query = table.query().select(["place", "digest"]);
  const rows = await (leaves.size > MOST_RANGES ? query : query.where(within(ranges))).toArrow();
  const digests = digestsOf(rows);
  for (const [at, place] of numbersOf(rows, "place").entries()) {
    const leaf = leafNode(place);
    const before = sums.get(leaf);
    if (before !== undefined) sums.set(leaf, plus(before, one(digests[at] ?? "")));
  }
  return sums;
}
