import { DEFAULT_SLOW, type SlowPolicy } from "../../model/reflex.ts";

/**
 * When a target is slow: policy only, like `ejection.ts`. It is compared with its own long-run
 * normal, since most of the time its peers are not asked and nothing is known of them; and with
 * what they take now, since a load that slows all of them is cured by none.
 */
export const SLOW_MEASURES = ["firstToken", "wholeAnswer", "pace"] as const;
/** `pace`: ms from one event of a stream to the next. */
export type SlowMeasure = (typeof SLOW_MEASURES)[number];

/** What one measure was in the long run, and in its newest window; times are monotonic ms. */
export interface Run {
  /** 0: unknown. */
  normalMs: number;
  /** The median of the newest whole window; 0: there is none. */
  nowMs: number;
  /** When that window ended. */
  nowAt: number;
  /** The window that is under way: when it began, and how many values it has. */
  since: number;
  count: number;
  /** How many windows were seen. */
  windows: number;
}

/** A short break of one second's requests is no slow-down, and few requests say nothing. */
const WINDOW_MS = 1_000;
const WINDOW_LEAST = 16;
/** So much a window moves what is normal, at most: tripling it takes minutes. */
const STEP = 0.005;
/** The first windows move it more: a target that was just started is slower than it will be. */
const FIRST_STEP = 0.2;
/** What a peer took longer ago than this says nothing about now. */
const FRESH_MS = 30_000;
/** Moving gains something when the other one takes half as long, or less. */
const WORTH = 2;
/** `least` is of a whole wait; of the pause between two events it is this part. */
const EVENTS = 20;

export function isSlow(
  ms: number,
  normalMs: number,
  measure: SlowMeasure,
  policy: SlowPolicy = DEFAULT_SLOW,
): boolean {
  return normalMs > 0 && ms > slowFromMs(normalMs, measure, policy);
}

/** From here on a value is slow: some times the normal one, and more by what a caller notices. */
export function slowFromMs(normalMs: number, measure: SlowMeasure, policy: SlowPolicy): number {
  const least = measure === "pace" ? policy.least / EVENTS : policy.least;
  return Math.max(normalMs * policy.times, normalMs + least);
}

/** Whether the window under way has enough to be judged. */
export function isFull({ since, count }: Run, now: number): boolean {
  return count >= WINDOW_LEAST && now - since >= WINDOW_MS;
}

/** So many of the newest values are a window's. */
export function windowOf({ count }: Run): number {
  return Math.min(count, 64);
}

/**
 * What is normal after one more window. It follows slowly and by small steps whose size does not
 * depend on the window's: ten times slower for a minute must not become normal in that minute.
 */
export function normalAfter({ normalMs, windows }: Run, windowMs: number): number {
  if (normalMs === 0) return windowMs;
  const step = Math.max(STEP, FIRST_STEP / (windows + 1));
  const most = normalMs * (1 + step);
  const least = normalMs / (1 + step);
  return Math.min(most, Math.max(least, windowMs));
}

/** Whether another one may well do better than `ms` in the same measure. */
export function mayDoBetter(peer: Run, ms: number, now: number): boolean {
  const known = isFresh(peer, now) ? peer.nowMs : peer.normalMs;
  return known === 0 || known * WORTH <= ms;
}

export function isFresh({ nowMs, nowAt }: Run, now: number): boolean {
  return nowMs > 0 && now - nowAt <= FRESH_MS;
}

/** Whether one request of this measure decides about a target that went for `slowBy`. */
export function isDecisive(measure: SlowMeasure, slowBy: SlowMeasure): boolean {
  // The first word may come in time of an answer that is then told ten times slower.
  return measure !== "firstToken" || slowBy === "firstToken";
}

export function slowWords(nowMs: number, normalMs: number, measure: SlowMeasure): string {
  return `it takes ${Math.round(nowMs)} ms ${WHAT[measure]} where ${Math.round(normalMs)} ms are usual for it`;
}

const WHAT: Readonly<Record<SlowMeasure, string>> = {
  firstToken: "to a first word",
  wholeAnswer: "for an answer",
  pace: "from word to word",
};
