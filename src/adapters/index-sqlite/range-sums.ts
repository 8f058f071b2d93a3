import { LEAF_BITS } from "../../model/record.ts";
import type { Connection } from "./connection.ts";
import { ancestors, hexOf, leafNode, minus, NO_SUM, one, plus, type Sum } from "./sum.ts";

/** What changed in the leaves during one transaction, to be written once for each. */
export class Tally {
  readonly #leaves = new Map<number, Sum>();

  add(rangeKey: number, digest: string): void {
    this.#change(leafNode(rangeKey), one(digest));
  }

  remove(rangeKey: number, digest: string): void {
    this.#change(leafNode(rangeKey), minus(NO_SUM, one(digest)));
  }

  #change(leaf: number, by: Sum): void {
    this.#leaves.set(leaf, plus(this.#leaves.get(leaf) ?? NO_SUM, by));
  }

  write(connection: Connection): void {
    raise(connection, this.#leaves);
  }
}

/** Adds these changes of leaves to the kept sums of every level. */
export function raise(connection: Connection, leaves: ReadonlyMap<number, Sum>): void {
  for (const [node, by] of ancestors(leaves)) {
    const sum = plus(readSum(connection, node), by);
    writeSum(connection, node, sum);
  }
}

export function readSum({ sql }: Connection, node: number): Sum {
  const row = sql("SELECT count, sum FROM ranges WHERE node = ?").get(node);
  return row === undefined ? NO_SUM : { count: Number(row.count), sum: BigInt(`0x${row.sum}`) };
}

export function writeSum({ sql }: Connection, node: number, { count, sum }: Sum): void {
  sql("INSERT OR REPLACE INTO ranges VALUES (?, ?, ?)").run(node, count, hexOf(sum));
}

/** Sets these leaves' sums to those of the kept digests that stand in their records. */
export function recount(connection: Connection, leaves: ReadonlySet<number>): void {
  const changed = new Map<number, Sum>();
  for (const leaf of leaves) {
    changed.set(leaf, minus(standing(connection, leaf), readSum(connection, leaf)));
  }
  raise(connection, changed);
}

function standing({ sql }: Connection, leaf: number): Sum {
  const width = 2 ** (32 - LEAF_BITS);
  const from = (leaf - 2 ** LEAF_BITS) * width;
  const rows = sql(
    "SELECT lower(hex(digest)) AS digest FROM records WHERE range_key >= ? AND range_key < ?",
  ).all(from, from + width);
  return rows.reduce((sum, { digest }) => plus(sum, one(String(digest))), NO_SUM);
}
