import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { openLayout } from "../adapters/artifacts-layout/layout.ts";
import { loadRelease } from "../config/load-release.ts";
import type { BuiltRelease } from "../core/release/build.ts";
import type { ReadRelease } from "../core/release/files.ts";
import { TideoverError } from "../lib/errors.ts";
import type { ReleaseDigest } from "../model/ids.ts";
import type { ArtifactStore } from "../ports/artifacts.ts";
import { readReleaseFrom, writeRelease } from "../region/artifacts/release-store.ts";

/** Where a release lies: a folder of files, or an OCI layout and what in it is meant. */
export type ReleasePlace =
  | { readonly kind: "folder"; readonly folder: string }
  | { readonly kind: "layout"; readonly folder: string; readonly ref: string };

/** Meant in a layout when nothing is said: what was built last. */
export const LATEST = "latest";

const AT_DIGEST = /^(.+)@(sha256:[0-9a-f]{64})$/;
const AT_TAG = /^(.+):([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$/;

/**
 * Reads `folder`, `layout`, `layout:tag` and `layout@sha256:…`. Throws NOT_FOUND when nothing of
 * the kind is there.
 */
export function placeOf(text: string): ReleasePlace {
  const [, byDigest, digest] = AT_DIGEST.exec(text) ?? [];
  if (byDigest !== undefined && digest !== undefined) return layoutAt(byDigest, digest, text);
  if (isFolder(text)) return folderAt(text);
  const [, byTag, tag] = AT_TAG.exec(text) ?? [];
  if (byTag !== undefined && tag !== undefined) return layoutAt(byTag, tag, text);
  throw nothingAt(text);
}

function folderAt(folder: string): ReleasePlace {
  const isLayout = existsSync(join(folder, "oci-layout"));
  return isLayout ? { kind: "layout", folder, ref: LATEST } : { kind: "folder", folder };
}

function layoutAt(folder: string, ref: string, text: string): ReleasePlace {
  if (existsSync(join(folder, "oci-layout"))) return { kind: "layout", folder, ref };
  throw nothingAt(text);
}

/** The layout that a place names. Throws USAGE for a folder of files: it has no signatures. */
export function layoutOf(text: string): { readonly folder: string; readonly ref: string } {
  const place = placeOf(text);
  if (place.kind === "layout") return place;
  throw new TideoverError(`${text} is a folder of files, and only a built release can be signed`, {
    code: "USAGE",
    next: `Build it first: tideover release build ${text} -o LAYOUT.`,
  });
}

/** Reads a release from wherever it lies, every digest compared. */
export async function readPlace(
  text: string,
): Promise<ReadRelease & { readonly digest: ReleaseDigest }> {
  const place = placeOf(text);
  if (place.kind === "folder") return loadRelease(place.folder).built;
  return withLayout(place.folder, (store) => readReleaseFrom(store, place.ref));
}

/** Writes a built release into a layout, which is made if it is not there. */
export async function publishTo(
  folder: string,
  release: BuiltRelease,
  tags: readonly string[],
): Promise<void> {
  await withLayout(folder, (store) => writeRelease(store, release, tags));
}

/** Opens a layout for the time of some work. */
export async function withLayout<Result>(
  folder: string,
  work: (store: ArtifactStore) => Promise<Result>,
): Promise<Result> {
  const store = openLayout({ folder });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function nothingAt(text: string): TideoverError {
  return new TideoverError(`there is no release at ${text}`, {
    code: "NOT_FOUND",
    next: "Name a release folder, or an OCI layout as FOLDER, FOLDER:TAG or FOLDER@sha256:DIGEST.",
  });
}
