import { z } from "zod";
import { continuationSchema, deliverySchema } from "./continuation.ts";
import { degradedModeSchema } from "./domain.ts";
import { stalePolicySchema } from "./freshness.ts";
import { reflexSchema } from "./reflex.ts";
import { releaseSchema } from "./release.ts";

/** One upstream that can run the model. `keyEnv` names the variable with its API key. */
export const targetSchema = z.strictObject({
  name: z.string(),
  url: z.string(),
  model: z.string(),
  keyEnv: z.string().nullable(),
  /** How it goes on with a half-given answer; absent means `none`. */
  continuation: continuationSchema.optional(),
  /** Path below the URL at which it is asked for a sign of life, or `none`; absent: /v1/models. */
  probe: z.string().optional(),
});

export const workflowRouteSchema = z.strictObject({
  epoch: z.int().positive(),
  /** Regions that answer it; a gateway elsewhere forwards to the first that answers. */
  serving: z.array(z.string()).min(1),
  /** Mode ordered by the control plane for everyone; null for none. */
  mode: degradedModeSchema.nullable(),
  degradedModes: z.array(degradedModeSchema),
  prompt: z.string().nullable(),
  retrieval: z
    .strictObject({
      index: z.string(),
      topK: z.int(),
      required: z.boolean(),
      /** How old the pipeline's newest word may be, in ms; absent: nobody judges it. */
      freshness: z
        .strictObject({
          maxAge: z.number(),
          tenants: z.record(z.string(), z.number()),
          stale: stalePolicySchema,
        })
        .optional(),
    })
    .nullable(),
  deadlineMs: z.number(),
  /** Ask a second target when the first is slow. */
  hedge: z.boolean().default(false),
  /** The one target for contexts too long for the others. */
  longContext: z.string().nullable().default(null),
  /** `complete`: nothing of a streamed answer is told before it is whole. Absent means `stream`. */
  delivery: deliverySchema.optional(),
});

/**
 * A release as a snapshot carries it: what is served, and what it can be verified by. A gateway
 * verifies its region's own before it serves it (gateway/verify-release.ts).
 */
export const carriedReleaseSchema = z.strictObject({
  body: releaseSchema,
  /** Cosign's signatures of the digest: the signed text, and the signature in base64. */
  signatures: z.array(z.strictObject({ payload: z.string(), signature: z.string() })),
  /** The blobs that the digest is made of, base64 by digest; empty where it is the body's own. */
  parts: z.record(z.string(), z.string()),
});
export type CarriedRelease = z.infer<typeof carriedReleaseSchema>;

/** A release under the digest that it is offered as. */
export interface OfferedRelease extends CarriedRelease {
  readonly digest: string;
}

/**
 * All that a gateway needs to serve, as one immutable value with a number that only grows. A
 * gateway never asks anyone anything else, which is why it outlives every controller and store.
 */
export const snapshotSchema = z.strictObject({
  estate: z.string(),
  number: z.int().positive(),
  /** Wall clock, for people. */
  issuedAt: z.number(),
  because: z.string(),
  /** By digest: every release that a region below names. */
  releases: z.record(z.string(), carriedReleaseSchema),
  maxBodyBytes: z.number(),
  reflex: reflexSchema,
  regions: z.record(
    z.string(),
    z.strictObject({
      gateway: z.string().describe("Base URL."),
      jurisdiction: z.string(),
      /**
       * Digest of the release that this region serves, `none` in an estate without one. Each region
       * has its own: an activation moves region by region.
       */
      release: z.string(),
      targets: z.array(targetSchema),
    }),
  ),
  workflows: z.record(z.string(), workflowRouteSchema),
  tenants: z.record(
    z.string(),
    z.strictObject({
      keys: z.array(z.string()),
      /** Access labels that it holds; absent: none. */
      labels: z.array(z.string()).optional(),
    }),
  ),
});
export type Snapshot = z.infer<typeof snapshotSchema>;
export type WorkflowRoute = z.infer<typeof workflowRouteSchema>;
export type Target = z.infer<typeof targetSchema>;

/** `payload` is the snapshot's canonical JSON; the signature is Ed25519 over its UTF-8 bytes. */
export const signedSnapshotSchema = z.strictObject({
  payload: z.string(),
  /** First 16 hex digits of the SHA-256 of the public key (SPKI, DER). */
  keyId: z.string(),
  signature: z.string().describe("Base64."),
});
export type SignedSnapshot = z.infer<typeof signedSnapshotSchema>;
