import { existsSync } from "node:fs";
import { join } from "node:path";
import type { LoadedRelease } from "../core/publish/releases.ts";
import type { BuiltRelease } from "../core/release/build.ts";
import { verifySignature } from "../core/release/signature.ts";
import { messageOf, TideoverError } from "../lib/errors.ts";
import type { Clock } from "../ports/clock.ts";
import { addSignature, writeRelease } from "../region/artifacts/release-store.ts";
import type { Estate } from "./estate.ts";
import { readFrom } from "./find-release.ts";
import { trustedFolder } from "./own-releases.ts";
import { withLayout } from "./release-places.ts";
import { loadedRelease } from "./release-trust.ts";
import { trustOf } from "./trust-root.ts";

/** Names the release that was served last in the region's own layout. */
const LAST_GOOD = "last-good";

interface Standing {
  readonly clock: Clock;
  readonly logger: { error(details: object, message: string): void };
}

/**
 * The release of a gateway that runs alone: its folder. Where keys are trusted, only one that is
 * signed by one of them; it is kept in the region's own layout, and a folder that is refused later
 * is passed over for it, loudly. Throws RELEASE_UNSIGNED and its like where none was ever good.
 */
export async function standaloneRelease(
  estate: Estate,
  region: string,
  { clock, logger }: Standing,
): Promise<LoadedRelease | null> {
  if (estate.release === null) return null;
  const { built } = estate.release;
  const trust = trustOf(estate, region)();
  if (trust.length === 0) return loadedRelease({ built });
  const layout = estate.data.region(region).artifacts;
  try {
    const release = await trustedFolder(estate, built, { trust, now: clock.now() });
    await keep(layout, built, release);
    return release;
  } catch (error) {
    const kept = await lastGoodIn(layout, trust, clock.now());
    if (kept === null) throw error;
    const next = error instanceof TideoverError ? error.next : undefined;
    logger.error(
      { next },
      `${messageOf(error)}. The last good release is served meanwhile: ${kept.body.name} ${kept.body.version}, ${kept.digest}`,
    );
    return kept;
  }
}

async function keep(
  layout: string,
  built: BuiltRelease,
  { digest, signatures = [] }: LoadedRelease,
): Promise<void> {
  await withLayout(layout, async (store) => {
    if ((await store.manifest(LAST_GOOD))?.digest === digest) return;
    // The signatures before the tag: what it names is good at every moment.
    await writeRelease(store, built, []);
    for (const signature of signatures) await addSignature(store, digest, signature);
    await writeRelease(store, built, [LAST_GOOD]);
  });
}

async function lastGoodIn(
  layout: string,
  trust: readonly string[],
  now: number,
): Promise<LoadedRelease | null> {
  if (!existsSync(join(layout, "oci-layout"))) return null;
  return withLayout(layout, async (store) => {
    if ((await store.manifest(LAST_GOOD)) === null) return null;
    const release = await readFrom(store, LAST_GOOD);
    const { digest, signatures = [] } = release;
    const judged = verifySignature({ digest, signatures, trust, now, atLeast: null });
    return judged.ok ? release : null;
  });
}
