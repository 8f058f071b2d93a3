import { whyRefused } from "../../core/decisions/words.ts";
import { indexPlanFor } from "../../core/plans/index-plan.ts";
import { lintIndexMove } from "../../core/plans/lint/index-move-rules.ts";
import type { Decision } from "../../model/decision.ts";
import { KEYS } from "../../model/keys.ts";
import type { Plan } from "../../model/plan.ts";
import type { IndexRequest } from "../../model/request.ts";
import { type CommitTools, unlessOvertaken } from "./commit.ts";
import { firstState } from "./journal.ts";
import type { Observation } from "./observe.ts";
import type { Fact } from "./record.ts";
import { unchanged } from "./state.ts";
import type { IndexThought, Thought } from "./think.ts";

/**
 * Turns the decisions about who owns each index into plans, or refuses the requests that asked for
 * them. `moving`: plans that were committed for workflows in this turn. Gives the new plans' ids.
 */
export async function actOnIndexes(
  tools: CommitTools,
  thought: Thought,
  seen: Observation,
  moving: readonly Plan[],
): Promise<string[]> {
  const committed: string[] = [];
  for (const one of thought.indexes) {
    const plan = await actOnOne(tools, one, { thought, seen, moving });
    if (plan !== null) committed.push(plan);
  }
  await refuseUnknown(tools, seen);
  return committed;
}

async function actOnOne(
  tools: CommitTools,
  one: IndexThought,
  about: {
    readonly thought: Thought;
    readonly seen: Observation;
    readonly moving: readonly Plan[];
  },
): Promise<string | null> {
  const { decision, request, requestWaits } = one;
  const { index } = one.ownership.value;
  if (decision.kind !== "move-index") {
    if (request !== null && !requestWaits) await refuse(tools, request, decision);
    return null;
  }
  // A workflow's plan of this turn takes it along, or drains it: the next turn sees what is left.
  if (about.moving.some(({ steps }) => steps.some((step) => step.index === index))) return null;
  const plan = planOf(tools, one, about.seen);
  const objection = objectionTo(tools, plan, one, about);
  if (objection !== null) {
    if (request !== null) await refuse(tools, request, { ...decision, because: objection });
    else tools.deps.logger.error({ plan: plan.id }, objection);
    return null;
  }
  let committed: string | null = null;
  await unlessOvertaken(
    commit(tools, one, plan).then(() => {
      committed = plan.id;
    }),
  );
  return committed;
}

/** Pure: the same thought gives the same plan, but for its name. */
function planOf(
  { deps, moves }: CommitTools,
  { decision, ownership }: IndexThought,
  { copies }: Observation,
): Plan {
  const { index } = ownership.value;
  const taker = copies.find((one) => one.index === index && decision.to.includes(one.region));
  return indexPlanFor({
    decision,
    ownership: ownership.value,
    detection: deps.spec.detection,
    records: taker?.seen[0]?.state.position.count ?? 0,
    id: deps.newId(),
    parent: moves.lastPlan(decision.workflow),
    now: deps.clock.now(),
  });
}

function objectionTo(
  { deps }: CommitTools,
  plan: Plan,
  { ownership }: IndexThought,
  { thought, seen }: { readonly thought: Thought; readonly seen: Observation },
): string | null {
  const { index } = ownership.value;
  const found = lintIndexMove(plan, {
    ownership: ownership.value,
    heldBy: seen.indexHolds.find(({ value }) => value.index === index)?.value.plan ?? null,
    regions: Object.keys(deps.spec.regions),
    failed: thought.failed,
  });
  if (found.length === 0) return null;
  return `the plan would break a rule: ${found.map(({ message }) => message).join("; ")}`;
}

/** One transaction: the plan, its journal, the hold on the index, the request it answers. */
async function commit(
  { recorder, term }: CommitTools,
  { ownership, request }: IndexThought,
  plan: Plan,
): Promise<void> {
  const { index } = ownership.value;
  await recorder.commit(term.fence, {
    compare: [
      unchanged(KEYS.ownership(index), ownership),
      { key: KEYS.indexHold(index), revision: 0 },
      { key: KEYS.plan(plan.id), revision: 0 },
    ],
    operations: [
      { put: KEYS.plan(plan.id), value: plan },
      { put: KEYS.planState(plan.id), value: firstState(plan) },
      { put: KEYS.indexHold(index), value: { index, plan: plan.id } },
      ...(request === null ? [] : [{ delete: KEYS.indexRequest(request.id) }]),
    ],
    facts: [planFact(plan, request)],
  });
}

function planFact(plan: Plan, request: IndexRequest | null): Fact {
  const { from, to, because } = plan.decision;
  const steps = plan.steps.map(({ id }) => id);
  return {
    kind: "plan",
    workflow: plan.workflow,
    planId: plan.id,
    text: `plan ${plan.id}: ${plan.workflow} is to be owned by ${to.join(", ")} instead of ${from.join(", ")}, under epoch ${plan.epoch}: ${because}`,
    data: { status: "running", decision: plan.decision, epoch: plan.epoch, steps, request },
  };
}

async function refuseUnknown(tools: CommitTools, seen: Observation): Promise<void> {
  const { indexes } = tools.deps.spec;
  for (const request of seen.indexRequests.filter(({ index }) => !indexes[index])) {
    const because = `there is no index ${request.index} in the spec`;
    await refuse(tools, request, { because, refused: [] });
  }
}

async function refuse(
  { recorder, term }: CommitTools,
  request: IndexRequest,
  decision: Pick<Decision, "because" | "refused">,
): Promise<void> {
  await recorder.commit(term.fence, {
    operations: [{ delete: KEYS.indexRequest(request.id) }],
    facts: [
      {
        kind: "request",
        text: `${request.by}'s move of index ${request.index} is refused: ${whyRefused(decision)}`,
        data: { request, decision },
      },
    ],
  });
}
