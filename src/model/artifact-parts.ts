import { z } from "zod";
import { ANNOTATIONS, type Descriptor, descriptorSchema, MEDIA } from "./artifact.ts";

/** Manifests and indexes of other tools, and of Docker's older form: only what they name is read. */
const partsSchema = z.object({
  mediaType: z.string().optional(),
  artifactType: z.string().optional(),
  config: descriptorSchema.optional(),
  layers: z.array(descriptorSchema).default([]),
  manifests: z.array(descriptorSchema).optional(),
  subject: descriptorSchema.optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});

/** What a manifest or an index names. */
export interface ArtifactParts {
  readonly mediaType: string;
  readonly artifactType: string | undefined;
  /** Config and layers. */
  readonly blobs: readonly Descriptor[];
  /** undefined: an index. */
  readonly config: Descriptor | undefined;
  readonly layers: readonly Descriptor[];
  /** The manifests of an index; empty for a manifest. */
  readonly manifests: readonly Descriptor[];
  readonly subject: Descriptor | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
}

/** Reads a manifest or an index; null when the bytes are neither. */
export function partsOf(bytes: Uint8Array): ArtifactParts | null {
  const { data } = partsSchema.safeParse(jsonOf(bytes));
  if (data === undefined) return null;
  const { config, layers, manifests, subject, annotations } = data;
  if (config === undefined && manifests === undefined) return null;
  const blobs = config === undefined ? layers : [config, ...layers];
  return {
    mediaType: data.mediaType ?? (manifests === undefined ? MEDIA.manifest : MEDIA.index),
    // OCI 1.1: without one of its own, an artifact is known by the type of its config.
    artifactType: data.artifactType ?? config?.mediaType,
    // One blob may stand in two places, such as an empty config that is also the only layer.
    blobs: [...new Map(blobs.map((blob) => [blob.digest, blob])).values()],
    config,
    layers,
    manifests: manifests ?? [],
    subject,
    annotations,
  };
}

const MANIFEST_TYPES = [
  MEDIA.index,
  MEDIA.manifest,
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];

/** What may be asked for as a manifest, for `accept` headers. */
export const MANIFEST_ACCEPT = MANIFEST_TYPES.join(", ");

/** A manifest is small: registries refuse more, and it is read into memory whole. */
export const MOST_MANIFEST_BYTES = 4 * 1_048_576;

const COSIGN_TAG = /^sha256-[0-9a-f]{64}\.(sig|att|sbom)$/;
const REFERRERS_TAG = /^sha256-[0-9a-f]{64}$/;

/** Tag that lists the referrers of a digest in a registry without OCI 1.1's API for them. */
export function referrersTag(digest: string): string {
  return digest.replace(":", "-");
}

/** Tags under which cosign keeps what speaks of a digest: signatures, attestations, SBOMs. */
export function cosignTags(digest: string): string[] {
  return ["sig", "att", "sbom"].map((kind) => `${referrersTag(digest)}.${kind}`);
}

/** Whether a tag only says something of another digest, and is no name that a person gave. */
export function isReferringTag(tag: string): boolean {
  return COSIGN_TAG.test(tag) || REFERRERS_TAG.test(tag);
}

/** The tag that a descriptor carries: in a layout's index.json, and on what cosign's tags name. */
export function tagOf(descriptor: Pick<Descriptor, "annotations">): string | undefined {
  return descriptor.annotations?.[ANNOTATIONS.refName];
}

/** The descriptor of a referring manifest, as OCI 1.1 lists it. */
export function referrerOf(
  found: { readonly bytes: Uint8Array; readonly mediaType: string; readonly digest: string },
  tag?: string,
): Descriptor {
  const { bytes, mediaType, digest } = found;
  const parts = partsOf(bytes);
  const annotations = {
    ...parts?.annotations,
    ...(tag === undefined ? {} : { [ANNOTATIONS.refName]: tag }),
  };
  return {
    mediaType,
    digest,
    size: bytes.length,
    ...(parts?.artifactType === undefined ? {} : { artifactType: parts.artifactType }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
}

/** Each digest once (the one with a tag wins, as it says more), sorted. */
export function uniqueReferrers(found: readonly Descriptor[]): Descriptor[] {
  const byDigest = new Map<string, Descriptor>();
  for (const one of found) {
    if (!byDigest.has(one.digest) || tagOf(one) !== undefined) byDigest.set(one.digest, one);
  }
  return [...byDigest.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
}

export function isDigest(ref: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(ref);
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
