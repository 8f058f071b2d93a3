import { whyRefused } from "../../core/decisions/words.ts";
import { lint } from "../../core/plans/lint/lint.ts";
import { planFor } from "../../core/plans/plan.ts";
import { NO_RELEASE } from "../../core/publish/releases.ts";
import type { Decision } from "../../model/decision.ts";
import { KEYS } from "../../model/keys.ts";
import type { Plan } from "../../model/plan.ts";
import { releaseOf } from "../../model/release-intent.ts";
import type { OperatorRequest } from "../../model/request.ts";
import type { ControllerDeps } from "../deps.ts";
import { hasCode } from "./errors.ts";
import { firstState } from "./journal.ts";
import type { Term } from "./leadership.ts";
import type { Moves } from "./moves.ts";
import type { Observation } from "./observe.ts";
import type { Fact, Recorder } from "./record.ts";
import { unchanged } from "./state.ts";
import type { Thought, WorkflowThought } from "./think.ts";

export interface CommitTools {
  readonly deps: ControllerDeps;
  readonly recorder: Recorder;
  readonly term: Term;
  readonly moves: Moves;
}

/** A decision as it will be acted on: with its plan, or with the reason why there is none. */
export interface Resolved {
  readonly thought: WorkflowThought;
  readonly decision: Decision;
  readonly plan: Plan | null;
}

/** Turns decisions into plans, and refuses those that the lint finds fault with. */
export function resolve(tools: CommitTools, thought: Thought, seen: Observation): Resolved[] {
  const resolved: Resolved[] = [];
  for (const workflow of thought.workflows) {
    const before = resolved.flatMap(({ plan }) => (plan === null ? [] : [plan]));
    resolved.push(resolveOne(tools, workflow, thought, seen, before));
  }
  return resolved;
}

function resolveOne(
  tools: CommitTools,
  workflow: WorkflowThought,
  thought: Thought,
  seen: Observation,
  before: readonly Plan[],
): Resolved {
  const { decision } = workflow;
  if (!isMove(decision)) return { thought: workflow, decision, plan: null };
  const plan = planOf(tools, workflow, thought, seen);
  const objection =
    findings(tools.deps, plan, workflow, thought, seen) ??
    busyIndex(tools.deps, plan, seen, before);
  if (objection === null) return { thought: workflow, decision, plan };
  return { thought: workflow, decision: heldBack(decision, objection), plan: null };
}

/** Pure: the same thought gives the same plan, but for its name. */
function planOf(
  { deps, moves }: CommitTools,
  { decision, intent }: WorkflowThought,
  thought: Thought,
  seen: Observation,
): Plan {
  const { workflow } = intent.value;
  const spec = deps.spec.workflows[workflow];
  if (spec === undefined) throw new Error(`no workflow ${workflow} in the spec`);
  return planFor({
    decision,
    intent: intent.value,
    spec,
    detection: deps.spec.detection,
    ownerships: seen.ownerships.map(({ value }) => value),
    release: releaseIn(decision.to[0] ?? "", seen),
    id: deps.newId(),
    parent: moves.lastPlan(workflow),
    now: deps.clock.now(),
    failed: thought.failed,
  });
}

/** While an activation is under way, that of the region which takes over: it has its own. */
function releaseIn(region: string, { releaseIntent }: Observation): string {
  return releaseIntent === null ? NO_RELEASE : releaseOf(releaseIntent.value, region);
}

function findings(
  deps: ControllerDeps,
  plan: Plan,
  { intent }: WorkflowThought,
  { failed }: Thought,
  seen: Observation,
): string | null {
  const found = lint(plan, {
    intent: intent.value,
    ownerships: seen.ownerships.map(({ value }) => value),
    regions: Object.keys(deps.spec.regions),
    failed,
    index: deps.spec.workflows[plan.workflow]?.retrieval?.index ?? null,
  });
  return found.length === 0
    ? null
    : `the plan would break a rule: ${found.map(({ message }) => message).join("; ")}`;
}

/**
 * Two planned moves must not drain one index at the same time: the first to be put back would thaw
 * it under the other. Failovers may: the first promotes, the second finds it promoted.
 */
function busyIndex(
  { spec }: ControllerDeps,
  plan: Plan,
  seen: Observation,
  before: readonly Plan[],
): string | null {
  if (!plan.steps.some(({ kind }) => kind === "freeze-index")) return null;
  const index = spec.workflows[plan.workflow]?.retrieval?.index;
  const hold = seen.indexHolds.find(({ value }) => value.index === index);
  if (hold !== undefined) return `index ${index} is being moved by plan ${hold.value.plan}`;
  const moving = [
    ...seen.intents.filter(({ value }) => value.movingBy !== null).map(({ value }) => value),
    ...before,
  ].find(({ workflow }) => spec.workflows[workflow]?.retrieval?.index === index);
  return moving ? `index ${index} is being moved for ${moving.workflow}` : null;
}

/** One transaction: the plan, its journal, the hold on its workflow, the request it answers. */
export async function commitPlan(
  tools: CommitTools,
  resolved: Resolved,
  plan: Plan,
): Promise<void> {
  const { recorder, term } = tools;
  const { intent, request } = resolved.thought;
  const key = KEYS.intent(plan.workflow);
  await recorder.commit(term.fence, {
    compare: [unchanged(key, intent), { key: KEYS.plan(plan.id), revision: 0 }],
    operations: [
      { put: KEYS.plan(plan.id), value: plan },
      { put: KEYS.planState(plan.id), value: firstState(plan) },
      { put: key, value: { ...intent.value, movingBy: plan.id } },
      ...(request === null ? [] : [{ delete: KEYS.request(request.id) }]),
    ],
    facts: [planFact(plan, request)],
  });
}

/** A request that cannot be answered now is refused now: nobody wants it carried out next week. */
export async function refuseRequest(
  { recorder, term }: CommitTools,
  request: OperatorRequest,
  decision: Decision,
): Promise<void> {
  const reasons = decision.refused
    .filter(({ why }) => !decision.because.includes(why))
    .map(({ alternative, why }) => `${alternative}: ${why}`);
  const because = [whyRefused(decision), ...reasons].join("; ");
  await recorder.commit(term.fence, {
    operations: [{ delete: KEYS.request(request.id) }],
    facts: [
      {
        kind: "request",
        workflow: request.workflow,
        text: `${request.by}'s ${request.kind} of ${request.workflow} is refused: ${because}`,
        data: { request, decision },
      },
    ],
  });
}

/** A plan that somebody else's write overtook is thought of anew at the next turn. */
export async function unlessOvertaken(work: Promise<void>): Promise<void> {
  await work.catch((error) => {
    if (!hasCode(error, "STORE_CONFLICT")) throw error;
  });
}

export function isMove({ kind }: Decision): boolean {
  return kind === "failover" || kind === "switchover" || kind === "failback";
}

/** The decision as it stands in the record then: a hold, with the move among what was refused. */
function heldBack(decision: Decision, why: string): Decision {
  const alternative = `${decision.kind} to ${decision.to.join(", ")}`;
  return {
    ...decision,
    kind: "hold",
    from: [],
    to: [],
    because: `${alternative} is held back: ${why}`,
    refused: [...decision.refused, { alternative, why }],
  };
}

function planFact(plan: Plan, request: OperatorRequest | null): Fact {
  const { kind, from, to, because } = plan.decision;
  const steps = plan.steps.map(({ id }) => id);
  return {
    kind: "plan",
    workflow: plan.workflow,
    planId: plan.id,
    text: `plan ${plan.id}: ${kind} of ${plan.workflow} from ${from.join(", ")} to ${to.join(", ")} under epoch ${plan.epoch}: ${because}`,
    data: { status: "running", decision: plan.decision, epoch: plan.epoch, steps, request },
  };
}
