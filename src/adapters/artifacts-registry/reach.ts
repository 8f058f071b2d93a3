import { partsOf } from "../../model/artifact-parts.ts";
import type { ArtifactSource } from "../../ports/artifacts.ts";

/** A tag that reaches a digest, itself or by what it names; null when none does. */
export async function holderOf(
  digest: string,
  source: Pick<ArtifactSource, "tags" | "manifest">,
): Promise<string | null> {
  const seen = new Set<string>();
  for (const tag of await source.tags()) {
    if (await reaches(tag, digest, source, seen)) return tag;
  }
  return null;
}

async function reaches(
  ref: string,
  wanted: string,
  source: Pick<ArtifactSource, "manifest">,
  seen: Set<string>,
): Promise<boolean> {
  const found = await source.manifest(ref);
  if (found === null || seen.has(found.digest)) return false;
  seen.add(found.digest);
  if (found.digest === wanted) return true;
  const parts = partsOf(found.bytes);
  if (parts?.blobs.some(({ digest }) => digest === wanted)) return true;
  for (const child of parts?.manifests ?? []) {
    if (child.digest === wanted || (await reaches(child.digest, wanted, source, seen))) return true;
  }
  return false;
}
