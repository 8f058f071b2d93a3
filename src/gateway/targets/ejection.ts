import type { SlowMeasure } from "./slowness.ts";

/**
 * When a target is left alone, for how long, and what is asked instead: policy only. Nothing here
 * knows a clock; `health.ts` remembers, and asks this file what it means.
 */
export interface EjectionPolicy {
  /** Failures in a row that eject. */
  readonly failures: number;
  /** So many requests in the window at least, before its share of failures means anything. */
  readonly windowLeast: number;
  readonly windowShare: number;
  /** Times the median of its peers that a target may take, */
  readonly slowFactor: number;
  /** and how many ms more than that median at least: of two fast ones, neither is an outlier. */
  readonly slowLeastMs: number;
  readonly firstMs: number;
  readonly longestMs: number;
}

export const EJECTION: EjectionPolicy = {
  failures: 3,
  windowLeast: 20,
  windowShare: 0.5,
  slowFactor: 5,
  slowLeastMs: 1_000,
  firstMs: 1_000,
  longestMs: 60_000,
};

/** What was seen of one target lately. */
export interface Seen {
  readonly failedInARow: number;
  readonly requests: number;
  readonly failures: number;
  /** Median time to its first byte that counts, in ms; null while too little is known. */
  readonly typicalMs: number | null;
}

/** Why a target shall be left alone. */
export interface Reason {
  /** It answers, but too late: in what. It is asked last then, and not left out. */
  readonly slow: SlowMeasure | null;
  /** In an operator's words. */
  readonly because: string;
}

/** Null when it shall not be left alone. */
export function reasonToEject(
  seen: Seen,
  peersTypicalMs: readonly number[],
  policy: EjectionPolicy,
): Reason | null {
  if (seen.failedInARow >= policy.failures) {
    return { slow: null, because: `${seen.failedInARow} failures in a row` };
  }
  const share = seen.failures / Math.max(1, seen.requests);
  if (seen.requests >= policy.windowLeast && share >= policy.windowShare) {
    const because = `${Math.round(share * 100)} % of ${seen.requests} requests failed`;
    return { slow: null, because };
  }
  const peers = median(peersTypicalMs);
  if (seen.typicalMs === null || peers === null) return null;
  const slow =
    seen.typicalMs > peers * policy.slowFactor && seen.typicalMs - peers > policy.slowLeastMs;
  const because = `it takes ${Math.round(seen.typicalMs)} ms where its peers take ${Math.round(peers)} ms`;
  return slow ? { slow: "firstToken", because } : null;
}

/**
 * How long, in ms: twice as long each time. `random` (0 to below 1) adds up to a quarter, or the
 * gateways of a region, which all saw the same fault, would all come back at once.
 */
export function ejectionMs(ejections: number, random: number, policy: EjectionPolicy): number {
  const doubled = policy.firstMs * 2 ** Math.min(ejections, 30);
  return Math.min(doubled, policy.longestMs) * (1 + random / 4);
}

/**
 * `in`: used. `slow`: asked last. `out`: left alone. `trial`: its period is over, one real request
 * shall try it.
 */
export type Standing = "in" | "slow" | "out" | "trial";

export interface Placed {
  readonly name: string;
  readonly standing: Standing;
  /** It asked to be left in peace for a while (429), and is asked last. */
  readonly busy: boolean;
}

export interface Order {
  /** Whom to ask, in turn; never empty for a group that is not. */
  readonly names: readonly string[];
  /** So many look dead that the fault is likelier ours: nobody is left out. */
  readonly distrusted: boolean;
}

/**
 * Whom to ask, in turn. At most a share of the group is left out, and above it nobody is: a fault
 * of our own network makes all targets look dead, and refusing to ask any would make it true.
 */
export function orderOf(group: readonly Placed[], atMost: number): Order {
  // All are well: the usual case, and every request's.
  if (group.every(({ standing, busy }) => standing === "in" && !busy))
    return { names: group.map(({ name }) => name), distrusted: false };
  const out = group.filter(({ standing }) => standing === "out");
  const distrusted = out.length > group.length * atMost;
  const asked = distrusted ? group : group.filter(({ standing }) => standing !== "out");
  // Stable: within equals, the spec's order is the operator's preference.
  const ranked = asked.toSorted((a, b) => rank(a) - rank(b));
  return { names: ranked.map(({ name }) => name), distrusted };
}

/**
 * One that is only tried keeps its place: coming back is the point, and costs one request. A slow
 * one answers, so it is asked before one that is dead, and by whomever all others failed.
 */
function rank({ standing, busy }: Placed): number {
  return (standing === "out" ? 4 : standing === "slow" ? 2 : 0) + (busy ? 1 : 0);
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
}
