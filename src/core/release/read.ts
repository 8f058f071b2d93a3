import type { z } from "zod";
import { canonicalJson, sha256 } from "../../lib/canonical.ts";
import { TideoverError } from "../../lib/errors.ts";
import {
  ANNOTATIONS,
  type Descriptor,
  type ImageIndex,
  type ImageManifest,
  imageIndexSchema,
  imageManifestSchema,
  MEDIA,
} from "../../model/artifact.ts";
import type { ReleaseDigest } from "../../model/ids.ts";
import type { Release } from "../../model/release.ts";
import { configOf } from "./build.ts";
import { bodyOf, fileOf, kindOf, type ReadRelease, type ReleaseFile } from "./files.ts";

/** Bytes by the digest that they are said to have. Nothing of it is believed before it is hashed. */
export type Parts = ReadonlyMap<string, Uint8Array>;

/** What is still to be fetched before a release can be read. */
export type WantedPart =
  | { readonly as: "manifest"; readonly digest: string }
  | { readonly as: "blob"; readonly descriptor: Descriptor };

export interface ReadBack extends ReadRelease {
  readonly digest: ReleaseDigest;
  /** Models and images that a region must have beside the bundle, with their annotations. */
  readonly artifacts: readonly Descriptor[];
  /** File by file, with digests: two regions that differ are told apart by their titles. */
  readonly layers: readonly Descriptor[];
}

/**
 * What is missing of a release's own parts, as far as can be known from those at hand: first its
 * index, then the bundle's manifest, then config and files. Empty: `readParts` has all that it
 * needs. Throws as `readParts` does when a part at hand is not what its digest says.
 */
export function missingParts(digest: ReleaseDigest, parts: Parts): WantedPart[] {
  if (!parts.has(digest)) return [{ as: "manifest", digest }];
  const bundle = bundleOf(readIndex(digest, parts), digest);
  if (!parts.has(bundle.digest)) return [{ as: "manifest", digest: bundle.digest }];
  const { config, layers } = readBundle(bundle, parts);
  return [config, ...layers]
    .filter((descriptor) => !parts.has(descriptor.digest))
    .map((descriptor) => ({ as: "blob", descriptor }));
}

/**
 * Reads a release from its parts, and believes none of them: every digest and size is compared on
 * the way down from the one digest that the caller trusts, so that a single other byte anywhere is
 * refused with the digest expected and the digest found.
 *
 * Throws RELEASE_TAMPERED (a part is not what its digest says), ARTIFACT_MISSING (a part is not
 * there), RELEASE_INVALID (all parts are as they were built, and they are no release).
 */
export function readParts(digest: ReleaseDigest, parts: Parts): ReadBack {
  const index = readIndex(digest, parts);
  const bundle = bundleOf(index, digest);
  const { config, layers } = readBundle(bundle, parts);
  const files = layers.map((layer) => readFile(layer, parts));
  const body = bodyOf(files);
  refuseOtherConfig(body, verified(config, parts, "the bundle's config"));
  const artifacts = index.manifests.filter((one) => one !== bundle);
  return { digest, files, body, layers, artifacts };
}

function readIndex(digest: ReleaseDigest, parts: Parts): ImageIndex {
  const bytes = verified({ digest }, parts, "the release's index");
  const index = parsed(imageIndexSchema, bytes, "the release's index");
  if (index.annotations?.[ANNOTATIONS.type] === MEDIA.release) return index;
  throw invalid(`${digest} is an index, and not that of a release`);
}

function bundleOf({ manifests }: ImageIndex, digest: string): Descriptor {
  const [bundle, another] = manifests.filter(
    ({ annotations }) => annotations?.[ANNOTATIONS.role] === "bundle",
  );
  if (bundle !== undefined && another === undefined) return bundle;
  throw invalid(`${digest} names ${bundle ? "several bundles" : "no bundle"}; a release has one`);
}

function readBundle(bundle: Descriptor, parts: Parts): ImageManifest {
  const bytes = verified(bundle, parts, "the bundle's manifest");
  const manifest = parsed(imageManifestSchema, bytes, "the bundle's manifest");
  const titles = manifest.layers.map(titleOf);
  const strange = titles.find((title) => kindOf(title) === null);
  // A path that leads out of the folder must never reach whoever writes the files back.
  if (strange !== undefined) throw invalid(`"${strange}" is no file of a release`);
  const double = titles.find((title, at) => titles.indexOf(title) !== at);
  if (double !== undefined) throw invalid(`${double} stands in the bundle twice`);
  return manifest;
}

function readFile(layer: Descriptor, parts: Parts): ReleaseFile {
  const path = titleOf(layer);
  return fileOf(path, verified(layer, parts, path));
}

function titleOf({ annotations }: Descriptor): string {
  return annotations?.[ANNOTATIONS.title] ?? "";
}

/** What registries show of a release must be what it serves. */
function refuseOtherConfig(body: Release, config: Uint8Array): void {
  if (Buffer.from(canonicalJson(configOf(body))).equals(config)) return;
  throw invalid("the bundle's config says other things than its files");
}

/** The bytes of a part, once they have proven to be the ones meant. */
function verified(
  { digest, size }: { readonly digest: string; readonly size?: number },
  parts: Parts,
  what: string,
): Uint8Array {
  const bytes = parts.get(digest);
  if (bytes === undefined) throw missing(what, digest);
  const found = sha256(bytes);
  if (found !== digest) throw tampered(what, digest, found);
  if (size === undefined || size === bytes.length) return bytes;
  throw invalid(`${what} (${digest}) has ${bytes.length} bytes, its manifest says ${size}`);
}

function parsed<Schema extends z.ZodType>(
  schema: Schema,
  bytes: Uint8Array,
  what: string,
): z.output<Schema> {
  const read = schema.safeParse(jsonOf(bytes));
  if (read.success) return read.data;
  throw invalid(`${what} has not OCI's shape: ${read.error.issues[0]?.message ?? "it is no JSON"}`);
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    return undefined;
  }
}

function missing(what: string, digest: string): TideoverError {
  return new TideoverError(`${what} (${digest}) is not there`, {
    code: "ARTIFACT_MISSING",
    next: "Copy the release again; what is there already is not copied twice.",
  });
}

export function tampered(what: string, expected: string, found: string): TideoverError {
  return new TideoverError(`${what} is not what was signed: expected ${expected}, found ${found}`, {
    code: "RELEASE_TAMPERED",
    next: "Copy the release again from where it was built; find out who changed this copy.",
  });
}

function invalid(message: string): TideoverError {
  return new TideoverError(message, {
    code: "RELEASE_INVALID",
    next: "Build the release again from its folder, with this version of Tideover.",
  });
}
