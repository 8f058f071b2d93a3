import { whyRefused } from "../../core/decisions/words.ts";
import { lintRelease } from "../../core/plans/lint/release-rules.ts";
import { releasePlanFor } from "../../core/plans/release-plan.ts";
import { type Decision, EVERY_WORKFLOW } from "../../model/decision.ts";
import { KEYS } from "../../model/keys.ts";
import type { Plan, PlanState } from "../../model/plan.ts";
import { lastGood, type ReleaseIntent } from "../../model/release-intent.ts";
import type { ReleaseRequest } from "../../model/request.ts";
import { releaseSpecOf } from "../../model/spec.ts";
import { type CommitTools, unlessOvertaken } from "./commit.ts";
import { firstState, isOver } from "./journal.ts";
import type { Observation } from "./observe.ts";
import type { Fact } from "./record.ts";
import { contentObjection } from "./release-content.ts";
import { type Held, readPlanState, unchanged } from "./state.ts";
import type { ReleaseThought, Thought } from "./think.ts";

/** What a region runs a new release for before the next one gets it, unless the spec says. */
const BAKE_MS = 5_000;

/**
 * Turns the decision about the release into a plan, or refuses the request that asked for it. Gives
 * the id of the plan that was committed, if one was.
 */
export async function actOnRelease(
  tools: CommitTools,
  thought: Thought,
  seen: Observation,
): Promise<string[]> {
  const { release } = thought;
  if (release === null) return [];
  const { decision, request } = release;
  const kind = changeOf(decision);
  if (kind === null) {
    if (request !== null && !release.requestWaits) await refuse(tools, request, decision);
    return [];
  }
  const plan = planOf(tools, release);
  const objection =
    objectionTo(tools, plan, thought, seen) ?? (await objectionToContent(tools, release));
  if (objection !== null) {
    if (request !== null) await refuse(tools, request, { ...decision, because: objection });
    else tools.deps.logger.error({ plan: plan.id }, objection);
    return [];
  }
  const committed: string[] = [];
  await unlessOvertaken(
    commitReleasePlan(tools, release, plan, kind).then(() => void committed.push(plan.id)),
  );
  return committed;
}

type Change = NonNullable<ReleaseIntent["heldBy"]>["kind"];

function changeOf({ kind }: Decision): Change | null {
  return kind === "activate" || kind === "rollback" ? kind : null;
}

/** Pure: the same thought gives the same plan, but for its name. */
function planOf({ deps, moves }: CommitTools, { decision, intent }: ReleaseThought): Plan {
  return releasePlanFor({
    decision,
    intent: intent.value,
    detection: deps.spec.detection,
    bakeMs: deps.bakeMs ?? BAKE_MS,
    pauseMs: releaseSpecOf(deps.spec)?.pause,
    id: deps.newId(),
    parent: moves.lastPlan(EVERY_WORKFLOW),
    now: deps.clock.now(),
  });
}

function objectionTo(
  { deps }: CommitTools,
  plan: Plan,
  { failed, release }: Thought,
  seen: Observation,
): string | null {
  if (release === null) return "there is no release to change";
  const found = lintRelease(plan, {
    intent: release.intent.value,
    regions: Object.keys(deps.spec.regions),
    known: seen.releases.map(({ digest }) => digest),
    failed,
    serving: [...new Set(seen.intents.flatMap(({ value }) => value.serving))],
  });
  if (found.length === 0) return null;
  return `the plan would break a rule: ${found.map(({ message }) => message).join("; ")}`;
}

/** Of an activation alone: what a rollback leads to has been good here. */
async function objectionToContent(
  { deps: { store } }: CommitTools,
  { decision, intent, request }: ReleaseThought,
): Promise<string | null> {
  const { kind, release } = decision;
  if (kind !== "activate" || release === undefined) return null;
  const accepted = request?.acceptChanges === true;
  const about = { release, lastGood: lastGood(intent.value), accepted };
  const found = await contentObjection(store, about);
  return found === null ? null : `what it holds is doubtful: ${found}`;
}

/**
 * One transaction: the plan, its journal, the hold on the release, the request it answers, and the
 * end of the activation that it overtakes. Were that one's journal left open, its lane would try
 * for its whole deadline what it may not do any more.
 */
async function commitReleasePlan(
  { recorder, term, deps }: CommitTools,
  { intent, request }: ReleaseThought,
  plan: Plan,
  kind: Change,
): Promise<void> {
  const { heldBy } = intent.value;
  const overtaken = heldBy === null ? null : await readPlanState(deps.store, heldBy.plan);
  const ends = overtaken === null ? null : overtakenBy(plan, overtaken, deps.clock.now());
  const held: ReleaseIntent = { ...intent.value, heldBy: { plan: plan.id, kind } };
  await recorder.commit(term.fence, {
    compare: [
      unchanged(KEYS.releaseIntent, intent),
      { key: KEYS.plan(plan.id), revision: 0 },
      ...(ends === null ? [] : [unchanged(KEYS.planState(ends.planId), overtaken)]),
    ],
    operations: [
      { put: KEYS.plan(plan.id), value: plan },
      { put: KEYS.planState(plan.id), value: firstState(plan) },
      { put: KEYS.releaseIntent, value: held },
      ...(ends === null ? [] : [{ put: KEYS.planState(ends.planId), value: ends }]),
      ...(request === null ? [] : [{ delete: KEYS.releaseRequest(request.id) }]),
    ],
    facts: [...(ends === null ? [] : [overtakenFact(ends)]), planFact(plan, request)],
  });
}

function overtakenBy(plan: Plan, { value }: Held<PlanState>, now: number): PlanState | null {
  if (isOver(value)) return null;
  const because = `overtaken by the ${plan.decision.kind} of plan ${plan.id}`;
  const steps = value.steps.map((step) =>
    step.status === "started"
      ? { ...step, status: "failed" as const, endedAt: now, evidence: because }
      : step,
  );
  return { ...value, status: "failed", because, steps };
}

function overtakenFact({ planId, because }: PlanState): Fact {
  const text = `plan ${planId} ends here: ${because}`;
  return { kind: "plan", workflow: EVERY_WORKFLOW, planId, text, data: { status: "failed" } };
}

function planFact(plan: Plan, request: ReleaseRequest | null): Fact {
  const { kind, to, because } = plan.decision;
  const steps = plan.steps.map(({ id }) => id);
  return {
    kind: "plan",
    workflow: EVERY_WORKFLOW,
    planId: plan.id,
    text: `plan ${plan.id}: ${kind} of release ${plan.release} in ${to.join(", ")} under epoch ${plan.epoch}: ${because}`,
    data: { status: "running", decision: plan.decision, epoch: plan.epoch, steps, request },
  };
}

async function refuse(
  { recorder, term }: CommitTools,
  request: ReleaseRequest,
  decision: Decision,
): Promise<void> {
  const { kind, by, id } = request;
  await recorder.commit(term.fence, {
    operations: [{ delete: KEYS.releaseRequest(id) }],
    facts: [
      {
        kind: "request",
        workflow: EVERY_WORKFLOW,
        text: `${by}'s ${kind} of the release is refused: ${whyRefused(decision)}`,
        data: { request, decision },
      },
    ],
  });
}
