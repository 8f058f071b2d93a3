import { rangeBounds } from "../../core/reconcile/digest.ts";
import { type Connection, oneMoment } from "../../ledger/connection.ts";
import { recordOf } from "../../ledger/entries.ts";
import { NO_SUM, one, plus, type Sum } from "../../ledger/sum.ts";
import {
  LEAF_BITS,
  type RangeRef,
  type RecordMark,
  type StoredRecord,
} from "../../model/record.ts";
import { find, RECORD_COLUMNS, recordTables } from "./contents.ts";

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

/** Sum of the kept digests that stand in a leaf's records. */
export function standing({ sql }: Connection, leaf: number): Sum {
  const width = 2 ** (32 - LEAF_BITS);
  const from = (leaf - 2 ** LEAF_BITS) * width;
  const rows = sql(
    "SELECT lower(hex(digest)) AS digest FROM records WHERE range_key >= ? AND range_key < ?",
  ).all(from, from + width);
  return rows.reduce((sum, { digest }) => plus(sum, one(String(digest))), NO_SUM);
}
