import type { IndexName, RegionName, WorkflowName } from "../model/ids.ts";
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
  /** Sends one canary request for the workflow through this region's gateway. */
  canary(region: RegionName, workflow: WorkflowName, timeoutMs: number): Promise<CanaryAnswer>;
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
