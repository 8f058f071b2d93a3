import { canonicalJson, sha256 } from "../../lib/canonical.ts";
import {
  ANNOTATIONS,
  type Descriptor,
  type ImageIndex,
  type ImageManifest,
  MEDIA,
  type Role,
} from "../../model/artifact.ts";
import type { ReleaseDigest } from "../../model/ids.ts";
import type { Release } from "../../model/release.ts";
import { bodyOf, bytesOf, type ReleaseFile, sortedByPath } from "./files.ts";

export interface BuiltManifest {
  readonly digest: string;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** A release as an OCI artifact, whole: write blobs first, then manifests, then the index. */
export interface BuiltRelease {
  readonly digest: ReleaseDigest;
  readonly index: Buffer;
  /** The bundle's manifest. Models and images are named by the index, and lie where they lie. */
  readonly manifests: readonly BuiltManifest[];
  /** Config and files, each content once. */
  readonly blobs: readonly { readonly descriptor: Descriptor; readonly bytes: Buffer }[];
  readonly files: readonly ReleaseFile[];
  readonly body: Release;
}

/**
 * Turns a release's files into an OCI image index, its bundle manifest and blobs. The same files
 * give the same bytes on every machine: there is no time in them, no user, no path, no order of
 * directories. Throws RELEASE_INVALID for files that are no release.
 */
export function buildRelease(files: readonly ReleaseFile[]): BuiltRelease {
  const ordered = sortedByPath(files);
  const body = bodyOf(ordered);
  const config = blob(MEDIA.bundleConfig, Buffer.from(canonicalJson(configOf(body))));
  const layers = ordered.map((file) =>
    blob(MEDIA.bundleFile, bytesOf(file), { [ANNOTATIONS.title]: file.path }),
  );
  const bundle = manifestBytes(config.descriptor, layers);
  const index = Buffer.from(canonicalJson(indexOf(body, bundle)));
  const blobs = new Map([config, ...layers].map((one) => [one.descriptor.digest, one]));
  return {
    digest: sha256(index),
    index,
    manifests: [{ digest: sha256(bundle), mediaType: MEDIA.manifest, bytes: bundle }],
    blobs: [...blobs.values()],
    files: ordered,
    body,
  };
}

/** Every part by its digest, as `readParts` takes them. */
export function partsOf({ digest, index, manifests, blobs }: BuiltRelease): Map<string, Buffer> {
  return new Map([
    [digest, index],
    ...manifests.map(({ digest, bytes }) => [digest, bytes] as const),
    ...blobs.map(({ descriptor, bytes }) => [descriptor.digest, bytes] as const),
  ]);
}

/** What a registry shows of a release without its files: the facts, not the texts. */
export function configOf(body: Release): Omit<Release, "prompts" | "routes" | "policies"> {
  const { prompts: _prompts, routes: _routes, policies: _policies, ...facts } = body;
  return facts;
}

function manifestBytes(
  config: Descriptor,
  layers: readonly { readonly descriptor: Descriptor }[],
): Buffer {
  const manifest: ImageManifest = {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    artifactType: MEDIA.bundle,
    config,
    layers: layers.map(({ descriptor }) => descriptor),
  };
  return Buffer.from(canonicalJson(manifest));
}

function indexOf(body: Release, bundle: Buffer): ImageIndex {
  const own: Descriptor = {
    mediaType: MEDIA.manifest,
    digest: sha256(bundle),
    size: bundle.length,
    annotations: rolesOf("release", "bundle"),
  };
  return {
    schemaVersion: 2,
    mediaType: MEDIA.index,
    manifests: [own, ...artifactsOf(body)],
    annotations: {
      [ANNOTATIONS.title]: body.name,
      [ANNOTATIONS.version]: body.version,
      [ANNOTATIONS.type]: MEDIA.release,
    },
  };
}

/** What else a region needs, in the order of component and role, not in that of the file. */
function artifactsOf({ artifacts = {} }: Release): Descriptor[] {
  const { model, image } = artifacts.runtime ?? {};
  return [
    ...(model ? [{ ...model, annotations: rolesOf("runtime", "model") }] : []),
    ...(image ? [{ ...image, annotations: rolesOf("runtime", "runtime-image") }] : []),
  ];
}

function rolesOf(component: string, role: Role): Record<string, string> {
  return { [ANNOTATIONS.component]: component, [ANNOTATIONS.role]: role };
}

function blob(mediaType: string, bytes: Buffer, annotations?: Record<string, string>) {
  const descriptor: Descriptor = {
    mediaType,
    digest: sha256(bytes),
    size: bytes.length,
    ...(annotations ? { annotations } : {}),
  };
  return { descriptor, bytes };
}
