import type { RecoveryMarks } from "../core/evidence/recovery.ts";
import type { Evidence } from "../model/evidence.ts";
import type { Plan, PlanState, StepKind } from "../model/plan.ts";
import { verdictSchema } from "../model/verdict.ts";

/** One plan with its journal. */
export interface PlanRun {
  readonly plan: Plan;
  readonly state: PlanState;
}

/** The plan of a kind that moved a workflow after a moment; null while there is none. */
export function planAfter(
  { plans, states }: { plans: readonly Plan[]; states: readonly PlanState[] },
  workflow: string,
  kinds: readonly Plan["decision"]["kind"][],
  after: number,
): PlanRun | null {
  const plan = plans
    .filter((one) => one.workflow === workflow && kinds.includes(one.decision.kind))
    .filter((one) => one.createdAt >= after)
    .sort((a, b) => a.createdAt - b.createdAt)
    .at(-1);
  const state = plan && states.find(({ planId }) => planId === plan.id);
  return plan && state ? { plan, state } : null;
}

export function hasEnded({ state }: PlanRun): boolean {
  return state.status === "completed" || state.status === "failed";
}

/** When the step of a kind was proven (the last one, where a plan has two); null when it was not. */
export function provenAt({ plan, state }: PlanRun, kind: StepKind): number | null {
  const ids = plan.steps.filter((step) => step.kind === kind).map(({ id }) => id);
  const ends = state.steps
    .filter(({ id, status }) => ids.includes(id) && status === "done")
    .map(({ endedAt }) => endedAt);
  return ends.at(-1) ?? null;
}

/**
 * The moments of a failover; null when it did not come to proven traffic, since a recovery that
 * never ended has no time that could be held against an objective.
 */
export function marksOf(
  run: PlanRun,
  faultAt: number,
  evidence: readonly Evidence[],
): RecoveryMarks | null {
  const proven = provenAt(run, "prove-readiness");
  const opened = provenAt(run, "open-traffic");
  const traffic = provenAt(run, "prove-traffic");
  if (proven === null || opened === null || traffic === null) return null;
  const { createdAt, decision } = run.plan;
  const verdict = evidence.find((entry) => entry.at >= faultAt && saysFailed(entry, decision));
  return {
    faultAt,
    verdictAt: verdict?.at ?? createdAt,
    planAt: createdAt,
    provenAt: proven,
    openedAt: opened,
    trafficProvenAt: traffic,
  };
}

function saysFailed({ kind, data }: Evidence, { domain, from }: Plan["decision"]): boolean {
  if (kind !== "verdict") return false;
  const verdict = verdictSchema.safeParse(data.verdict);
  return (
    verdict.success &&
    verdict.data.domain === domain &&
    verdict.data.health === "failed" &&
    from.includes(verdict.data.region)
  );
}

/** Why the controllers refused a request; null while they have not. */
export function refusalOf(evidence: readonly Evidence[], requestId: string): string | null {
  const entry = evidence.find(({ kind, planId, data }) => {
    const { request } = data as { request?: { id?: unknown } };
    return kind === "request" && planId === null && request?.id === requestId;
  });
  return entry?.text ?? null;
}
