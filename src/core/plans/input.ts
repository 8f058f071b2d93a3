import type { Decision } from "../../model/decision.ts";
import type { Intent, Ownership } from "../../model/intent.ts";
import type { DetectionSpec, WorkflowSpec } from "../../model/spec.ts";

export interface PlanInput {
  readonly decision: Decision;
  readonly intent: Intent;
  readonly spec: WorkflowSpec;
  readonly detection: DetectionSpec;
  readonly ownerships: readonly Ownership[];
  /** Digest of the release that must serve afterwards. */
  readonly release: string;
  readonly id: string;
  /** Plan that last moved this workflow; null for the first. */
  readonly parent: string | null;
  /** Wall clock, for people. */
  readonly now: number;
  /** Regions that are known dead now: the plan waits for no answer of theirs. */
  readonly failed?: readonly string[];
}

/**
 * A region that has only lost its models lives, and its index is as good as before: it is drained as
 * in a planned move. To give up what it did not ship would lose documents for nothing.
 */
export function leavesWhole({ kind, domain }: Decision): boolean {
  return kind !== "failover" || domain === "capacity-loss";
}
