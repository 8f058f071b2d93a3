import type { Connection } from "./connection.ts";
import type { LeafSums } from "./leaf-sums.ts";
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

function readSum({ sql }: Connection, node: number): Sum {
  const row = sql("SELECT count, sum FROM ranges WHERE node = ?").get(node);
  return row === undefined ? NO_SUM : { count: Number(row.count), sum: BigInt(`0x${row.sum}`) };
}

function writeSum({ sql }: Connection, node: number, { count, sum }: Sum): void {
  sql("INSERT OR REPLACE INTO ranges VALUES (?, ?, ?)").run(node, count, hexOf(sum));
}

/** Sets these leaves' sums to those of the kept digests that `standing` gives. */
export function recount(
  connection: Connection,
  leaves: ReadonlySet<number>,
  standing: (leaf: number) => Sum,
): void {
  const changed = new Map<number, Sum>();
  for (const leaf of leaves) {
    changed.set(leaf, minus(standing(leaf), readSum(connection, leaf)));
  }
  raise(connection, changed);
}

/** All sums of an empty table `ranges`, whose name has this prefix. */
export function writeSums({ sql }: Connection, loaded: LeafSums, prefix: string): void {
  const insert = sql(`INSERT INTO ${prefix}ranges VALUES (?, ?, ?)`);
  for (const [node, { count, sum }] of ancestors(loaded.leaves())) {
    insert.run(node, count, hexOf(sum));
  }
}
