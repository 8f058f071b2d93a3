import { leafOf } from "../core/reconcile/digest.ts";
import { LEAF_BITS } from "../model/record.ts";

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
