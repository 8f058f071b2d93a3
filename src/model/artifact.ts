import { z } from "zod";

/**
 * OCI's shapes, as far as a release needs them: descriptors, image manifests and image indexes of
 * the image specification 1.1. Unknown members are kept out of our own manifests, but met in those
 * of others (a model artifact pushed by another tool), so reading lets them pass.
 */

export const MEDIA = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  /** Value of `tideover.type` on a release's index. */
  release: "application/vnd.tideover.release.v1+json",
  /** `artifactType` of the bundle's manifest. */
  bundle: "application/vnd.tideover.bundle.v1+json",
  bundleConfig: "application/vnd.tideover.bundle.config.v1+json",
  bundleFile: "application/vnd.tideover.bundle.file.v1",
  imageConfig: "application/vnd.oci.image.config.v1+json",
  simpleSigning: "application/vnd.dev.cosign.simplesigning.v1+json",
  /** The config of a manifest that needs none: the two bytes `{}`. */
  empty: "application/vnd.oci.empty.v1+json",
} as const;

export const ANNOTATIONS = {
  /**
   * What an index is. Not `artifactType`: widely used copies of `skopeo` drop it from an index and
   * from the descriptors in one, which makes another digest of the copy (ADR 0011).
   */
  type: "tideover.type",
  /** Which component of a region a descriptor in the release's index is for, such as `runtime`. */
  component: "tideover.component",
  /** What it is there: see Role. */
  role: "tideover.role",
  /** Path of a bundle's file, such as `prompts/assistant.md`: OCI tools write it back under this. */
  title: "org.opencontainers.image.title",
  /** Tag of a manifest in an image layout's index.json. */
  refName: "org.opencontainers.image.ref.name",
  version: "org.opencontainers.image.version",
  /** Base64 of the DER signature, on the layer of cosign's signature manifest. */
  signature: "dev.cosignproject.cosign/signature",
} as const;

/** What a descriptor in a release's index is: `model` is a CNCF ModelPack artifact. */
export type Role = "bundle" | "model" | "runtime-image";

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** `sha256:` and 64 lower-case hexadecimal digits: the one algorithm that every OCI tool has. */
export const ociDigestSchema = z
  .string()
  .regex(DIGEST, "is no digest; write sha256: and 64 hexadecimal digits");

const annotationsSchema = z.record(z.string(), z.string());

const platformSchema = z.looseObject({ architecture: z.string(), os: z.string() });

/** Which bytes are meant: their digest and size, and what they are. */
export const descriptorSchema = z.object({
  mediaType: z.string().min(1),
  digest: ociDigestSchema,
  /** Bytes. */
  size: z.int().nonnegative(),
  annotations: annotationsSchema.optional(),
  artifactType: z.string().optional(),
  platform: platformSchema.optional(),
});
export type Descriptor = z.infer<typeof descriptorSchema>;

export const imageManifestSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.literal(MEDIA.manifest).optional(),
  artifactType: z.string().optional(),
  config: descriptorSchema,
  layers: z.array(descriptorSchema),
  /** What this one speaks of: a signature's or an SBOM's subject (OCI 1.1 referrers). */
  subject: descriptorSchema.optional(),
  annotations: annotationsSchema.optional(),
});
export type ImageManifest = z.infer<typeof imageManifestSchema>;

export const imageIndexSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.literal(MEDIA.index).optional(),
  artifactType: z.string().optional(),
  manifests: z.array(descriptorSchema),
  subject: descriptorSchema.optional(),
  annotations: annotationsSchema.optional(),
});
export type ImageIndex = z.infer<typeof imageIndexSchema>;

/** Cosign keeps the signatures of `sha256:<hex>` under this tag, beside it. */
export function signatureTag(digest: string): string {
  return `${digest.replace(":", "-")}.sig`;
}
