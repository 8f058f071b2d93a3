import { TideoverError } from "../../lib/errors.ts";
import type { Descriptor } from "../../model/artifact.ts";
import {
  type ArtifactParts,
  isReferringTag,
  MOST_MANIFEST_BYTES,
  partsOf,
  tagOf,
} from "../../model/artifact-parts.ts";
import { type Places, readIfThere } from "./files.ts";

/**
 * Every digest that index.json's descriptors lead to, each with the name of one that does. What only
 * speaks of another (a signature) is kept by what it speaks of: alone it keeps nothing, itself not
 * either, or the signatures of every release that ever was would stay.
 */
export async function reachableFrom(
  entries: readonly Descriptor[],
  places: Places,
): Promise<Map<string, string>> {
  const reached = new Map<string, string>();
  const referring: Referring[] = [];
  for (const entry of entries) {
    const subject = subjectOf(entry, await partsAt(entry.digest, places));
    if (subject === null) await walk(entry.digest, nameOf(entry), reached, places);
    else referring.push({ entry, subject });
  }
  await addReferring(referring, reached, places);
  return reached;
}

export function inUse(digest: string, holder: string, folder: string): TideoverError {
  return new TideoverError(`${digest} is in use in ${folder}: ${holder} names it`, {
    code: "ARTIFACT_IN_USE",
    next: "Let go of that name first, if nothing needs it any more.",
  });
}

interface Referring {
  readonly entry: Descriptor;
  readonly subject: string;
}

/** Digest that an entry speaks of; null when it stands for itself. */
function subjectOf(entry: Descriptor, parts: ArtifactParts | null): string | null {
  const tag = tagOf(entry);
  if (tag !== undefined && isReferringTag(tag)) {
    return tag.slice(0, "sha256-".length + 64).replace("-", ":");
  }
  return tag === undefined ? (parts?.subject?.digest ?? null) : null;
}

/** A signature of a signature is kept, too, so that it goes round until nothing is added. */
async function addReferring(
  referring: readonly Referring[],
  reached: Map<string, string>,
  places: Places,
): Promise<void> {
  let left = referring;
  for (;;) {
    const kept = left.filter(({ subject }) => reached.has(subject));
    if (kept.length === 0) return;
    for (const { entry } of kept) await walk(entry.digest, nameOf(entry), reached, places);
    left = left.filter((one) => !kept.includes(one));
  }
}

async function walk(
  digest: string,
  holder: string,
  reached: Map<string, string>,
  places: Places,
): Promise<void> {
  if (reached.has(digest)) return;
  reached.set(digest, holder);
  const parts = await partsAt(digest, places);
  if (parts === null) return;
  for (const blob of parts.blobs) {
    if (!reached.has(blob.digest)) reached.set(blob.digest, holder);
  }
  for (const child of parts.manifests) await walk(child.digest, holder, reached, places);
}

async function partsAt(digest: string, places: Places): Promise<ArtifactParts | null> {
  const bytes = await readIfThere(places.blob(digest), MOST_MANIFEST_BYTES);
  return bytes === null ? null : partsOf(bytes);
}

function nameOf(entry: Descriptor): string {
  const tag = tagOf(entry);
  return tag === undefined ? entry.digest : `tag ${tag}`;
}
