import type { IndexName, RegionName, ReleaseDigest, WorkflowName } from "../model/ids.ts";
import type { IndexProof } from "../model/index-verification.ts";
import type { Ownership } from "../model/intent.ts";
import type { Position } from "../model/position.ts";
import type { Readiness } from "../model/readiness.ts";

/**
 * What the controller asks a region's agent to do now. Every call is bounded by `timeoutMs` and
 * throws TideoverError PEER_UNAVAILABLE (retry: later) when the agent did not answer in it.
 */
export interface Agents {
  /** Runs every readiness check of a workflow now. `exactIndex`: a replica must be level, not just fresh. */
  readiness(
    region: RegionName,
    workflow: WorkflowName,
    options: { readonly exactIndex: boolean; readonly timeoutMs: number },
  ): Promise<Readiness>;
  /** Tells the agent an ownership that the store already holds, and gives its position under it. */
  obeyOwnership(region: RegionName, ownership: Ownership, timeoutMs: number): Promise<Position>;
  /** Pulls from the owner until level with it or until the time is over; gives both positions. */
  catchUp(
    region: RegionName,
    index: IndexName,
    timeoutMs: number,
  ): Promise<{ readonly own: Position; readonly owner: Position | null }>;
  /** Looks at the region's whole copy now, and says whether it passes the acceptance gate. */
  proveIndex(region: RegionName, index: IndexName, timeoutMs: number): Promise<IndexProof>;
  /**
   * Sends one canary request for the workflow through this region's gateway. `standby`: the region
   * answers it itself, whoever serves the workflow.
   */
  canary(
    region: RegionName,
    workflow: WorkflowName,
    timeoutMs: number,
    options?: { readonly standby: boolean },
  ): Promise<CanaryAnswer>;
  /** Copies what the region lacks of a release, for at most that long; it goes on afterwards. */
  fetchRelease(region: RegionName, digest: ReleaseDigest, timeoutMs: number): Promise<HeldRelease>;
  /**
   * Verifies the region's own copy against the region's own trust root. Throws RELEASE_INVALID
   * (never) when it is refused: unsigned, tampered, expired, downgraded.
   */
  verifyRelease(region: RegionName, digest: ReleaseDigest, timeoutMs: number): Promise<HeldRelease>;
}

/** How a release stands in one region. */
export interface HeldRelease {
  /** Everything that is asked for is there, and holds. */
  readonly complete: boolean;
  /** In one sentence: what is there, or what is missing and how far it is. */
  readonly detail: string;
}

export interface CanaryAnswer {
  readonly ok: boolean;
  /** Region, release digest and epoch that the answer's headers name; null when it had none. */
  readonly region: string | null;
  readonly releaseDigest: string | null;
  readonly epoch: number | null;
  readonly mode: string | null;
  readonly detail: string;
}
