import { z } from "zod";
import { watermarksSchema } from "./index-health.ts";
import { positionSchema } from "./position.ts";

/** Media types of an index snapshot's parts. */
export const SNAPSHOT_MEDIA = {
  /** `artifactType` of its manifest. */
  snapshot: "application/vnd.tideover.index.snapshot.v1+json",
  config: "application/vnd.tideover.index.snapshot.config.v1+json",
  /** A layer: records, packed (core/reconcile/packed-records.ts). */
  records: "application/vnd.tideover.index.records.v1",
} as const;

/** A page of log entries between agents. */
export const ENTRIES_MEDIA = "application/vnd.tideover.index.entries.v1";

/**
 * How much of the traffic the first records of a snapshot answer. Both numbers grow from point to
 * point; what lies between two of them is on the line between them.
 */
export const heatSchema = z.strictObject({
  /** Documents in answers that were counted. */
  hits: z.int().min(0),
  /** Records that were hit at all, the most often hit first: they stand first in the layers. */
  ranked: z.int().min(0),
  curve: z.array(z.strictObject({ records: z.int(), share: z.number() })),
});
export type Heat = z.infer<typeof heatSchema>;
export const NO_HEAT: Heat = { hits: 0, ranked: 0, curve: [] };

/** The config of an index snapshot. */
export const indexSnapshotSchema = z.strictObject({
  format: z.literal(1),
  index: z.string(),
  position: positionSchema,
  /** Highest epoch that the index had seen. */
  epoch: z.int().min(0),
  watermarks: watermarksSchema,
  /** Embedding versions of the records, sorted. */
  embeddings: z.array(z.string()),
  records: z.int().min(0),
  heat: heatSchema,
});
export type IndexSnapshotConfig = z.infer<typeof indexSnapshotSchema>;
