import { rangeBounds } from "../../core/reconcile/digest.ts";
import {
  LEAF_BITS,
  type RangeRef,
  type RangeSum,
  type RecordMark,
  type StoredRecord,
} from "../../model/record.ts";
import { type Connection, oneMoment } from "./connection.ts";
import { find, RECORD_COLUMNS, recordOf, recordTables } from "./contents.ts";
import { hexOf, KEPT_LEVELS, NO_SUM, nodeOf, plus, type Sum } from "./range-sums.ts";

/** See IndexStore.sums. */
export function sums(
  connection: Connection,
  ranges: readonly RangeRef[],
  split: number,
): RangeSum[] {
  for (const { bits } of ranges) refuseFiner(bits + split);
  // One moment: sums of two states would differ from everybody's.
  return oneMoment(connection, () => ranges.flatMap((range) => partsOf(connection, range, split)));
}

function refuseFiner(bits: number): void {
  if (bits <= LEAF_BITS) return;
  throw new RangeError(`ranges have at most ${LEAF_BITS} bits, and ${bits} were asked for`);
}

function partsOf(connection: Connection, { prefix, bits }: RangeRef, split: number): RangeSum[] {
  const parts = 2 ** split;
  const first = prefix * parts;
  const found = keptSums(connection, first, parts, bits + split);
  return Array.from({ length: parts }, (_, n) => {
    const { count, sum } = found[n] ?? NO_SUM;
    return { prefix: first + n, bits: bits + split, count, digest: hexOf(sum) };
  });
}

/** Sums of `parts` neighbouring ranges, added up from the next finer level that is kept. */
function keptSums(
  { sql }: Connection,
  first: number,
  parts: number,
  bits: number,
): (Sum | undefined)[] {
  const level = KEPT_LEVELS.find((kept) => kept >= bits) ?? LEAF_BITS;
  const width = 2 ** (level - bits);
  const from = nodeOf(first * width, level);
  const found: (Sum | undefined)[] = [];
  const rows = sql("SELECT node, count, sum FROM ranges WHERE node >= ? AND node < ?");
  for (const { node, count, sum } of rows.iterate(from, from + parts * width)) {
    const at = Math.floor((Number(node) - from) / width);
    found[at] = plus(found[at] ?? NO_SUM, { count: Number(count), sum: BigInt(`0x${sum}`) });
  }
  return found;
}

/** See IndexStore.marks. */
export function marks({ sql }: Connection, range: RangeRef): RecordMark[] {
  const { from, below } = rangeBounds(range);
  const rows = sql(`
    SELECT id, lower(hex(digest)) AS digest FROM records
    WHERE range_key >= ? AND range_key < ? ORDER BY id`).all(from, below);
  return rows.map(({ id, digest }) => ({ id: String(id), digest: String(digest) }));
}

/** See IndexStore.recordsIn. */
export function recordsIn({ sql }: Connection, range: RangeRef): StoredRecord[] {
  const { from, below } = rangeBounds(range);
  const rows = sql(`
    SELECT ${RECORD_COLUMNS} FROM ${recordTables()}
    WHERE r.range_key >= ? AND r.range_key < ? ORDER BY r.id`).all(from, below);
  return rows.map(recordOf);
}

/** See IndexStore.recordsOf. */
export function recordsOf(connection: Connection, ids: readonly string[]): StoredRecord[] {
  return oneMoment(connection, () => recordsNow(connection, ids));
}

/** As `recordsOf`, within a read that is under way. */
export function recordsNow(connection: Connection, ids: readonly string[]): StoredRecord[] {
  return [...new Set(ids)].flatMap((id) => {
    const held = find(connection, id);
    return held === null ? [] : recordAt(connection, held.n);
  });
}

function recordAt({ sql }: Connection, n: number): StoredRecord[] {
  const row = sql(`SELECT ${RECORD_COLUMNS} FROM ${recordTables()} WHERE r.n = ?`).get(n);
  return row === undefined ? [] : [recordOf(row)];
}
