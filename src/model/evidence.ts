import { z } from "zod";

/** One entry of the hash-chained record: nothing is done, or refused, without one. */
export const evidenceSchema = z.strictObject({
  seq: z.int().positive(),
  /** Wall clock in ms. */
  at: z.number(),
  kind: z.enum([
    "estate",
    "leadership",
    "signal",
    "verdict",
    "decision",
    "plan",
    "step",
    "snapshot",
    "announcement",
    "request",
  ]),
  workflow: z.string().nullable(),
  planId: z.string().nullable(),
  /** One sentence. */
  text: z.string(),
  data: z.record(z.string(), z.unknown()),
  /** `hash` of the entry before; 64 zeros for the first. */
  previous: z.string(),
  /** SHA-256 (hex) of the canonical JSON of all the other members. */
  hash: z.string(),
});
export type Evidence = z.infer<typeof evidenceSchema>;
