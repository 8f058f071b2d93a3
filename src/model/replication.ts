import { z } from "zod";
import { durationSchema } from "./units.ts";

const snapshots = {
  every: durationSchema
    .prefault("5m")
    .describe("Time between two snapshots of the owner's copy, if anything was written."),
  keep: z
    .int()
    .min(1)
    .max(100)
    .default(3)
    .describe("How many snapshots each region keeps. The log reaches back to the oldest of them."),
};

const rebuild = {
  rebuild: durationSchema
    .optional()
    .describe("How long a copy takes to come back, as measured: `tideover check` compares it."),
};

/** How the copies of an index are kept level, and how a lost one comes back. */
export const replicationSchema = z.discriminatedUnion(
  "strategy",
  [
    z.strictObject({
      strategy: z
        .literal("continuous")
        .describe("The stream alone: the log is kept whole, and a lost copy replays all of it."),
      ...rebuild,
    }),
    z.strictObject({
      strategy: z
        .literal("snapshot")
        .describe("The stream, and snapshots that a lost copy is restored from."),
      ...snapshots,
      ...rebuild,
    }),
    z.strictObject({
      strategy: z
        .literal("hot-subset")
        .describe("As snapshot; what callers really ask for is restored first."),
      ...snapshots,
      ...rebuild,
      hotShare: z
        .number()
        .gt(0)
        .lte(1)
        .default(0.99)
        .describe(
          "Share of the observed traffic that the hot part answers; new traffic also asks for what was never seen.",
        ),
      serveHot: z
        .boolean()
        .default(false)
        .describe("true: the hot part answers while the rest is restored. It finds nothing else."),
    }),
  ],
  { error: "is no strategy; write continuous, snapshot or hot-subset" },
);
export type ReplicationSpec = z.infer<typeof replicationSchema>;

/** What the spec says of snapshots; null where none are taken unasked. */
export function snapshotsOf(
  replication: ReplicationSpec,
): Extract<ReplicationSpec, { strategy: "snapshot" | "hot-subset" }> | null {
  return replication.strategy === "continuous" ? null : replication;
}
