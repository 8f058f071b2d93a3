import { z } from "zod";

/** The six ways an AI platform fails, told apart because each has its own cure. */
export const FAILURE_DOMAINS = [
  "region-outage",
  "capacity-loss",
  "index-corruption",
  "provider-outage",
  "bad-release",
  "stale-data",
] as const;
export const failureDomainSchema = z.enum(FAILURE_DOMAINS);
export type FailureDomain = z.infer<typeof failureDomainSchema>;

/** What a request depends on, per region. */
export const COMPONENTS = [
  "runtime",
  "provider",
  "release",
  "index",
  "features",
  "pipeline",
  "sessions",
  "telemetry",
  "secrets",
] as const;
export const componentSchema = z.enum(COMPONENTS);
export type Component = z.infer<typeof componentSchema>;

/** What may be given up, in an order the workflow states; always announced to the caller. */
export const DEGRADED_MODES = [
  "smaller-model",
  "no-tools",
  "no-retrieval",
  "restricted",
  "approved-content",
] as const;
export const degradedModeSchema = z.enum(DEGRADED_MODES);
export type DegradedMode = z.infer<typeof degradedModeSchema>;
