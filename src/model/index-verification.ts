import { z } from "zod";
import { indexFaultSchema, indexStandingSchema } from "./index-health.ts";
import { positionSchema } from "./position.ts";

/** What a whole look at one copy of an index gave. */
export const indexVerificationSchema = z.strictObject({
  region: z.string(),
  index: z.string(),
  position: positionSchema,
  standing: indexStandingSchema,
  fault: indexFaultSchema.nullable(),
  /** How many records and ranges are not as they were written; null when all are. */
  findings: z.string().nullable(),
  /** The comparison with the owner's sums (the owner's own: with another region's). */
  compared: z.strictObject({
    with: z.string().nullable(),
    /** false: one of the two was ahead, so that a difference says nothing. */
    level: z.boolean(),
    rounds: z.int(),
    bytes: z.int(),
    differing: z.int(),
    tookMs: z.number(),
    /** Why there was none. */
    error: z.string().nullable(),
  }),
  tookMs: z.number(),
});
export type IndexVerification = z.infer<typeof indexVerificationSchema>;

/** Whether a copy passed the acceptance gate when it was asked to. */
export const indexProofSchema = z.strictObject({
  accepted: z.boolean(),
  position: positionSchema,
  /** What was looked at and found; or which checks failed, and why. */
  because: z.string(),
});
export type IndexProof = z.infer<typeof indexProofSchema>;
