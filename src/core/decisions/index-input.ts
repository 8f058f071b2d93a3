import type { Intent, Ownership } from "../../model/intent.ts";
import type { IndexRequest } from "../../model/request.ts";
import type { IndexState } from "../../model/signal.ts";
import type { WorkflowSpec } from "../../model/spec.ts";
import type { Health, Verdict } from "../../model/verdict.ts";

/** All that one decision about who owns an index may depend on. */
export interface IndexDecisionInput {
  readonly ownership: Ownership;
  /** Plan that moves this index alone already; null when none does. */
  readonly heldBy: string | null;
  /** Those that search this index. */
  readonly workflows: readonly {
    readonly name: string;
    readonly spec: WorkflowSpec;
    readonly intent: Intent;
  }[];
  readonly verdicts: readonly Verdict[];
  /** Newest word of each region's agent on its copy of this index. */
  readonly copies: readonly { readonly region: string; readonly state: IndexState }[];
  /** How far a replica may lag, in ms: what may be lost where no workflow says so. */
  readonly maxLagMs: number;
  readonly request: IndexRequest | null;
  /** The last plan that moved this index alone failed at draining its owner, not long ago. */
  readonly drainFailed: boolean;
  readonly sinceLastMoveMs: number | null;
  readonly cooldownMs: number;
}

export function outageOf({ verdicts }: IndexDecisionInput, region: string): Verdict | undefined {
  return verdicts.find((one) => one.domain === "region-outage" && one.region === region);
}

export function corruptionOf(
  { verdicts, ownership }: IndexDecisionInput,
  region: string,
): Verdict | undefined {
  return verdicts.find(
    (one) =>
      one.domain === "index-corruption" && one.region === region && one.index === ownership.index,
  );
}

export function stateOf({ copies }: IndexDecisionInput, region: string): IndexState | undefined {
  return copies.find((copy) => copy.region === region)?.state;
}

export function isAlive(health: Health | undefined): boolean {
  return health === "healthy" || health === "degraded";
}
