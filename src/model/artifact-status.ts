import { z } from "zod";

const bytesSchema = z.object({
  total: z.number(),
  /** Of whole blobs. */
  present: z.number(),
  /** Kept of blobs that are not whole yet. */
  cached: z.number(),
  /** Of whole blobs whose digest this region has compared since its agent began. */
  verified: z.number(),
  missing: z.number(),
});
export type ArtifactBytes = z.infer<typeof bytesSchema>;

/** How one artifact stands in one region. */
export const heldArtifactSchema = z.object({
  digest: z.string(),
  /** Its tags in the source, when it was last asked. */
  names: z.array(z.string()),
  /** `refused`: it is here, and it is not what its digest says, or it cannot be copied. */
  state: z.enum(["missing", "copying", "present", "verified", "refused"]),
  /** null until it is known what it is made of. */
  bytes: bytesSchema.nullable(),
  /** Bytes a second, over the last seconds of the copy; null while nothing is copied. */
  rate: z.number().nullable(),
  /** Time until the rest is here, in ms; 0 when all is, null when nobody can say. */
  remainingMs: z.number().nullable(),
  /** Wall clock, ms; null when it was never compared as a whole. */
  verifiedAt: z.number().nullable(),
  /** Digests of signatures, SBOMs and the like that came with it. */
  referrers: z.array(z.string()),
  error: z.string().nullable(),
});
export type HeldArtifact = z.infer<typeof heldArtifactSchema>;

/** What a region has of the artifacts that it may need. */
export const artifactStatusSchema = z.object({
  /** Where they come from; null when the spec names no such place. */
  source: z.string().nullable(),
  /** Why the source could not be asked; null when it could. */
  error: z.string().nullable(),
  freeBytes: z.number().nullable(),
  artifacts: z.array(heldArtifactSchema),
});
export type ArtifactStatus = z.infer<typeof artifactStatusSchema>;
