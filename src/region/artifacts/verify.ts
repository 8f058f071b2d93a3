import { TideoverError } from "../../lib/errors.ts";
import type { ArtifactStore } from "../../ports/artifacts.ts";
import { eachLimited } from "../each-limited.ts";
import type { ArtifactTree } from "./tree.ts";

/** Blobs read at one time: reading more of one disk at once is not faster. */
const PARALLEL = 2;

/** What was found of one artifact where it lies. */
export interface Verified {
  /** Digests of blobs that are what they should be. */
  readonly good: readonly string[];
  /** Those that are not, or are not there, each with the first reason. */
  readonly bad: readonly { readonly digest: string; readonly because: string }[];
}

/** Reads every byte of an artifact's blobs and compares. Its manifests were compared when read. */
export async function verifyTree(
  store: ArtifactStore,
  tree: Pick<ArtifactTree, "blobs">,
  signal: AbortSignal,
): Promise<Verified> {
  const good: string[] = [];
  const bad: { digest: string; because: string }[] = [];
  await eachLimited(tree.blobs, PARALLEL, async (blob) => {
    try {
      for await (const _ of store.blob(blob)) signal.throwIfAborted();
      good.push(blob.digest);
    } catch (error) {
      if (!isVerdict(error)) throw error;
      bad.push({ digest: blob.digest, because: error.message });
    }
  });
  return { good, bad };
}

/** Wrong or not there: what another copy mends. A disk that cannot be read is no verdict. */
export function isVerdict(error: unknown): error is TideoverError {
  return (
    error instanceof TideoverError && ["ARTIFACT_CORRUPT", "ARTIFACT_MISSING"].includes(error.code)
  );
}
