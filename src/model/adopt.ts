import { z } from "zod";

const columnSchema = z.string().min(1).max(63);

/**
 * A PostgreSQL table that somebody else writes, whose rows become an index's documents. The index
 * keeps them as its own: nobody could vouch for what others write under it.
 */
export const adoptSchema = z.strictObject({
  urlEnv: z
    .string()
    .regex(
      /^[A-Z_][A-Z0-9_]*$/,
      "is no variable name; write the name of an environment variable, such as DOCUMENTS_URL",
    )
    // writeOnly: a connection string written here by mistake must not be echoed into a log.
    .meta({ writeOnly: true, examples: ["DOCUMENTS_URL"] })
    .describe("Environment variable with the connection string of the table's database."),
  table: z
    .string()
    .regex(/^[^.]+(\.[^.]+)?$/, "is no table; write its name, or schema.table")
    .meta({ examples: ["public.documents"] })
    .describe("The table, with its schema when that is not public."),
  columns: z
    .strictObject({
      id: columnSchema.describe("Of any type; unique."),
      audience: columnSchema.describe("`public`, or the one tenant who may see the row."),
      title: columnSchema.describe("May be NULL."),
      text: columnSchema.describe("What a model is shown."),
      vector: columnSchema.describe("Of pgvector's type vector."),
      labels: columnSchema.optional().describe("Of type text[]; absent: no labels."),
      payload: columnSchema.optional().describe("Of type json or jsonb, objects; absent: none."),
      embedding: columnSchema.optional().describe("Names the version that made the vector."),
    })
    .describe("Which of its columns says what."),
  embedding: z
    .string()
    .min(1)
    .optional()
    .describe("Embedding version of every vector, where no column says it."),
  install: z
    .boolean()
    .default(false)
    .describe("true: the agent adds the triggers that note changes; false: an administrator did."),
});
export type AdoptSpec = z.infer<typeof adoptSchema>;
