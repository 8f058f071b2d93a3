import { z } from "zod";

/**
 * Variables that a prompt's system text may use, as `{{tenant}}`. The gateway fills exactly these,
 * and a release that names another is refused, so that no customer ever reads a raw `{{name}}`.
 */
export const PROMPT_VARIABLES = {
  tenant: "name of the tenant that asks",
  workflow: "name of the workflow that answers",
  documents: "the retrieved documents, rendered one block each; empty without retrieval",
} as const satisfies Readonly<Record<string, string>>;

/** One prompt: a template with variables (see PROMPT_VARIABLES), and its version (a digest). */
export const promptSchema = z.strictObject({
  system: z.string().min(1),
  /** `sha256:` of `system`: what `x-tideover-prompt` announces. */
  version: z.string(),
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
  }),
  embedding: z
    .strictObject({
      id: z.string(),
      dimensions: z.int().positive(),
      fingerprint: z.string(),
    })
    .optional(),
  prompts: z.record(z.string(), promptSchema),
  policy: z.strictObject({
    /** Requests per minute that one tenant may send to one workflow, per gateway. */
    requestsPerMinute: z.int().positive(),
    maxOutputTokens: z.int().positive(),
  }),
});
export type Release = z.infer<typeof releaseSchema>;

const DIGEST = /^sha256:[0-9a-f]{8,64}$/;
const FINGERPRINT = /^[0-9a-f]{16}$/;
const FINGERPRINT_ADVICE =
  "is no fingerprint; write the 16 hexadecimal digits that a good copy gave";

/** `release.yaml`: a release without its prompts, which lie beside it in `prompts/`. */
export const releaseFileSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,62}$/, "is no name; write lower-case letters, digits and dashes")
    .meta({ examples: ["meridian"] }),
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
  }),
  embedding: z
    .strictObject({
      id: z.string().min(1),
      dimensions: z.int().positive(),
      fingerprint: z.string({ error: FINGERPRINT_ADVICE }).regex(FINGERPRINT, FINGERPRINT_ADVICE),
    })
    .optional(),
  policy: releaseSchema.shape.policy,
});
