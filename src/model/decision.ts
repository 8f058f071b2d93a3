import { z } from "zod";
import { failureDomainSchema } from "./domain.ts";

export const decisionKindSchema = z.enum([
  "failover",
  "switchover",
  "failback",
  "rollback",
  "degrade",
  "repair",
  "hold",
]);
export type DecisionKind = z.infer<typeof decisionKindSchema>;

/** What to do about a workflow, with its reason and the alternatives that were refused. */
export const decisionSchema = z.strictObject({
  kind: decisionKindSchema,
  workflow: z.string(),
  domain: failureDomainSchema.nullable(),
  /** Regions that stop serving, and those that serve afterwards. Both empty for a hold. */
  from: z.array(z.string()),
  to: z.array(z.string()),
  because: z.string(),
  refused: z.array(z.strictObject({ alternative: z.string(), why: z.string() })),
});
export type Decision = z.infer<typeof decisionSchema>;
