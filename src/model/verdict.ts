import { z } from "zod";
import { failureDomainSchema } from "./domain.ts";

/** `unknown` never triggers anything destructive: not seeing is not the same as seeing it dead. */
export const healthSchema = z.enum(["healthy", "degraded", "failed", "unknown"]);
export type Health = z.infer<typeof healthSchema>;

export const witnessSchema = z.strictObject({
  observer: z.string(),
  observerRegion: z.string().nullable(),
  saw: z.string(),
});

/** What is true of one failure domain in one scope, and who says so. */
export const verdictSchema = z.strictObject({
  domain: failureDomainSchema,
  /** Region that it is about. */
  region: z.string(),
  health: healthSchema,
  /** Digest of the release that it is about: of `bad-release` only. */
  release: z.string().optional(),
  /** Index that it is about: of `index-corruption` and `stale-data` only. */
  index: z.string().optional(),
  /** Tenant whose own documents it is about: of `stale-data`; absent for all documents. */
  tenant: z.string().optional(),
  because: z.string(),
  witnesses: z.array(witnessSchema),
  /** How long the failing observations reach back, in ms; 0 unless failed or degraded. */
  failingForMs: z.number(),
});
export type Verdict = z.infer<typeof verdictSchema>;
