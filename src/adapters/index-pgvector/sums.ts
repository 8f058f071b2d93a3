import { type LeafChange, turn } from "../../core/reconcile/batch.ts";
import { type DigestKey, rangeBounds, rangeKey } from "../../core/reconcile/digest.ts";
import { EMPTY_DIGEST } from "../../model/position.ts";
import {
  LEAF_BITS,
  type RangeRef,
  type RangeSum,
  type RecordMark,
  type StoredRecord,
} from "../../model/record.ts";
import { bigints, texts } from "./binary.ts";
import type { Session } from "./database.ts";
import { RECORD_COLUMNS, recordOf, text, wanted } from "./rows.ts";

const MODULUS = (1n << 128n).toString();

/** Adds to the sums of leaf ranges what a batch changes in them. */
export async function addToRanges(
  session: Session,
  leaves: ReadonlyMap<number, LeafChange>,
): Promise<void> {
  await putRanges(
    session,
    leaves,
    `count = r.count + excluded.count, sum = (r.sum + excluded.sum) % ${MODULUS}`,
  );
}

/** Replaces the sums of these leaf ranges. */
export async function setRanges(
  session: Session,
  leaves: ReadonlyMap<number, LeafChange>,
): Promise<void> {
  await putRanges(session, leaves, "count = excluded.count, sum = excluded.sum");
}

async function putRanges(
  session: Session,
  leaves: ReadonlyMap<number, LeafChange>,
  otherwise: string,
): Promise<void> {
  if (leaves.size === 0) return;
  const changes = [...leaves.values()];
  await session.all(
    `INSERT INTO ranges AS r (leaf, count, sum)
     SELECT leaf, count, sum::numeric
     FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS change (leaf, count, sum)
     ON CONFLICT (leaf) DO UPDATE SET ${otherwise}`,
    [
      bigints([...leaves.keys()]),
      bigints(changes.map(({ count }) => count)),
      texts(changes.map(({ digest }) => BigInt(`0x${digest}`).toString())),
    ],
  );
}

/** See IndexStore.sums. */
export async function sums(
  session: Session,
  ranges: readonly RangeRef[],
  split: number,
): Promise<RangeSum[]> {
  const parts = ranges.flatMap((range) => partsOf(range, split));
  const leaves = parts.map(({ prefix, bits }) => {
    const width = 2 ** (LEAF_BITS - bits);
    return { from: prefix * width, below: (prefix + 1) * width };
  });
  const rows = await session.all(
    `SELECT n, sum(r.count) AS count, sum(r.sum) % ${MODULUS} AS sum
     FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS part (low, below, n)
     JOIN ranges r ON r.leaf >= part.low AND r.leaf < part.below
     GROUP BY n`,
    [bigints(leaves.map(({ from }) => from)), bigints(leaves.map(({ below }) => below))],
  );
  const found = new Map(rows.map((row) => [Number(row.n) - 1, row]));
  return parts.map((part, at) => {
    const row = found.get(at);
    if (row === undefined) return { ...part, count: 0, digest: EMPTY_DIGEST };
    const digest = BigInt(String(row.sum)).toString(16).padStart(32, "0");
    return { ...part, count: Number(row.count), digest };
  });
}

/** Throws RangeError for parts that are smaller than what has a sum. */
export function partsOf({ prefix, bits }: RangeRef, split: number): RangeRef[] {
  const deeper = bits + split;
  if (deeper > LEAF_BITS) {
    throw new RangeError(`ranges have at most ${LEAF_BITS} bits, and ${deeper} were asked for`);
  }
  const parts = 2 ** split;
  return Array.from({ length: parts }, (_, n) => ({ prefix: prefix * parts + n, bits: deeper }));
}

/** See IndexStore.marks. */
export async function marks(session: Session, range: RangeRef): Promise<RecordMark[]> {
  const { from, below } = rangeBounds(range);
  const rows = await session.all(
    "SELECT id, digest FROM records WHERE range_key >= $1 AND range_key < $2 ORDER BY id",
    [from, below],
  );
  return rows.map((row) => ({ id: text(row.id), digest: String(row.digest) }));
}

/** See IndexStore.recordsIn. */
export async function recordsIn(session: Session, range: RangeRef): Promise<StoredRecord[]> {
  const { from, below } = rangeBounds(range);
  const rows = await session.all(
    `SELECT ${RECORD_COLUMNS} FROM records WHERE range_key >= $1 AND range_key < $2 ORDER BY id`,
    [from, below],
  );
  return rows.map(recordOf);
}

/** See IndexStore.recordsOf. */
export async function recordsOf(session: Session, ids: readonly string[]): Promise<StoredRecord[]> {
  const rows = await session.all(
    `SELECT ${RECORD_COLUMNS} FROM records WHERE id = ANY ($1::text[])`,
    [texts(wanted(ids))],
  );
  return rows.map(recordOf);
}

/** Computes the sums of these documents' leaf ranges anew, from the digests that the records keep. */
export async function recount(
  session: Session,
  ids: readonly string[],
  key: DigestKey,
): Promise<void> {
  const leaves = [...new Set(ids.map((id) => leafNumber(rangeKey(id, key))))];
  const width = 2 ** (32 - LEAF_BITS);
  const rows = await session.all(
    `SELECT range_key, digest FROM unnest($1::bigint[], $2::bigint[]) AS leaf (low, below)
     JOIN records ON range_key >= leaf.low AND range_key < leaf.below`,
    [
      bigints(leaves.map((leaf) => leaf * width)),
      bigints(leaves.map((leaf) => (leaf + 1) * width)),
    ],
  );
  const sums = new Map(leaves.map((leaf) => [leaf, { count: 0, digest: EMPTY_DIGEST }]));
  for (const row of rows) {
    turn(sums, { rangeKey: Number(row.range_key), digest: String(row.digest) }, 1);
  }
  await setRanges(session, sums);
}

function leafNumber(key: number): number {
  return key >>> (32 - LEAF_BITS);
}
