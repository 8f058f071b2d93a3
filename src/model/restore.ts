import { z } from "zod";

/** How far a restore is. */
export const restoreStateSchema = z.strictObject({
  /** Digest of the snapshot that is being restored; null while one is being looked for. */
  snapshot: z.string().nullable(),
  loaded: z.int(),
  total: z.int(),
  /**
   * Share of the observed traffic whose documents are in already; null when no traffic was counted
   * when the snapshot was taken. Whether they answer, the standing says.
   */
  servable: z.number().nullable(),
});
export type RestoreState = z.infer<typeof restoreStateSchema>;
