/**
 * When a target is in doubt, and what a probe of it proves: policy only. A request that waits for a
 * dead target waits for nothing, but most silence is thinking. What tells the two apart is whether
 * the target's server answers anything at all.
 */

/** No silence shorter than this is a reason for doubt, in ms, however fast a target is. */
export const DOUBT_LEAST_MS = 250;
/** Times its own 95th percentile that one may be silent. */
const DOUBT_TIMES = 1.5;
/** While nothing is known of it. */
const DOUBT_COLD_MS = 1_000;

/** A probe is given some times what one took before, within these bounds. */
const PROBE_TIMES = 5;
const PROBE_LEAST_MS = 300;
const PROBE_MOST_MS = 1_000;

/** Between two probes of one target, at least; each further one in vain doubles it. */
const APART_MS = 1_000;
const APART_MOST_MS = 60_000;

/**
 * How a probe ended. `silent`: it was sent and nothing came; `unreached`: no connection in time;
 * `refused`: an error came, of whatever kind.
 */
export type ProbeEnd = "answered" | "silent" | "unreached" | "refused";

/** So long one may be silent before it is doubted. `p95Ms`: how long it mostly is; null: unknown. */
export function doubtMs(p95Ms: number | null): number {
  return p95Ms === null ? DOUBT_COLD_MS : Math.max(DOUBT_LEAST_MS, p95Ms * DOUBT_TIMES);
}

/** So long a probe is waited for. `usualMs`: what an answered one took; 0: none was yet. */
export function probeBoundMs(usualMs: number): number {
  if (usualMs === 0) return PROBE_MOST_MS;
  return Math.min(PROBE_MOST_MS, Math.max(PROBE_LEAST_MS, usualMs * PROBE_TIMES));
}

/**
 * Whether a probe that got no answer proves that nobody is there. One that met silence before it
 * could be sent does. One that was sent does only at a target that answered one before: some
 * servers answer one request at a time, and let the probe wait behind the work. A refusal does not:
 * somebody refused, and a server that is about to stop ends first what it has begun.
 */
export function proves(end: ProbeEnd, usualMs: number): boolean {
  return end === "unreached" || (end === "silent" && usualMs > 0);
}

/** When it may be probed next, in ms from now. `vain`: probes in a row that proved nothing. */
export function nextProbeMs(vain: number, random: number): number {
  return Math.min(APART_MOST_MS, APART_MS * 2 ** Math.min(vain, 10)) * (1 + random / 4);
}
