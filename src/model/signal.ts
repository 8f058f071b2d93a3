import { z } from "zod";
import {
  indexFaultSchema,
  indexScrubSchema,
  indexStandingSchema,
  watermarksSchema,
} from "./index-health.ts";
import { goldenScoreSchema, outcomeWindowSchema } from "./outcomes.ts";
import { positionSchema } from "./position.ts";
import { restoreStateSchema } from "./restore.ts";
import { troubleSchema } from "./trouble.ts";

/** One of the things that a gateway asks, as that gateway sees it. */
const targetSubjectSchema = z.strictObject({
  /** Where the target stands. */
  region: z.string(),
  part: z.literal("target"),
  target: z.string(),
  /** Region of the gateway whose word it is. */
  gateway: z.string(),
});
export type TargetSubject = z.infer<typeof targetSubjectSchema>;

/** What was looked at: one part of one region, or one target of a gateway. */
export const subjectSchema = z.union([
  z.strictObject({ region: z.string(), part: z.enum(["gateway", "agent", "runtime"]) }),
  targetSubjectSchema,
]);
export type Subject = z.infer<typeof subjectSchema>;

/**
 * One observation by one observer. `at` is milliseconds on a monotonic clock: the observer's own in
 * a report, the reader's own once it was read (see core/signals), so that no wall clock, which may
 * jump, decides whether a region is dead.
 */
export const signalSchema = z.strictObject({
  observer: z.string(),
  /** Region the observer stands in; null when it stands outside every region. */
  observerRegion: z.string().nullable(),
  /** Counts up per observer: the pair (observer, seq) names one signal for ever. */
  seq: z.int(),
  subject: subjectSchema,
  at: z.number(),
  ok: z.boolean(),
  /** Why it failed, or what was seen: `connection refused`, `200 in 3 ms`. */
  detail: z.string(),
  latencyMs: z.number(),
  /** Of a target that is not well: how it stands, and which failure domain that speaks of. */
  trouble: troubleSchema
    .pick({ domain: true, standing: true, sinceMs: true, seenAgoMs: true, ejections: true })
    .optional(),
});
export type Signal = z.infer<typeof signalSchema>;

/** How one index stands in one region. */
export const indexStateSchema = z.strictObject({
  index: z.string(),
  position: positionSchema,
  /** Position of the owner when it was last asked; null before the first answer. */
  ownerPosition: positionSchema.nullable(),
  /** Source time between the owner's newest change and ours; 0 when level. */
  lagMs: z.number(),
  /** Time since the owner last answered. */
  ownerSeenAgoMs: z.number().nullable(),
  /** Changes that only this region had when it came back under a newer owner. */
  orphans: z.int(),
  error: z.string().nullable(),
  /** false: the copy could not be read at all, and `position` says nothing. */
  readable: z.boolean().optional(),
  /** Of a restore that is under way. */
  restore: restoreStateSchema.optional(),
  /** Absent (all four): this agent does not look, or its index cannot be read. */
  standing: indexStandingSchema.optional(),
  /** What is wrong with this copy; null when nothing is known to be. */
  fault: indexFaultSchema.nullable().optional(),
  watermarks: watermarksSchema.optional(),
  scrub: indexScrubSchema.optional(),
});
export type IndexState = z.infer<typeof indexStateSchema>;

/** What an agent writes to the store at each turn of its loop. */
export const regionReportSchema = z.strictObject({
  region: z.string(),
  observer: z.string(),
  seq: z.int(),
  /** The observer's monotonic clock when it wrote this, so that a reader can convert `at`. */
  monotonicNow: z.number(),
  /** The same moment on its wall clock, which may jump: for what is dated in source time only. */
  wallNow: z.number().optional(),
  signals: z.array(signalSchema),
  indexes: z.array(indexStateSchema),
  /** How this region answers the golden questions of each workflow, in each of its releases. */
  golden: z
    .array(z.strictObject({ workflow: z.string(), scores: z.array(goldenScoreSchema) }))
    .optional(),
  /** Snapshot that this region's gateway says it serves; null when it did not answer. */
  gateway: z
    .strictObject({
      number: z.int(),
      sinceMs: z.number(),
      lastError: z.string().nullable(),
      /** Digest of the release that it serves, and for how long; absent before its first snapshot. */
      release: z.string().optional(),
      releaseSinceMs: z.number().optional(),
      /** What became of the requests that it answered, by workflow and release. */
      outcomes: z.array(outcomeWindowSchema).optional(),
    })
    .nullable(),
});
export type RegionReport = z.infer<typeof regionReportSchema>;
