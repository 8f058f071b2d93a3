import type { ReleaseDigest } from "../model/ids.ts";
import type { OfferedRelease } from "../model/snapshot.ts";
import type { HeldRelease } from "./agents.ts";

/**
 * Judges a release by what it carries, before it is served: null when it may be, else why not.
 * Asks nobody: a region that is cut off must be able to verify, and to start.
 *
 * `ran`: this process has served it before. Then its expiry is no reason to refuse it: a failover or
 * a rollback, which come in a new snapshot, must not fail for a date that went by meanwhile.
 */
export type ReleaseVerifier = (
  release: OfferedRelease,
  ran?: boolean,
) => string | null | Promise<string | null>;

/**
 * A region's own copies of releases. The agent asks it on the controller's behalf; the gateway
 * never does, since what it serves comes with its snapshot.
 */
export interface RegionReleases {
  /**
   * Copies what is missing of a release, for at most that long, and says how far it is. What it
   * began goes on afterwards; asked again, it does nothing twice.
   */
  fetch(digest: ReleaseDigest, timeoutMs: number): Promise<HeldRelease>;
  /**
   * Verifies this region's own copy against this region's own trust root, asking nobody. Throws
   * RELEASE_INVALID when it is refused.
   */
  verify(digest: ReleaseDigest): Promise<HeldRelease>;
}
