import { z } from "zod";
import { decisionSchema } from "./decision.ts";

export const STEP_KINDS = [
  "prove-readiness",
  "prove-index",
  "take-ownership",
  "freeze-index",
  "catch-up-index",
  "promote-index",
  "open-traffic",
  "confirm-acknowledged",
  "prove-traffic",
  "announce",
  "prefetch-release",
  "verify-release",
  "take-release",
  "activate-release",
  "prove-release",
  "bake-release",
  "record-release",
] as const;
export const stepKindSchema = z.enum(STEP_KINDS);
export type StepKind = z.infer<typeof stepKindSchema>;

/**
 * One step of a plan. The four sentences are what a person reads in the runbook; the executor runs
 * the code of `kind` with `regions` and `index`, and has no choice of its own.
 */
export const stepSchema = z.strictObject({
  id: z.string(),
  kind: stepKindSchema,
  /** Regions that the step acts on (readiness of each, open to all of them, …). */
  regions: z.array(z.string()),
  index: z.string().nullable(),
  precondition: z.string(),
  effect: z.string(),
  proof: z.string(),
  /** What puts it back, or `none` with the reason. */
  undo: z.string(),
  deadlineMs: z.number().positive(),
  /** How long the step watches before it is proven, in ms: of `bake-release` only. */
  waitMs: z.number().nonnegative().optional(),
});
export type Step = z.infer<typeof stepSchema>;

/** The immutable, ordered answer to a decision. It is also the runbook. */
export const planSchema = z.strictObject({
  id: z.string(),
  /** Plan that last moved this workflow; null for the first. */
  parent: z.string().nullable(),
  decision: decisionSchema,
  /**
   * Workflow that is moved; EVERY_WORKFLOW for a release's activation or rollback, and
   * `indexSubject` where an index alone is moved.
   */
  workflow: z.string(),
  /**
   * Ownership that the plan acts under: the epoch of its intent (of the index's ownership, where an
   * index alone is moved) when it was made, plus one.
   */
  epoch: z.int().positive(),
  /** Release that must serve afterwards. */
  release: z.string(),
  steps: z.array(stepSchema).min(1),
  createdAt: z.number(),
});
export type Plan = z.infer<typeof planSchema>;

/** Journal of a plan: written before each effect and after each proof. */
export const planStateSchema = z.strictObject({
  planId: z.string(),
  status: z.enum(["running", "undoing", "completed", "failed"]),
  /** Index of the step that runs, or that runs next. */
  next: z.int().min(0),
  steps: z.array(
    z.strictObject({
      id: z.string(),
      status: z.enum(["pending", "started", "done", "failed", "undone"]),
      /** Wall clock, for people and for RTA arithmetic; null until then. */
      startedAt: z.number().nullable(),
      endedAt: z.number().nullable(),
      /** The proof's finding, or the reason of the failure. */
      evidence: z.string(),
      /** Times that the effect was begun: above 1 after a crash in between. */
      attempts: z.int().min(0),
    }),
  ),
  because: z.string(),
});
export type PlanState = z.infer<typeof planStateSchema>;
