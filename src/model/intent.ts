import { z } from "zod";
import { degradedModeSchema } from "./domain.ts";

/**
 * Who serves a workflow, by whose authority. The epoch grows with every change of ownership and is
 * compared in the same write that changes it: an actor with an older one is refused.
 */
export const intentSchema = z.strictObject({
  workflow: z.string(),
  epoch: z.int().positive(),
  /** Never empty: the last serving region is never removed. */
  serving: z.array(z.string()).min(1),
  mode: degradedModeSchema.nullable(),
  /** Plan that holds the workflow while it moves; null at rest. */
  movingBy: z.string().nullable(),
  because: z.string(),
  /** Wall clock of the last change, for people. */
  since: z.number(),
});
export type Intent = z.infer<typeof intentSchema>;

/** Which region's pipeline may write an index. */
export const ownershipSchema = z.strictObject({
  index: z.string(),
  epoch: z.int().positive(),
  region: z.string(),
  /** true while a planned move drains it: even the owner refuses writes. */
  frozen: z.boolean(),
});
export type Ownership = z.infer<typeof ownershipSchema>;

/** In the store while a plan moves an index alone: no other plan shall do so meanwhile. */
export const indexHoldSchema = z.strictObject({ index: z.string(), plan: z.string() });
export type IndexHold = z.infer<typeof indexHoldSchema>;
