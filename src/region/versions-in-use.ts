import { KEYS } from "../model/keys.ts";
import { embeddingVersion } from "../model/release.ts";
import { knownReleaseSchema, releaseIntentSchema, releaseOf } from "../model/release-intent.ts";
import type { World } from "./world.ts";

/**
 * The embedding versions that the estate's regions ask with, each with the name of a region that
 * does. Throws STORE_UNAVAILABLE: without the store only this region is known.
 */
export async function versionsInUse(world: World): Promise<Map<string, string>> {
  const { store, spec, region } = world.options;
  const used = new Map<string, string>();
  const own = world.release?.body.embedding;
  if (own !== undefined) used.set(embeddingVersion(own), region);
  const entry = await store.get(KEYS.releaseIntent);
  if (entry === null) return used;
  const intent = releaseIntentSchema.parse(entry.value);
  for (const other of Object.keys(spec.regions)) {
    const embedding = await embeddingIn(world, releaseOf(intent, other));
    if (embedding !== undefined) used.set(embeddingVersion(embedding), other);
  }
  return used;
}

/** The embedding model of a release that the estate knows; undefined when it has or knows none. */
export async function embeddingIn(world: World, digest: string) {
  const entry = await world.options.store.get(KEYS.release(digest));
  return knownReleaseSchema.safeParse(entry?.value).data?.body.embedding;
}
