import { z } from "zod";

/** What is wrong with a copy of an index; each kind has its own cure. */
export const INDEX_FAULTS = [
  /** Records are missing. */
  "loss",
  /** As many records as there should be, with other contents. */
  "corruption",
  /** The right records, but the approximate search does not find what an exact one does. */
  "graph-fault",
  /** Everything is found as the vectors say, and the vectors are of another model than asked with. */
  "embedding-skew",
  /** A caller would be shown what is not his to see. */
  "authorization",
] as const;
export const indexFaultKindSchema = z.enum(INDEX_FAULTS);
export type IndexFaultKind = z.infer<typeof indexFaultKindSchema>;

export const indexFaultSchema = z.strictObject({
  kind: indexFaultKindSchema,
  /** One sentence with the figures that show it. */
  because: z.string(),
});
export type IndexFault = z.infer<typeof indexFaultSchema>;

/**
 * Whether a copy may answer. `partial`: the hot part of a restore is in and answers, the rest is
 * on its way. `quarantined` and `restoring` answer nobody.
 */
export const indexStandingSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("whole") }),
  z.strictObject({ kind: z.literal("partial"), loaded: z.int(), total: z.int() }),
  z.strictObject({ kind: z.literal("restoring"), loaded: z.int(), total: z.int() }),
  z.strictObject({ kind: z.literal("quarantined"), because: z.string() }),
]);
export type IndexStanding = z.infer<typeof indexStandingSchema>;

/** How far the looking at one copy is. */
export const indexScrubSchema = z.strictObject({
  /** Time since every record had been looked at; null before the first time. */
  wholeAgoMs: z.number().nullable(),
  /** Records looked at in the pass under way. */
  records: z.int(),
  /** What was done about the last fault, or why nothing could be; null before the first. */
  cure: z.string().nullable(),
});
export type IndexScrub = z.infer<typeof indexScrubSchema>;

/** What an engine says of itself. */
export const indexFactsSchema = z.strictObject({
  /** Adapter's name: `sqlite`, `pgvector`, `lancedb`. */
  engine: z.string(),
  /** true: searches walk a graph or lists and may miss; recall must then be proven. */
  approximate: z.boolean(),
  /** Where tenants are kept apart. */
  tenantGuard: z.enum(["query", "row-level-security"]),
  /** What must be equal among copies of one engine: index kinds, parameters, policies, alias. */
  settings: z.record(z.string(), z.string()),
  /** Why this copy may not serve as it is set up, such as a role that ignores policies. */
  faults: z.array(z.string()),
});
export type IndexFacts = z.infer<typeof indexFactsSchema>;

/** Newest source time that the pipeline vouched for: of all documents, and of single tenants. */
export const watermarksSchema = z.strictObject({
  all: z.number(),
  tenants: z.record(z.string(), z.number()),
});
export type Watermarks = z.infer<typeof watermarksSchema>;
export const NO_WATERMARKS: Watermarks = { all: 0, tenants: {} };
