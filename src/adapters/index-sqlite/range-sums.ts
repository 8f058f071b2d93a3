import { leafOf } from "../../core/reconcile/digest.ts";
import { LEAF_BITS } from "../../model/record.ts";
import type { Connection } from "./connection.ts";

/** Levels whose sums are kept, in bits. Between them, a level is added up from the next finer one. */
export const KEPT_LEVELS = [0, 8, LEAF_BITS] as const;

const MASK = (1n << 128n) - 1n;

export interface Sum {
  readonly count: number;
  readonly sum: bigint;
}

export const NO_SUM: Sum = { count: 0, sum: 0n };

export function plus(a: Sum, b: Sum): Sum {
  return { count: a.count + b.count, sum: (a.sum + b.sum) & MASK };
}

export function minus(a: Sum, b: Sum): Sum {
  return { count: a.count - b.count, sum: (a.sum - b.sum) & MASK };
}

/** A record's share in its range. */
export function one(digest: string): Sum {
  return { count: 1, sum: BigInt(`0x0${digest}`) };
}

export function hexOf(sum: bigint): string {
  return sum.toString(16).padStart(32, "0");
}

/** Number of a range in the tree of sums. */
export function nodeOf(prefix: number, bits: number): number {
  return 2 ** bits + prefix;
}

/** The kept nodes that a range key belongs to; the leaf is the last. */
export function leafNode(rangeKey: number): number {
  const { prefix, bits } = leafOf(rangeKey);
  return nodeOf(prefix, bits);
}

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

/** The leaves with all kept nodes above them. */
export function ancestors(leaves: ReadonlyMap<number, Sum>): Map<number, Sum> {
  const nodes = new Map<number, Sum>();
  for (const [leaf, sum] of leaves) {
    for (const bits of KEPT_LEVELS) {
      const node = Math.floor(leaf / 2 ** (LEAF_BITS - bits));
      nodes.set(node, plus(nodes.get(node) ?? NO_SUM, sum));
    }
  }
  return nodes;
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
