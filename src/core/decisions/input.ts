import type { Intent } from "../../model/intent.ts";
import type { Readiness } from "../../model/readiness.ts";
import type { OperatorRequest } from "../../model/request.ts";
import type { WorkflowSpec } from "../../model/spec.ts";
import type { Verdict } from "../../model/verdict.ts";

/** All that one decision about one workflow may depend on. */
export interface DecisionInput {
  readonly workflow: string;
  readonly spec: WorkflowSpec;
  readonly intent: Intent;
  readonly verdicts: readonly Verdict[];
  /** Latest of each region, for this workflow. */
  readonly readiness: readonly Readiness[];
  readonly request: OperatorRequest | null;
  /** Ms since the last unplanned move of this workflow ended; null when there was none. */
  readonly sinceLastMoveMs: number | null;
  readonly cooldownMs: number;
  /** Workflows this one depends on that are moving, or that serve from a failed region. */
  readonly unsettledDependencies: readonly string[];
}
