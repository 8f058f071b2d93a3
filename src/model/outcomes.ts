import { z } from "zod";

/**
 * Amounts in buckets: index to count. A bucket's upper edge is 2^(index/4), so that it is 19 % wide:
 * fine enough to tell "half as long again", coarse enough that a window stays small for ever.
 */
export const histogramSchema = z.record(z.string().regex(/^\d{1,3}$/), z.int().nonnegative());
export type Histogram = z.infer<typeof histogramSchema>;

const BUCKETS_PER_DOUBLING = 4;
/** 2^31: no answer takes 24 days, or has two thousand million tokens. */
const MOST_BUCKET = 31 * BUCKETS_PER_DOUBLING;

/** The bucket of an amount that is not below 0. What is 1 or less goes into bucket 0. */
export function bucketOf(amount: number): number {
  if (!(amount > 1)) return 0;
  return Math.min(MOST_BUCKET, Math.ceil(BUCKETS_PER_DOUBLING * Math.log2(amount) - 1e-9));
}

/** The counts of several as one. */
export function mergedHistogram(histograms: readonly Histogram[]): Histogram {
  const all: Record<string, number> = {};
  for (const histogram of histograms) {
    for (const [bucket, amount] of Object.entries(histogram)) {
      all[bucket] = (all[bucket] ?? 0) + amount;
    }
  }
  return all;
}

/** The largest amount that a bucket holds. */
export function edgeOf(bucket: number): number {
  return 2 ** (bucket / BUCKETS_PER_DOUBLING);
}

/**
 * What became of the requests for one workflow that one region answered in one release: counted by
 * that region's own gateway, over the newest traffic of that release and at most some minutes of it.
 */
export const outcomeWindowSchema = z.strictObject({
  workflow: z.string(),
  region: z.string(),
  release: z.string(),
  /** Age of the oldest request counted here, and of the newest, in ms. */
  fromMsAgo: z.number(),
  toMsAgo: z.number(),
  requests: z.int().nonnegative(),
  /** Not answered, or cut in the middle. */
  errors: z.int().nonnegative(),
  /** Turned away by a policy of the release, or declined by the model. */
  refusals: z.int().nonnegative(),
  /** Of answered requests, in ms. */
  latency: histogramSchema,
  /** What of this came in the last half minute or so: what is true now, and not only before. */
  recent: z.strictObject({
    requests: z.int().nonnegative(),
    errors: z.int().nonnegative(),
    latency: histogramSchema,
  }),
  /** Tokens of an answer. */
  length: histogramSchema,
  /** Tokens of prompt and answer together: what an answer costs. */
  cost: histogramSchema,
});
export type OutcomeWindow = z.infer<typeof outcomeWindowSchema>;

/**
 * How a region answered the golden questions of one workflow in one release: ids of questions, each
 * in one list, by its newest answer. What was not answered at all says nothing of the release.
 */
export const goldenScoreSchema = z.strictObject({
  release: z.string(),
  right: z.array(z.string()),
  wrong: z.array(z.string()),
  unanswered: z.array(z.string()),
});
export type GoldenScore = z.infer<typeof goldenScoreSchema>;
