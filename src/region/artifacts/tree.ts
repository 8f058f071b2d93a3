import { TideoverError } from "../../lib/errors.ts";
import type { Descriptor } from "../../model/artifact.ts";
import { partsOf, tagOf } from "../../model/artifact-parts.ts";
import type { ArtifactSource, FoundManifest } from "../../ports/artifacts.ts";

/** One artifact as a source has it: everything that must be copied for it to be whole. */
export interface ArtifactTree {
  readonly root: FoundManifest;
  /** All of them, each after what it names, so that the root is the last. */
  readonly manifests: readonly FoundManifest[];
  /** Configs and layers of all of them, each digest once. */
  readonly blobs: readonly Descriptor[];
}

/** Something that speaks of a manifest: a signature, an SBOM. */
export interface ReferrerTree {
  readonly subject: string;
  readonly tree: ArtifactTree;
  /** Cosign finds its own by a tag. */
  readonly tag: string | undefined;
}

/**
 * Reads what an artifact is made of, without its blobs. A manifest of an index that the source does
 * not have is no fault when `elsewhere` has it (a release is pushed to where its model is already).
 * Throws ARTIFACT_MISSING.
 */
export async function readTree(
  source: ArtifactSource,
  ref: string,
  elsewhere?: ArtifactSource,
): Promise<ArtifactTree> {
  const manifests = new Map<string, FoundManifest>();
  const blobs = new Map<string, Descriptor>();
  const root = await source.manifest(ref);
  if (root === null) throw absent(ref);
  const visit = async (found: FoundManifest): Promise<void> => {
    const parts = partsOf(found.bytes);
    for (const blob of parts?.blobs ?? []) blobs.set(blob.digest, blob);
    // A digest cannot name what names it in turn, so this ends.
    for (const { digest } of parts?.manifests ?? []) {
      if (manifests.has(digest)) continue;
      const child = await source.manifest(digest);
      if (child !== null) await visit(child);
      else if ((await elsewhere?.has(digest)) !== true) throw absent(digest);
    }
    manifests.set(found.digest, found);
  };
  await visit(root);
  return { root, manifests: [...manifests.values()], blobs: [...blobs.values()] };
}

/** What speaks of any manifest of the tree, and what speaks of that in turn. */
export async function readReferrers(
  source: ArtifactSource,
  tree: ArtifactTree,
): Promise<ReferrerTree[]> {
  const seen = new Set(tree.manifests.map(({ digest }) => digest));
  const found: ReferrerTree[] = [];
  const waiting = [...seen];
  for (let subject = waiting.shift(); subject !== undefined; subject = waiting.shift()) {
    for (const referrer of await source.referrers(subject)) {
      if (seen.has(referrer.digest)) continue;
      seen.add(referrer.digest);
      waiting.push(referrer.digest);
      const referring = await readTree(source, referrer.digest);
      found.push({ subject, tree: referring, tag: tagOf(referrer) });
    }
  }
  return found;
}

function absent(ref: string): TideoverError {
  return new TideoverError(`there is no manifest ${ref} in the source`, {
    code: "ARTIFACT_MISSING",
    retry: "later",
    next: "Look at its tags, or push it there first.",
  });
}
