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

/** What a person asked the controllers to do about the release, in every region at once. */
export const releaseRequestSchema = z.strictObject({
  id: z.string(),
  /** `continue`: a bake that is not proven goes on by this person's word, in this one region. */
  kind: z.enum(["activate", "rollback", "continue"]),
  /** Release that shall serve; null: the controller chooses (rollback: the last good one). */
  release: z.string().nullable(),
  /** The asker has looked at what doubled, shrank or is gone beside the last good one, and means it. */
  acceptChanges: z.boolean().optional(),
  by: z.string(),
  at: z.number(),
});
export type ReleaseRequest = z.infer<typeof releaseRequestSchema>;

/** What a person asked the controllers to do about who owns an index. Traffic stays where it is. */
export const indexRequestSchema = z.strictObject({
  id: z.string(),
  index: z.string(),
  /** Region that shall own it; null: the controller chooses. */
  to: z.string().nullable(),
  /** Changes that only the present owner has may be lost: it cannot be asked for them. */
  acceptLoss: z.boolean().default(false),
  by: z.string(),
  at: z.number(),
});
export type IndexRequest = z.infer<typeof indexRequestSchema>;
