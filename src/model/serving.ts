import { z } from "zod";
import { ociDigestSchema } from "./artifact.ts";
import { sizeSchema } from "./units.ts";

/** `>=0.8.0 <0.11`: comparators that must all hold. Numbers and dots only: no pre-releases. */
const RANGE = /^(?:(?:>=|<=|>|<|=)?\d+(?:\.\d+){0,2})(?: (?:>=|<=|>|<|=)?\d+(?:\.\d+){0,2})*$/;

const shape = {
  engine: z
    .strictObject({
      name: z
        .string()
        .min(1)
        .meta({ examples: ["vllm"] }),
      versions: z
        .string({ error: 'is no text; write it in quotes, such as ">=0.8.0 <0.11"' })
        .regex(RANGE, "is no range of versions; write comparators such as >=0.8.0 <0.11")
        .meta({ examples: [">=0.8.0 <0.11"] }),
    })
    .optional()
    .describe("What runs the model, and in which versions it was proven."),
  tokenizer: ociDigestSchema.optional().describe("Digest of the tokenizer's file."),
  chatTemplate: ociDigestSchema.optional().describe("Digest of the chat template's text."),
  precision: z
    .string()
    .min(1)
    .optional()
    .describe("Numbers that the weights are kept in, such as bfloat16, fp8 or awq-int4."),
  contextTokens: z.int().positive().optional().describe("Most tokens of prompt and answer."),
  promptTokens: z
    .int()
    .positive()
    .optional()
    .describe("Most tokens of a prompt of this release, before documents and the caller's words."),
  bytesPerToken: z
    .number()
    .min(1)
    .max(16)
    .default(3)
    .describe("How tokens are estimated: UTF-8 bytes of a text, divided by this."),
  tensorParallel: z.int().positive().optional().describe("GPUs that one copy is spread over."),
};

/** In `release.yaml`. Whatever it leaves out is not compared with any runtime. */
export const servingContractFileSchema = z.strictObject({
  ...shape,
  memoryPerGpu: sizeSchema.optional().describe("Least memory of each GPU, such as 80GiB."),
});

/** As judged: the memory in bytes. */
export const servingContractSchema = z.strictObject({
  ...shape,
  memoryPerGpu: z.number().positive().optional(),
});
export type ServingContract = z.infer<typeof servingContractSchema>;

/**
 * What a runtime says that it is, at `GET /tideover/runtime`. null: it has no such thing, or does
 * not know. A runtime of others does not answer there at all; its facts may come from elsewhere.
 */
export const runtimeFactsSchema = z.object({
  engine: z.object({ name: z.string(), version: z.string() }).nullable(),
  tokenizer: z.string().nullable(),
  chatTemplate: z.string().nullable(),
  precision: z.string().nullable(),
  contextTokens: z.number().nullable(),
  /** Memory of the smallest GPU, in bytes, and how many there are. */
  gpu: z.object({ memoryBytes: z.number(), count: z.int() }).nullable(),
  tensorParallel: z.number().nullable(),
});
export type RuntimeFacts = z.infer<typeof runtimeFactsSchema>;
