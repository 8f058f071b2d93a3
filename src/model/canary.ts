import { z } from "zod";

/** What is compared between the new release and the old one. */
export const CANARY_MEASURES = [
  "golden",
  "errors",
  "refusals",
  "latency",
  "length",
  "cost",
] as const;
export const canaryMeasureSchema = z.enum(CANARY_MEASURES);
export type CanaryMeasureName = z.infer<typeof canaryMeasureSchema>;

/** When a new release is worse than the old one. Without a word of it, these hold. */
export const DEFAULT_CANARY = {
  falseAlarms: 0.01,
  requests: 20,
  questions: 24,
  golden: 0.05,
  errors: 0.02,
  refusals: 0.02,
  latency: 1.5,
  length: 2,
  cost: 1.5,
};

const share = z.number().min(0).max(1);
const ratio = z.number().min(1).max(100);

/** As it may stand in a release's evaluation; every part may be left out. */
export const canaryThresholdsSchema = z.strictObject({
  falseAlarms: z
    .number()
    .min(0.000001)
    .max(0.5)
    .default(DEFAULT_CANARY.falseAlarms)
    .describe("Most often that a release which is as good as the old one may be called worse."),
  requests: z
    .int()
    .min(1)
    .default(DEFAULT_CANARY.requests)
    .describe("Fewer requests than this, old or new, tell nothing."),
  questions: z
    .int()
    .min(1)
    .default(DEFAULT_CANARY.questions)
    .describe("Fewer golden questions than this, asked of both releases, tell nothing."),
  golden: share
    .default(DEFAULT_CANARY.golden)
    .describe("More golden answers lost than this share, on balance, are never passed."),
  errors: share
    .default(DEFAULT_CANARY.errors)
    .describe("Share of failed requests by which the new release may be above the old one."),
  refusals: share
    .default(DEFAULT_CANARY.refusals)
    .describe("Share of refused requests by which the new release may be above the old one."),
  latency: ratio
    .default(DEFAULT_CANARY.latency)
    .describe("An answer is slow when it takes this many times the old release's median."),
  length: ratio
    .default(DEFAULT_CANARY.length)
    .describe("An answer is odd when it is this many times longer or shorter than the old median."),
  cost: ratio
    .default(DEFAULT_CANARY.cost)
    .describe("An answer is dear when it takes this many times the old median of tokens."),
});
export type CanaryThresholds = z.infer<typeof canaryThresholdsSchema>;

/** `inconclusive` never acts: it waits, and then asks a person. */
export const canaryVerdictSchema = z.enum(["pass", "fail", "inconclusive"]);
export type CanaryVerdict = z.infer<typeof canaryVerdictSchema>;

/**
 * `worse` is proven. `suspect` looks worse and may be chance. `shared`: worse, and so is what still
 * runs the old release, or another failure explains it. `unknown`: too little was seen.
 */
export const canaryStateSchema = z.enum(["fine", "worse", "suspect", "shared", "unknown"]);
export type CanaryState = z.infer<typeof canaryStateSchema>;

const countedSchema = z.strictObject({ count: z.int(), of: z.int() });

export const canaryFindingSchema = z.strictObject({
  measure: canaryMeasureSchema,
  state: canaryStateSchema,
  /** How many of how many were bad. Of `golden`: right before and wrong now, and the other way. */
  old: countedSchema,
  new: countedSchema,
  /** How strongly this speaks against chance: 1 is not at all, 1,000 that it is a thousand to one. */
  odds: z.number(),
  /** Odds from which it counts as proven. */
  proof: z.number(),
  /** The figures, in a few words. */
  because: z.string(),
});
export type CanaryFinding = z.infer<typeof canaryFindingSchema>;

/** What the comparison of two releases came to, in one region, for one workflow. */
export const canaryResultSchema = z.strictObject({
  verdict: canaryVerdictSchema,
  /** One sentence. */
  because: z.string(),
  findings: z.array(canaryFindingSchema),
});
export type CanaryResult = z.infer<typeof canaryResultSchema>;
