import type { BuiltManifest, BuiltRelease } from "../../core/release/build.ts";
import {
  missingParts,
  type Parts,
  type ReadBack,
  readParts,
  type WantedPart,
} from "../../core/release/read.ts";
import {
  allLayers,
  type ReleaseSignature,
  readSignatures,
  signatureArtifact,
  signatureLayers,
} from "../../core/release/signature.ts";
import { bundleSignatures, isBundleType } from "../../core/release/sigstore-bundle.ts";
import { TideoverError } from "../../lib/errors.ts";
import { type Descriptor, MEDIA, signatureTag } from "../../model/artifact.ts";
import type { ReleaseDigest } from "../../model/ids.ts";
import type { ArtifactSource, ArtifactStore } from "../../ports/artifacts.ts";

/** Config, prompts and policies are texts: what is larger is no part of a release of ours. */
const LARGEST_PART_BYTES = 16 * 1_048_576;

/** A release with its own parts, as an artifact source held them. */
export interface FoundRelease extends ReadBack {
  readonly parts: Parts;
}

/**
 * Reads a release whole, by its digest or a tag that names it, and compares every byte of it; its
 * models and images are only named. Throws ARTIFACT_MISSING, RELEASE_TAMPERED or RELEASE_INVALID.
 */
export async function readReleaseFrom(source: ArtifactSource, ref: string): Promise<FoundRelease> {
  const digest = await digestAt(source, ref);
  const parts = new Map<string, Uint8Array>();
  // Index, bundle manifest, files: each level is known only when the one above has been read.
  for (;;) {
    const wanted = missingParts(digest, parts);
    if (wanted.length === 0) return { ...readParts(digest, parts), parts };
    const got = await Promise.all(wanted.map((part) => fetchPart(source, part)));
    for (const [name, bytes] of got) parts.set(name, bytes);
  }
}

async function digestAt(source: ArtifactSource, ref: string): Promise<ReleaseDigest> {
  const found = await source.manifest(ref);
  if (found !== null) return found.digest;
  const tags = await source.tags();
  throw new TideoverError(`there is no release ${ref}`, {
    code: "ARTIFACT_MISSING",
    next: tags.length === 0 ? "There is nothing at all yet." : `There are: ${tags.join(", ")}.`,
  });
}

async function fetchPart(source: ArtifactSource, part: WantedPart): Promise<[string, Uint8Array]> {
  if (part.as === "blob") return [part.descriptor.digest, await fetchBlob(source, part.descriptor)];
  const found = await source.manifest(part.digest);
  if (found !== null) return [part.digest, found.bytes];
  throw new TideoverError(`a manifest of the release (${part.digest}) is not there`, {
    code: "ARTIFACT_MISSING",
    next: "Copy the release again; what is there already is not copied twice.",
  });
}

async function fetchBlob(source: ArtifactSource, descriptor: Descriptor): Promise<Buffer> {
  if (descriptor.size > LARGEST_PART_BYTES)
    throw new TideoverError(`${descriptor.digest} has ${descriptor.size} bytes, too many`, {
      code: "RELEASE_INVALID",
      next: "Keep texts in a release; models and images are named by their digest.",
    });
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.blob(descriptor)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Puts a release where it can be copied from. The index comes last: a tag never names half of one. */
export async function writeRelease(
  store: ArtifactStore,
  { index, manifests, blobs }: BuiltRelease,
  tags: readonly string[],
): Promise<ReleaseDigest> {
  for (const { descriptor, bytes } of blobs) await store.putBlob(descriptor, once(bytes));
  for (const manifest of manifests) await putOnly(store, manifest);
  const digest = await store.putManifest(index, MEDIA.index);
  for (const tag of tags) await store.putManifest(index, MEDIA.index, tag);
  return digest;
}

async function putOnly(store: ArtifactStore, { bytes, mediaType }: BuiltManifest): Promise<void> {
  await store.putManifest(bytes, mediaType);
}

/**
 * Cosign's signatures of a release, in both of its formats: under its tag, and in Sigstore bundles
 * that refer to the release. None when there are none.
 */
export async function readSignaturesFrom(
  source: ArtifactSource,
  digest: ReleaseDigest,
): Promise<ReleaseSignature[]> {
  const [tagged, bundled] = [await readTagged(source, digest), await readBundled(source, digest)];
  return [...tagged, ...bundled];
}

async function readBundled(
  source: ArtifactSource,
  digest: ReleaseDigest,
): Promise<ReleaseSignature[]> {
  const referrers = await source.referrers(digest);
  const found = await Promise.all(referrers.map(({ digest }) => source.manifest(digest)));
  // By the layer: some registries list an artifact under the type of its config.
  const layers = found
    .flatMap((manifest) => (manifest === null ? [] : allLayers(manifest.bytes)))
    .filter(({ mediaType }) => isBundleType(mediaType));
  const bundles = await Promise.all(layers.map((layer) => fetchBlob(source, layer)));
  return bundles.flatMap(bundleSignatures);
}

async function readTagged(
  source: ArtifactSource,
  digest: ReleaseDigest,
): Promise<ReleaseSignature[]> {
  const found = await source.manifest(signatureTag(digest));
  if (found === null) return [];
  const layers = signatureLayers(found.bytes);
  const parts = await Promise.all(
    layers.map(async (layer) => [layer.digest, await fetchBlob(source, layer)] as const),
  );
  return readSignatures(found.bytes, new Map(parts));
}

/**
 * Adds a signature beside those that are there: an old key's stays until every region trusts the
 * new one.
 */
export async function addSignature(
  store: ArtifactStore,
  digest: ReleaseDigest,
  signature: ReleaseSignature,
): Promise<void> {
  const before = await store.manifest(signatureTag(digest));
  const kept = before === null ? [] : allLayers(before.bytes);
  const { manifest, blobs } = signatureArtifact([signature], kept);
  for (const { descriptor, bytes } of blobs) await store.putBlob(descriptor, once(bytes));
  await store.putManifest(manifest, MEDIA.manifest, signatureTag(digest));
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}
