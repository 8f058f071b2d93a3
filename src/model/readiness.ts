import { z } from "zod";

/** One question asked of a region through its data path, and what came back. */
export const checkResultSchema = z.strictObject({
  name: z.string(),
  pass: z.boolean(),
  /** A sentence with the figures: what was expected, what was found. */
  evidence: z.string(),
  /** false: the workflow can do without, in a degraded mode. */
  required: z.boolean(),
  tookMs: z.number(),
});
export type CheckResult = z.infer<typeof checkResultSchema>;

/** Whether a region would serve a workflow correctly if it got the traffic now. */
export const readinessSchema = z.strictObject({
  region: z.string(),
  workflow: z.string(),
  ready: z.boolean(),
  because: z.string(),
  /** Wall clock, for people. */
  at: z.number(),
  checks: z.array(checkResultSchema),
});
export type Readiness = z.infer<typeof readinessSchema>;
