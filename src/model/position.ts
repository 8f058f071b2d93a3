import { z } from "zod";

/**
 * How far an index has applied its source. `digest` is the sum, modulo 2^128, of the digests of
 * all live records (32 hex digits): two copies at an equal `seq` with unequal `digest` have
 * diverged, and that is seen without reading a single record.
 */
export const positionSchema = z.strictObject({
  seq: z.int().min(0),
  digest: z.string(),
  /** Time that the source gave to the newest applied change, in ms since 1970; 0 when empty. */
  sourceTime: z.number(),
  /** Live records. */
  count: z.int().min(0),
});
export type Position = z.infer<typeof positionSchema>;

export const EMPTY_DIGEST = "0".repeat(32);
export const EMPTY_POSITION: Position = { seq: 0, digest: EMPTY_DIGEST, sourceTime: 0, count: 0 };
