import { z } from "zod";

/** How the graph of an approximate search is built and walked; pgvector's own words and defaults. */
export const hnswSchema = z.strictObject({
  m: z.int().min(2).max(100).default(16).describe("Links of each record in each layer."),
  efConstruction: z
    .int()
    .min(4)
    .max(1_000)
    .default(64)
    .describe("Candidates that are looked at while a record is put in; at least twice m."),
  // pgvector's 40 would be fewer than a `topK` of 50 asks for.
  efSearch: z.int().min(1).max(1_000).default(100).describe("Candidates that a search keeps."),
  maxScanTuples: z
    .int()
    .min(1)
    .max(2_147_483_647)
    .default(20_000)
    .describe(
      "Records that a search walks over for a caller before it compares every one of his instead.",
    ),
});
export type HnswSpec = z.infer<typeof hnswSchema>;

/** What a region keeps its copies of indexes in, beside `needs`. */
export const indexEngineShape = {
  engine: z
    .enum(["sqlite", "pgvector", "lancedb"])
    .describe("What keeps the vectors: files of ours, PostgreSQL with pgvector, or Lance files."),
  folder: z
    .string()
    .min(1)
    .meta({ examples: ["/var/lib/tideover/lance", "s3://bucket/lance"] })
    .optional()
    .describe(
      "Folder of the Lance files, from the spec's on, or object storage (s3://BUCKET/PREFIX); each region and index has one of its own in it. Default: in the data folder.",
    ),
  urlEnv: z
    .string()
    .regex(
      /^[A-Z_][A-Z0-9_]*$/,
      "is no variable name; write the name of an environment variable, such as TIDEOVER_INDEX_URL",
    )
    // writeOnly: a connection string written here by mistake must not be echoed into a log.
    .meta({ writeOnly: true, examples: ["TIDEOVER_INDEX_URL"] })
    .optional()
    .describe(
      "Environment variable with the connection string of PostgreSQL. The string itself is never in the spec.",
    ),
  schema: z
    .string()
    .regex(
      /^(?!pg_)[a-z_][a-z0-9_]{0,29}$/,
      "is no schema; write lower-case letters, digits and _, at most 30, not pg_ at the start",
    )
    .optional()
    .describe("The schema of each index is this, _ and its name. Default: tideover."),
  reader: z
    .string()
    .min(1)
    .max(63)
    .optional()
    .describe("PostgreSQL role that searches run as. Default: tideover_reader."),
  hnsw: hnswSchema
    .optional()
    .describe("Given: searches walk a graph and may miss; absent: every record is compared."),
};
