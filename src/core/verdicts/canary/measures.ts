import type {
  CanaryFinding,
  CanaryMeasureName,
  CanaryState,
  CanaryThresholds,
} from "../../../model/canary.ts";
import type { Histogram } from "../../../model/outcomes.ts";
import { logOdds, signTest, upperBound } from "./odds.ts";
import {
  bucketsFor,
  countOf,
  countOutside,
  medianBucket,
  type ReleaseSample,
  shownMedian,
} from "./sample.ts";

/** Two releases side by side. */
export interface Pair {
  readonly old: ReleaseSample;
  readonly new: ReleaseSample;
  readonly thresholds: CanaryThresholds;
}

/**
 * Each measure's part of `falseAlarms`. They add up to 1, so that all of them together call a
 * release that is as good as the old one worse no more often than that. Golden answers get the most:
 * they alone say whether the answers are right.
 */
export const PART: Readonly<Record<CanaryMeasureName, number>> = {
  golden: 0.5,
  errors: 0.2,
  refusals: 0.1,
  latency: 0.1,
  length: 0.05,
  cost: 0.05,
};

/** A share of slow, odd or dear answers that is no more than this above the old one's is nothing. */
const OUTSIDE_ABOVE = 0.1;

/**
 * Golden questions, in pairs: the same question, both releases. What both answer rightly, or both
 * wrongly, says nothing; of the others a release as good as the old one loses no more than it wins,
 * so that each is a fair coin.
 */
export function compareGolden({ old, new: fresh, thresholds }: Pair): CanaryFinding {
  const both = [...old.golden].filter(([id]) => fresh.golden.has(id));
  const lost = both.filter(([id, right]) => right && fresh.golden.get(id) === false).length;
  const won = both.filter(([id, right]) => !right && fresh.golden.get(id) === true).length;
  const log = logOdds(lost, lost + won, 0.5);
  const proof = 1 / (thresholds.falseAlarms * PART.golden);
  const enough = both.length >= thresholds.questions;
  const state: CanaryState =
    log >= Math.log(proof)
      ? "worse"
      : lost - won > thresholds.golden * both.length
        ? "suspect"
        : enough
          ? "fine"
          : "unknown";
  const p = signTest(lost, lost + won);
  return {
    measure: "golden",
    state,
    old: { count: won, of: both.length },
    new: { count: lost, of: both.length },
    odds: shownOdds(log),
    proof,
    because: `of ${both.length} golden questions asked of both, ${lost} were lost and ${won} won${lost > 0 ? ` (sign test p = ${shownP(p)})` : ""}`,
  };
}

/** How one measure counts a release: so many bad of so many. */
interface Counted {
  readonly old: { readonly count: number; readonly of: number };
  readonly new: { readonly count: number; readonly of: number };
  /** By which the new share may be above the old one. */
  readonly above: number;
  readonly words: (old: string, fresh: string) => string;
}

const COUNTED: Readonly<
  Record<Exclude<CanaryMeasureName, "golden">, (pair: Pair) => Counted | null>
> = {
  errors: ({ old, new: fresh, thresholds }) => ({
    old: { count: old.errors, of: old.requests },
    new: { count: fresh.errors, of: fresh.requests },
    above: thresholds.errors,
    words: (before, now) => `${now} requests failed, ${before} before`,
  }),
  refusals: ({ old, new: fresh, thresholds }) => ({
    old: { count: old.refusals, of: old.requests },
    new: { count: fresh.refusals, of: fresh.requests },
    above: thresholds.refusals,
    words: (before, now) => `${now} requests were refused, ${before} before`,
  }),
  latency: ({ old, new: fresh, thresholds }) =>
    outside(old.latency, fresh.latency, thresholds.latency, {
      both: false,
      words: (median, before, now) =>
        `${now} answers took over ${thresholds.latency} times the old median of ${median} ms, ${before} before`,
    }),
  length: ({ old, new: fresh, thresholds }) =>
    outside(old.length, fresh.length, thresholds.length, {
      both: true,
      words: (median, before, now) =>
        `${now} answers are ${thresholds.length} times longer or shorter than the old median of ${median} tokens, ${before} before`,
    }),
  cost: ({ old, new: fresh, thresholds }) =>
    outside(old.cost, fresh.cost, thresholds.cost, {
      both: false,
      words: (median, before, now) =>
        `${now} answers cost over ${thresholds.cost} times the old median of ${median} tokens, ${before} before`,
    }),
};

/**
 * Amounts become counts: how many lie beyond a multiple of the old median. It needs no bell curve,
 * one giant outlier is one count, and "half of the answers are slow" is a sentence.
 */
function outside(
  old: Histogram,
  fresh: Histogram,
  ratio: number,
  how: { both: boolean; words: (median: string, old: string, fresh: string) => string },
): Counted | null {
  const median = medianBucket(old);
  if (median === null) return null;
  const top = median + bucketsFor(ratio);
  const bottom = how.both ? median - bucketsFor(ratio) : -1;
  return {
    old: { count: countOutside(old, top, bottom), of: countOf(old) },
    new: { count: countOutside(fresh, top, bottom), of: countOf(fresh) },
    above: OUTSIDE_ABOVE,
    words: (before, now) => how.words(shownMedian(old), before, now),
  };
}

export type CountedMeasure = keyof typeof COUNTED;
export const COUNTED_MEASURES: readonly CountedMeasure[] = [
  "errors",
  "refusals",
  "latency",
  "length",
  "cost",
];

/**
 * Half of the measure's part is spent on how high the old release's own share may truly be, half on
 * the proof that the new one's is above that.
 */
export function compareCounted(measure: CountedMeasure, pair: Pair): CanaryFinding {
  const counted = COUNTED[measure](pair);
  const miss = (pair.thresholds.falseAlarms * PART[measure]) / 2;
  const proof = 1 / miss;
  const least = pair.thresholds.requests;
  if (counted === null || counted.old.of === 0 || counted.new.of === 0) {
    const missing = counted?.old.of ? "new" : "old";
    const counts = { old: counted?.old ?? NONE, new: counted?.new ?? NONE };
    const because = nothingSeen(measure, missing);
    return { measure, state: "unknown", ...counts, odds: 1, proof, because };
  }
  const most = upperBound(counted.old.count, counted.old.of, miss) + counted.above;
  const log = most < 1 ? logOdds(counted.new.count, counted.new.of, most) : 0;
  const gap = counted.new.count / counted.new.of - counted.old.count / counted.old.of;
  const enough = counted.old.of >= least && counted.new.of >= least;
  return {
    measure,
    state:
      log >= Math.log(proof)
        ? "worse"
        : !enough
          ? "unknown"
          : gap > counted.above
            ? "suspect"
            : "fine",
    old: counted.old,
    new: counted.new,
    odds: shownOdds(log),
    proof,
    because: counted.words(shownShare(counted.old), shownShare(counted.new)),
  };
}

const NONE = { count: 0, of: 0 } as const;

function nothingSeen(measure: CountedMeasure, missing: string): string {
  const what =
    measure === "errors" || measure === "refusals" ? "requests" : `${measure} of answers`;
  return `no ${what} of the ${missing} release ${measure === "errors" || measure === "refusals" ? "were" : "was"} seen`;
}

function shownShare({ count, of }: { readonly count: number; readonly of: number }): string {
  return `${count} of ${of}`;
}

function shownP(p: number): string {
  return p < 0.0001 ? "< 0.0001" : p.toFixed(4).replace(/0+$/, "");
}

/** Above this it is certain for every purpose, and a number must stay one in JSON. */
const MOST_ODDS = 1e12;

function shownOdds(log: number): number {
  const odds = Math.min(MOST_ODDS, Math.exp(log));
  return Number(odds.toPrecision(3));
}
