import { createHash, randomBytes } from "node:crypto";
import { buildRelease } from "../../src/core/release/build.ts";
import { RELEASE, releaseWith, yaml } from "../../src/core/release/files.fixture.ts";
import { type Descriptor, MEDIA } from "../../src/model/artifact.ts";
import type { ArtifactStore } from "../../src/ports/artifacts.ts";
import { writeRelease } from "../../src/region/artifacts/release-store.ts";

/** A blob for tests: its bytes, and what names them. */
export interface MadeBlob {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

export function digestOfBytes(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

export function blobOf(content: string | Buffer | number): MadeBlob {
  const bytes = typeof content === "number" ? randomBytes(content) : Buffer.from(content);
  const mediaType = "application/vnd.cncf.model.weight.v1.raw";
  return { descriptor: { mediaType, digest: digestOfBytes(bytes), size: bytes.length }, bytes };
}

/** The bytes in parts, as a network gives them. */
export async function* inParts(bytes: Uint8Array, partBytes = 65_536) {
  for (let at = 0; at < bytes.length; at += partBytes) yield bytes.subarray(at, at + partBytes);
}

/** Some of the bytes, and then a failure, as of a network that broke. */
export async function* cutAfter(bytes: Uint8Array, count: number, error = new Error("cut")) {
  yield* inParts(bytes.subarray(0, count), 10_000);
  throw error;
}

export async function readAll(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export const EMPTY = blobOf("{}");

/** A manifest of blobs, as bytes; with a subject it speaks of another. */
export function manifestOf(blobs: readonly MadeBlob[], subject?: Descriptor): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA.manifest,
      artifactType: "application/vnd.test.thing.v1",
      config: { ...EMPTY.descriptor, mediaType: MEDIA.empty },
      layers: blobs.map(({ descriptor }) => descriptor),
      ...(subject === undefined ? {} : { subject }),
    }),
  );
}

export function indexOf(manifests: readonly Buffer[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA.index,
      manifests: manifests.map((bytes) => descriptorOf(bytes)),
    }),
  );
}

export function descriptorOf(bytes: Buffer, mediaType: string = MEDIA.manifest): Descriptor {
  return { mediaType, digest: digestOfBytes(bytes), size: bytes.length };
}

export async function putBlobs(store: ArtifactStore, blobs: readonly MadeBlob[]): Promise<void> {
  for (const { descriptor, bytes } of [EMPTY, ...blobs]) {
    await store.putBlob(descriptor, inParts(bytes));
  }
}

/** A signature, as cosign keeps it: a manifest under a tag made of the digest it is of. */
export async function sign(store: ArtifactStore, digest: string, text: string): Promise<string> {
  const layer = blobOf(text);
  await putBlobs(store, [layer]);
  const tag = `${digest.replace(":", "-")}.sig`;
  return store.putManifest(manifestOf([layer]), MEDIA.manifest, tag);
}

/** An SBOM, as OCI 1.1 keeps it: a manifest that names its subject. */
export async function describeBy(
  store: ArtifactStore,
  subject: Descriptor,
  text: string,
): Promise<string> {
  const layer = blobOf(text);
  await putBlobs(store, [layer]);
  return store.putManifest(manifestOf([layer], subject), MEDIA.manifest);
}

/** A release-like artifact: an index of two manifests, signed, with an SBOM. */
export async function putSample(store: ArtifactStore, tag: string, bytes = 300_000) {
  const files = [blobOf(`prompt of ${tag}`), blobOf(bytes)];
  const weights = [blobOf(bytes), blobOf(bytes * 2), blobOf(1)];
  const manifests = [manifestOf(files), manifestOf(weights)];
  await putBlobs(store, [...files, ...weights]);
  for (const manifest of manifests) await store.putManifest(manifest, MEDIA.manifest);
  const index = indexOf(manifests);
  const digest = await store.putManifest(index, MEDIA.index, tag);
  const signature = await sign(store, digest, `signature of ${tag}`);
  const sbom = await describeBy(store, descriptorOf(index, MEDIA.index), `sbom of ${tag}`);
  return { digest, signature, sbom, blobs: [EMPTY, ...files, ...weights], manifests, index };
}

/** The manifest of a CNCF ModelPack artifact of these blobs. */
export function modelPackOf(blobs: readonly MadeBlob[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA.manifest,
      artifactType: "application/vnd.cncf.model.manifest.v1+json",
      config: { ...EMPTY.descriptor, mediaType: "application/vnd.cncf.model.config.v1+json" },
      layers: blobs.map(({ descriptor }) => descriptor),
    }),
  );
}

/** A release that names this manifest as its model, in one place with it. Gives its digest. */
export async function putReleaseOf(
  store: ArtifactStore,
  model: Buffer,
  blobs: readonly MadeBlob[],
): Promise<string> {
  await putBlobs(store, blobs);
  const digest = await store.putManifest(model, MEDIA.manifest);
  const runtime = { model: { digest, size: model.length } };
  const file = yaml("release.yaml", { ...RELEASE, artifacts: { runtime } });
  return writeRelease(store, buildRelease(releaseWith(file).files), ["v1"]);
}
