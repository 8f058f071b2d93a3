import { z } from "zod";
import { failureDomainSchema } from "./domain.ts";

/** How a copy of an index is named among the targets of its gateway. */
export const INDEX_TARGET = "index:";

/**
 * A target that is not well in the eyes of a gateway: what the gateway's reflex knows, told to
 * whoever looks at it. A fact for detectors, and no verdict: a region with an ejected target lives.
 */
export const troubleSchema = z.strictObject({
  /**
   * As its gateway knows it: a runtime target's name, `gateway:<region>` for another region's, or
   * `index:<name>` for the region's copy of an index.
   */
  target: z.string(),
  /** Where it stands. */
  region: z.string(),
  /**
   * `capacity-loss` for a region's own target, `region-outage` for another region's gateway,
   * `index-corruption` for a copy of an index.
   */
  domain: failureDomainSchema,
  /**
   * Still asked though it fails; slow beside its own normal, and asked last where another may do
   * better; left alone; or any of these until one real request tries it.
   */
  standing: z.enum(["failing", "slow", "out", "trial"]),
  /** Since its first failure without a success behind it, in ms. */
  sinceMs: z.number(),
  /** Since its newest failure, in ms; absent where only its present standing is known. */
  seenAgoMs: z.number().optional(),
  /** In a row: each is longer than the one before. */
  ejections: z.int(),
  because: z.string(),
});
export type Trouble = z.infer<typeof troubleSchema>;
