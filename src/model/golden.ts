import { z } from "zod";

/** A question with a known answer: asked of a region before it opens, judged by plain text search. */
export const goldenQuestionSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]*$/, "is no id; write lower-case letters, digits and dashes")
    .meta({ examples: ["acme-01-contract"] }),
  tenant: z.string().min(1).describe("Tenant that asks."),
  question: z.string().min(1),
  documents: z
    .array(z.string().min(1))
    .min(1)
    .describe("Ids of the documents that hold the answer: one of them must be found."),
  answer: z
    .string({ error: 'is no text; write it in quotes, such as "42 days"' })
    .min(1)
    .describe("Text that a right answer contains; upper and lower case are equal."),
});

/** A phrase that stands in one tenant's document only: seen by another tenant, isolation is broken. */
export const canarySchema = z.strictObject({
  tenant: z.string().min(1).describe("The one tenant who may see it."),
  document: z.string().min(1),
  phrase: z
    .string()
    .min(4, "is too short to be told from chance; write a made-up word of 8 letters"),
});

export const goldenSetSchema = z.strictObject({
  questions: z.array(goldenQuestionSchema).min(1),
  canaries: z.array(canarySchema).default([]),
});
export type GoldenQuestion = z.infer<typeof goldenQuestionSchema>;
export type Canary = z.infer<typeof canarySchema>;
export type GoldenSet = z.infer<typeof goldenSetSchema>;
