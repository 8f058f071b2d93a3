import { addDigest } from "../core/reconcile/digest.ts";
import { EMPTY_DIGEST } from "../model/position.ts";
import { LEAF_BITS, type RangeRef, type RangeSum } from "../model/record.ts";
import { type Connection, oneMoment } from "./connection.ts";
import { KEPT_LEVELS, nodeOf } from "./sum.ts";

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
  const [parts, deeper] = [2 ** split, bits + split];
  const first = prefix * parts;
  const sums = Array.from(
    { length: parts },
    (_, n): RangeSum => ({ prefix: first + n, bits: deeper, count: 0, digest: EMPTY_DIGEST }),
  );
  addKept(connection, sums, first, deeper);
  return sums;
}

/** Adds to neighbouring ranges, from `first` on, what is kept of them at the next finer level. */
function addKept({ sql }: Connection, sums: RangeSum[], first: number, bits: number): void {
  const level = KEPT_LEVELS.find((kept) => kept >= bits) ?? LEAF_BITS;
  const width = 2 ** (level - bits);
  const from = nodeOf(first * width, level);
  const rows = sql("SELECT node, count, sum FROM ranges WHERE node >= ? AND node < ?");
  for (const row of rows.all(from, from + sums.length * width)) {
    const at = Math.floor((Number(row.node) - from) / width);
    const sum = sums[at];
    if (sum === undefined) continue;
    const [count, digest] = [Number(row.count), String(row.sum)];
    // Mostly there is nothing to add it to, and a sum is told as it stands.
    const total = sum.count === 0 ? digest : addDigest(sum.digest, digest);
    sums[at] = { ...sum, count: sum.count + count, digest: total };
  }
}
