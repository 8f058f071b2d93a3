import { z } from "zod";
import type { Watermarks } from "./index-health.ts";
import { durationSchema } from "./units.ts";

/** In the spec: how old the pipeline's newest word may be before answers are stale. */
export const freshnessSpecSchema = z.strictObject({
  maxAge: durationSchema.describe(
    "How old the newest watermark of the pipeline may be before answers count as stale.",
  ),
  tenants: z
    .record(z.string(), durationSchema)
    .default({})
    .describe("The same for the own documents of single tenants, by name."),
});
export type FreshnessSpec = z.infer<typeof freshnessSpecSchema>;

/** What a workflow does with documents that are too old. */
export const stalePolicySchema = z.enum(["label", "no-retrieval", "refuse"]);

/** The audience of documents that everybody may see. */
export const PUBLIC_AUDIENCE = "public";

/**
 * Source time up to which the pipeline has sent all documents of one audience, in ms since 1970; 0
 * when it has never said so. Its word for all documents holds for each audience.
 */
export function vouchedFor({ all, tenants }: Watermarks, audience: string): number {
  return Math.max(all, Object.hasOwn(tenants, audience) ? (tenants[audience] ?? 0) : 0);
}

/** How old the documents of one audience may be, in ms. */
export function maxAgeFor({ maxAge, tenants }: FreshnessSpec, audience: string): number {
  return Object.hasOwn(tenants, audience) ? (tenants[audience] ?? maxAge) : maxAge;
}
