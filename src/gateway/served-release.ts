import { messageOf } from "../lib/errors.ts";
import type { RegionName } from "../model/ids.ts";
import type { Release } from "../model/release.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { ReleaseVerifier } from "../ports/releases.ts";
import { own } from "./chain/own.ts";

/** A snapshot as one region serves it: with its own release, and no other in reach by mistake. */
export interface ServedSnapshot extends Snapshot {
  /** Digest of this region's release; `none` in an estate without one. */
  readonly releaseDigest: string;
  readonly release: Release | null;
}

/** Digest announced where there is no release at all. */
const NONE = "none";

/** The snapshot as this region serves it. Its release is there: `refusedRelease` has said so. */
export function servedBy(snapshot: Snapshot, region: RegionName): ServedSnapshot {
  const releaseDigest = own(snapshot.regions, region)?.release ?? NONE;
  return {
    ...snapshot,
    releaseDigest,
    release: own(snapshot.releases, releaseDigest)?.body ?? null,
  };
}

/**
 * Why this region must not serve the release that the snapshot gives it; null when it may. `ran`:
 * digests of those that it has served already.
 */
export async function refusedRelease(
  snapshot: Snapshot,
  region: RegionName,
  { verify, ran }: { readonly verify: ReleaseVerifier; readonly ran: ReadonlySet<string> },
): Promise<string | null> {
  const digest = own(snapshot.regions, region)?.release ?? NONE;
  if (digest === NONE) return null;
  const carried = own(snapshot.releases, digest);
  if (carried === undefined) return `release ${digest} of ${region}: it is not in the snapshot`;
  try {
    const why = await verify({ ...carried, digest }, ran.has(digest));
    return why === null ? null : `release ${digest} of ${region}: ${why}`;
  } catch (error) {
    return `release ${digest} of ${region} cannot be verified: ${messageOf(error)}`;
  }
}
