import { z } from "zod";
import { MEDIA, ociDigestSchema } from "./artifact.ts";
import { behaviourSchema } from "./behaviour.ts";
import { canaryThresholdsSchema } from "./canary.ts";
import { servingContractFileSchema, servingContractSchema } from "./serving.ts";

/**
 * Variables that a prompt's system text may use, as `{{tenant}}`. The gateway fills exactly these,
 * and a release that names another is refused, so that no customer ever reads a raw `{{name}}`.
 */
export const PROMPT_VARIABLES = {
  tenant: "name of the tenant that asks",
  workflow: "name of the workflow that answers",
  documents: "the retrieved documents, rendered one block each; empty without retrieval",
} as const satisfies Readonly<Record<string, string>>;

/** What each of them is: a text stands anywhere, documents are blocks on lines of their own. */
export const VARIABLE_TYPES: Readonly<Record<keyof typeof PROMPT_VARIABLES, "text" | "documents">> =
  {
    tenant: "text",
    workflow: "text",
    documents: "documents",
  };

/** One prompt: a template with variables (see PROMPT_VARIABLES), and its version (a digest). */
export const promptSchema = z.strictObject({
  system: z.string().min(1),
  /** `sha256:` of `system`: what `x-tideover-prompt` announces. */
  version: z.string(),
});

const nameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,62}$/, "is no name; write lower-case letters, digits and dashes");

const limitsSchema = z.strictObject({
  requestsPerMinute: z.int().positive(),
  maxOutputTokens: z.int().positive(),
});

/** An artifact that a region must have before it can serve: by digest, so that no tag can move. */
const artifactSchema = z.strictObject({
  digest: ociDigestSchema.meta({ examples: [`sha256:${"0".repeat(64)}`] }),
  size: z.int().positive().describe("Bytes of its manifest, as the registry says them."),
  mediaType: z
    .enum([MEDIA.manifest, MEDIA.index])
    .default(MEDIA.manifest)
    .describe("What its digest is of: a manifest, or an index of several platforms."),
});

const artifactsSchema = z.strictObject({
  model: artifactSchema.optional().describe("The weights, as a CNCF ModelPack artifact."),
  image: artifactSchema.optional().describe("The container image that runs them."),
});

/** By component. */
const artifactsByComponentSchema = z.strictObject({ runtime: artifactsSchema.optional() });

/** `routes/<workflow>.yaml`: how one workflow asks its model. */
export const routeFileSchema = z.strictObject({
  workflow: nameSchema.describe("The workflow, as in the spec: also the name of this file."),
  prompt: z.string().min(1).optional().describe("Prompt of this release that it uses."),
  parameters: z
    .strictObject({
      temperature: z.number().min(0).max(2).optional(),
      top_p: z.number().min(0).max(1).optional(),
      seed: z.int().optional(),
    })
    .optional()
    .describe("Sent to the model wherever the caller says nothing else."),
  maxOutputTokens: z.int().positive().optional().describe("Most tokens of an answer."),
});

/** `policies/<name>.yaml`: what the workflows that it names refuse, and whom they limit. */
export const policyFileSchema = z.strictObject({
  name: nameSchema.describe("Also the name of this file."),
  workflows: z
    .array(nameSchema)
    .min(1)
    .optional()
    .describe("Workflows that it holds for. Absent: all of them."),
  safety: z
    .array(
      z.strictObject({
        name: nameSchema.describe("Named to the caller whose request is refused."),
        phrases: z
          .array(z.string().min(3))
          .min(1)
          .describe("A request that contains one is refused; upper and lower case are equal."),
      }),
    )
    .optional()
    .describe("Safety filters over what callers write."),
  tools: z
    .strictObject({ allow: z.array(z.string().min(1)) })
    .optional()
    .describe("Tools that a request may offer to the model. Absent: all of them."),
  tenants: z
    .record(nameSchema, limitsSchema.partial())
    .optional()
    .describe("Limits of single tenants, in place of the release's own."),
});
export type ReleasePolicy = z.infer<typeof policyFileSchema>;

/** `evaluation.yaml`: by what a new release is judged against the old one. */
export const evaluationFileSchema = z.strictObject({
  golden: z
    .strictObject({
      digest: ociDigestSchema.describe("Digest of the golden questions that it was judged by."),
      minimum: z.number().min(0).max(1).default(0.9).describe("Share that must be answered right."),
    })
    .optional(),
  canary: canaryThresholdsSchema
    .optional()
    .describe("How much worse than the old release it may be."),
});

/**
 * What must be identical in every region that serves: one value, one digest. Activated and
 * rolled back whole, so that no region can run new prompts over old routes.
 */
export const releaseSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  model: z.strictObject({
    id: z.string(),
    /** Digest of the artifact that the runtime must have loaded. */
    digest: z.string(),
    /** What the model answers to the fingerprint prompt, digested: names lie, behaviour does not. */
    fingerprint: z.string(),
    /** Its log-probabilities on some short questions: words lie, too, where weights are quantized. */
    behaviour: behaviourSchema.optional(),
  }),
  embedding: z
    .strictObject({
      id: z.string(),
      dimensions: z.int().positive(),
      fingerprint: z.string(),
      /** Generation of the index's records that it may query; see `embeddingVersion`. */
      generation: z.string().optional(),
    })
    .optional(),
  /** What a region's runtime must be, beside having the model. */
  contract: servingContractSchema.optional(),
  artifacts: artifactsByComponentSchema.optional(),
  prompts: z.record(z.string(), promptSchema),
  policy: z.strictObject({
    /** Requests per minute that one tenant may send to one workflow, per gateway. */
    requestsPerMinute: z.int().positive(),
    maxOutputTokens: z.int().positive(),
  }),
  /** By workflow. */
  routes: z.record(z.string(), routeFileSchema).optional(),
  /** By name. */
  policies: z.record(z.string(), policyFileSchema).optional(),
  evaluation: evaluationFileSchema.optional(),
});
export type Release = z.infer<typeof releaseSchema>;

/**
 * The version that marks a vector and its record. Vectors of one model are cut off from each other
 * by a generation where the texts they were made of differ, as after a new way of splitting them.
 */
export function embeddingVersion(embedding: {
  readonly id: string;
  readonly generation?: string | undefined;
}): string {
  const { id, generation } = embedding;
  return generation === undefined ? id : `${id}@${generation}`;
}

const DIGEST = /^sha256:[0-9a-f]{8,64}$/;
const FINGERPRINT = /^[0-9a-f]{16}$/;
const FINGERPRINT_ADVICE =
  "is no fingerprint; write the 16 hexadecimal digits that a good copy gave";

/** `release.yaml`: a release without the files beside it, of which `prompts/` must be there. */
export const releaseFileSchema = z.strictObject({
  name: nameSchema.meta({ examples: ["meridian"] }),
  version: z
    .string({ error: 'is no text; write it in quotes, such as "1.0.0"' })
    .min(1)
    .meta({ examples: ["1.0.0"] }),
  model: z.strictObject({
    id: z.string().min(1),
    digest: z
      .string()
      .regex(DIGEST, "is no digest; write sha256: and 8 to 64 hexadecimal digits")
      .meta({ examples: ["sha256:0a1b2c3d"] }),
    fingerprint: z.string({ error: FINGERPRINT_ADVICE }).regex(FINGERPRINT, FINGERPRINT_ADVICE),
    behaviour: behaviourSchema
      .optional()
      .describe("Log-probabilities of a good copy; `tideover release fingerprint` writes them."),
  }),
  embedding: z
    .strictObject({
      id: z.string().min(1),
      dimensions: z.int().positive(),
      fingerprint: z.string({ error: FINGERPRINT_ADVICE }).regex(FINGERPRINT, FINGERPRINT_ADVICE),
      generation: z
        .string({ error: 'is no text; write it in quotes, such as "2026-01"' })
        .regex(/^[a-z0-9][a-z0-9.-]*$/, "is no generation; write letters, digits, dots and dashes")
        .optional()
        .describe(
          "Generation of the index's records that it may query. Absent: those without one.",
        ),
    })
    .optional(),
  contract: servingContractFileSchema
    .optional()
    .describe("What a region's runtime must be, beside having the model."),
  artifacts: artifactsByComponentSchema
    .optional()
    .describe("What a region must have before it can serve, by component."),
  policy: releaseSchema.shape.policy,
});

/** The head of `prompts/<name>.md`. */
export const promptHeadSchema = z.strictObject({
  name: z.string().min(1).describe("Name of the prompt, as workflows say it."),
  description: z.string().optional().describe("One sentence for people."),
  variables: z
    .record(z.string(), z.enum(["text", "documents"]))
    .optional()
    .describe("Variables that its text uses, with their types. Absent: they are not declared."),
});
