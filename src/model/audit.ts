import { z } from "zod";

/** One line of a region's audit log: what was asked by whom, and what exactly answered. */
export const auditRecordSchema = z.strictObject({
  at: z.number(),
  requestId: z.string(),
  region: z.string(),
  tenant: z.string().nullable(),
  workflow: z.string().nullable(),
  epoch: z.number().nullable(),
  snapshot: z.number(),
  mode: z.string().nullable(),
  releaseDigest: z.string(),
  promptVersion: z.string().nullable(),
  watermark: z.string().nullable(),
  /** `<index>;age=<seconds>`: the documents were older than promised. Absent when they were not. */
  stale: z.string().optional(),
  /** Documents put before the model, in order. */
  sources: z.array(z.string()),
  /** Region whose gateway took over, for a forwarded request. */
  forwardedTo: z.string().nullable(),
  target: z.string().nullable(),
  attempts: z.array(
    z.strictObject({ target: z.string(), outcome: z.string(), tookMs: z.number() }),
  ),
  status: z.number(),
  /** `complete`, `cut` (began and could not be finished), `refused`, `failed`, `abandoned`. */
  outcome: z.enum(["complete", "cut", "refused", "failed", "abandoned"]),
  promptTokens: z.number().nullable(),
  completionTokens: z.number().nullable(),
  tookMs: z.number(),
});
export type AuditRecord = z.infer<typeof auditRecordSchema>;
