import { z } from "zod";
import { failureDomainSchema } from "./domain.ts";

export const decisionKindSchema = z.enum([
  "failover",
  "switchover",
  "failback",
  "activate",
  "rollback",
  "move-index",
  "degrade",
  "repair",
  "hold",
]);
export type DecisionKind = z.infer<typeof decisionKindSchema>;

/**
 * Stands where a decision or a plan names its workflow, and is about all of them: a release is
 * activated and rolled back whole. No workflow can be called so.
 */
export const EVERY_WORKFLOW = "*";

/** The same for what is about one index and moves no workflow: `index:handbook`. */
export function indexSubject(index: string): string {
  return `index:${index}`;
}

/** What to do about a workflow, with its reason and the alternatives that were refused. */
export const decisionSchema = z.strictObject({
  kind: decisionKindSchema,
  workflow: z.string(),
  domain: failureDomainSchema.nullable(),
  /**
   * Regions that stop serving, and those that serve afterwards. Both empty for a hold. Of
   * `move-index`: the region that owns the index, and the one that owns it afterwards.
   */
  from: z.array(z.string()),
  to: z.array(z.string()),
  /** Digest of the release that shall serve: of `activate` and `rollback` only. */
  release: z.string().optional(),
  /** Of `move-index` only. */
  index: z
    .strictObject({
      name: z.string(),
      /** true: the former owner is stopped and emptied first, so that nothing is lost. */
      drained: z.boolean(),
      /** What is known to be lost, in words; null: nothing. */
      loss: z.string().nullable(),
    })
    .optional(),
  because: z.string(),
  refused: z.array(z.strictObject({ alternative: z.string(), why: z.string() })),
});
export type Decision = z.infer<typeof decisionSchema>;
