import {
  bucketOf,
  edgeOf,
  type GoldenScore,
  type Histogram,
  mergedHistogram,
  type OutcomeWindow,
} from "../../../model/outcomes.ts";

/** What is known of one release, over all the windows and scores that speak of it. */
export interface ReleaseSample {
  readonly requests: number;
  readonly errors: number;
  readonly refusals: number;
  /** Milliseconds, tokens of answers, tokens of prompts and answers. */
  readonly latency: Histogram;
  readonly length: Histogram;
  readonly cost: Histogram;
  /** Golden questions, each once: true when its newest answer was right. */
  readonly golden: ReadonlyMap<string, boolean>;
}

export const NO_SAMPLE: ReleaseSample = {
  requests: 0,
  errors: 0,
  refusals: 0,
  latency: {},
  length: {},
  cost: {},
  golden: new Map(),
};

/** Windows of several regions added up. Of two answers to one question a wrong one counts. */
export function sampleOf(
  windows: readonly OutcomeWindow[],
  scores: readonly GoldenScore[] = [],
): ReleaseSample {
  const sum = (of: (window: OutcomeWindow) => number): number =>
    windows.reduce((total, window) => total + of(window), 0);
  return {
    requests: sum(({ requests }) => requests),
    errors: sum(({ errors }) => errors),
    refusals: sum(({ refusals }) => refusals),
    latency: mergedHistogram(windows.map(({ latency }) => latency)),
    length: mergedHistogram(windows.map(({ length }) => length)),
    cost: mergedHistogram(windows.map(({ cost }) => cost)),
    golden: goldenOf(scores),
  };
}

function goldenOf(scores: readonly GoldenScore[]): Map<string, boolean> {
  const answers = new Map<string, boolean>();
  for (const { right, wrong } of scores) {
    for (const id of right) if (answers.get(id) !== false) answers.set(id, true);
    for (const id of wrong) answers.set(id, false);
  }
  return answers;
}

export function countOf(histogram: Histogram): number {
  return Object.values(histogram).reduce((sum, count) => sum + count, 0);
}

/** The bucket that half of all amounts do not exceed; null when there are none. */
export function medianBucket(histogram: Histogram): number | null {
  const half = countOf(histogram) / 2;
  if (half === 0) return null;
  let seen = 0;
  for (const bucket of bucketsOf(histogram)) {
    seen += histogram[String(bucket)] ?? 0;
    if (seen >= half) return bucket;
  }
  return null;
}

/** How many amounts lie in buckets above `top`, or, given `bottom`, in buckets below that. */
export function countOutside(histogram: Histogram, top: number, bottom = -1): number {
  return bucketsOf(histogram)
    .filter((bucket) => bucket > top || bucket < bottom)
    .reduce((sum, bucket) => sum + (histogram[String(bucket)] ?? 0), 0);
}

/** Whole buckets between an amount and `ratio` times it. */
export function bucketsFor(ratio: number): number {
  return bucketOf(ratio);
}

/** The median for people. */
export function shownMedian(histogram: Histogram): string {
  const bucket = medianBucket(histogram);
  return bucket === null ? "none" : String(Math.round(edgeOf(bucket)));
}

function bucketsOf(histogram: Histogram): number[] {
  return Object.keys(histogram)
    .map(Number)
    .toSorted((a, b) => a - b);
}
