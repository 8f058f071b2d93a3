import { loadRelease } from "../config/load-release.ts";
import type { LoadedRelease } from "../core/publish/releases.ts";
import type { ArtifactSource } from "../ports/artifacts.ts";
import { readReleaseFrom, readSignaturesFrom } from "../region/artifacts/release-store.ts";
import { artifactPlace, openPlace } from "./artifact-places.ts";
import type { Estate } from "./estate.ts";
import { bringHome, withSignatures } from "./own-releases.ts";
import { LATEST, placeOf, withLayout } from "./release-places.ts";

const WEB = /^https?:\/\//;

/**
 * A release with all that a region of the estate verifies it by, from its folder, a layout or a
 * registry. Where the regions copy from the estate's own layout, it is there afterwards. Throws
 * NOT_FOUND when the text names no such place, and what reading it throws.
 */
export async function findRelease(text: string, estate: Estate): Promise<LoadedRelease> {
  if (WEB.test(text)) return fromRegistry(text);
  const place = placeOf(text);
  if (place.kind === "folder") return withSignatures(estate, loadRelease(place.folder).built);
  const found = await withLayout(place.folder, (store) => readFrom(store, place.ref));
  await bringHome(estate, place.folder, found);
  return found;
}

async function fromRegistry(text: string): Promise<LoadedRelease> {
  const place = artifactPlace(text);
  const store = openPlace(place);
  try {
    return await readFrom(store, place.ref ?? LATEST);
  } finally {
    await store.close();
  }
}

/** A release with its signatures and parts, out of a layout or a registry, every byte compared. */
export async function readFrom(source: ArtifactSource, ref: string): Promise<LoadedRelease> {
  const { digest, body, parts } = await readReleaseFrom(source, ref);
  const signatures = await readSignaturesFrom(source, digest);
  const texts = [...parts].map(
    ([name, bytes]) => [name, Buffer.from(bytes).toString("base64")] as const,
  );
  return { digest, body, signatures, parts: Object.fromEntries(texts) };
}
