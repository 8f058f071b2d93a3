import type { SlowPolicy } from "../../model/reflex.ts";
import type { Entry } from "./entry.ts";
import {
  isDecisive,
  isFresh,
  isFull,
  isSlow,
  mayDoBetter,
  normalAfter,
  type Run,
  type SlowMeasure,
  slowWords,
  windowOf,
} from "./slowness.ts";

/** What `slowness.ts` means for an entry: counts its values and keeps what is normal for it. */

/** Those asked beside it of whom something is to be had; `find` gives null for the others. */
export function peersOf(entry: Entry, find: (name: string) => Entry | null): readonly Entry[] {
  if (entry.peers.length <= 1) return NONE;
  return entry.peers
    .map(find)
    .filter((peer) => peer !== null)
    .filter(({ times }) => times !== entry.times);
}

const NONE: readonly Entry[] = [];

/**
 * Counts the value that was just added to its times. Gives why it is to be asked last, once a whole
 * window was slow and somebody else may do better; null otherwise.
 */
export function judgeWindow(
  entry: Entry,
  peers: readonly Entry[],
  measure: SlowMeasure,
  policy: SlowPolicy,
  now: number,
): string | null {
  const run = entry.runs[measure];
  if (run.count === 0) run.since = now;
  run.count += 1;
  if (!isFull(run, now)) return null;
  const { normalMs } = run;
  const slow = closed(entry, measure, policy, now);
  if (slow) entry.slowBy ??= measure;
  else if (entry.slowBy === measure) entry.slowBy = null;
  const better = peers.some(({ runs }) => mayDoBetter(runs[measure], run.nowMs, now));
  return slow && better ? slowWords(run.nowMs, normalMs, measure) : null;
}

/** Ends the window; whether it was slow. */
function closed(entry: Entry, measure: SlowMeasure, policy: SlowPolicy, now: number): boolean {
  const run = entry.runs[measure];
  run.nowMs = entry.times[measure].newestMedian(windowOf(run)) ?? 0;
  run.nowAt = now;
  run.count = 0;
  const slow = isSlow(run.nowMs, run.normalMs, measure, policy);
  run.normalMs = normalAfter(run, run.nowMs);
  run.windows += 1;
  return slow;
}

export type Trial = "back" | "undecided" | { readonly because: string };

/** What one request shows that tries one which was out, or slow. */
export function judgeTrial(
  entry: Entry,
  peers: readonly Entry[],
  measure: SlowMeasure,
  ms: number,
  policy: SlowPolicy,
  now: number,
): Trial {
  if (entry.slowBy === null) return "back";
  const run = entry.runs[measure];
  const peersMs = slowestOf(peers, measure, now);
  if (isSlow(ms, Math.max(run.normalMs, peersMs), measure, policy)) {
    return { because: slowWords(ms, run.normalMs, measure) };
  }
  if (!isDecisive(measure, entry.slowBy)) return "undecided";
  // Where the others take as long it was the load, which is normal for now: taken for its own fault
  // it would go and come for as long as the load lasts.
  if (isSlow(ms, run.normalMs, measure, policy)) run.normalMs = Math.min(ms, peersMs);
  for (const one of Object.values(entry.runs)) restart(one);
  return "back";
}

/** What it does from here on is judged apart from what it did before. */
function restart(run: Run): void {
  run.count = 0;
}

/** What the slowest of them takes now; 0 while nothing is known. */
function slowestOf(peers: readonly Entry[], measure: SlowMeasure, now: number): number {
  const known = peers.filter(({ runs }) => isFresh(runs[measure], now));
  return Math.max(0, ...known.map(({ runs }) => runs[measure].nowMs));
}
