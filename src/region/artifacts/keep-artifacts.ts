import type { ArtifactStatus } from "../../model/artifact-status.ts";
import { KEYS } from "../../model/keys.ts";
import { releaseIntentSchema, releasesInUse } from "../../model/release-intent.ts";
import type { Store } from "../../ports/store.ts";
import type { Part } from "../ticker.ts";
import type { World } from "../world.ts";

/** Between two looks at the source: a release is pushed minutes before it is needed, not seconds. */
const EVERY_MS = 15_000;

/** Of a region whose spec names no place to copy from. */
export const NO_ARTIFACTS: ArtifactStatus = {
  source: null,
  error: null,
  freeBytes: null,
  artifacts: [],
};

/** The agent's part: one that copies for hours delays no other. */
export function artifactParts({ options: { artifacts }, stop }: World): Part[] {
  if (artifacts === undefined) return [];
  // Told at once: its turn may be in the middle of forty gigabytes.
  stop.signal.addEventListener("abort", () => void artifacts.close(), { once: true });
  return [{ name: "replicate artifacts", everyMs: EVERY_MS, work: () => artifacts.keepUp() }];
}

/**
 * Releases that run somewhere, or may be gone back to. null when the store cannot be asked: then
 * nothing may be let go of.
 */
export async function inUseBy(store: Store): Promise<readonly string[] | null> {
  try {
    const entry = await store.get(KEYS.releaseIntent);
    if (entry === null) return null;
    return releasesInUse(releaseIntentSchema.parse(entry.value));
  } catch {
    return null;
  }
}
