import { z } from "zod";

/** What a person asked the controllers to do; deleted by the plan that answers it. */
export const operatorRequestSchema = z.strictObject({
  id: z.string(),
  kind: z.enum(["failover", "switchover", "failback"]),
  workflow: z.string(),
  /** Region that shall serve; null: the controller chooses (failback: the primary). */
  to: z.string().nullable(),
  by: z.string(),
  at: z.number(),
});
export type OperatorRequest = z.infer<typeof operatorRequestSchema>;
