import { EVERY_WORKFLOW } from "../../model/decision.ts";
import { KEYS } from "../../model/keys.ts";
import type { Plan } from "../../model/plan.ts";
import { lastGood, releaseOf } from "../../model/release-intent.ts";
import type { Compare, Operation, Store } from "../../ports/store.ts";
import { readIntent, readReleaseIntent, unchanged } from "./state.ts";

/** What a plan holds while it runs: a workflow's intent, or the release's. */

interface LettingGo {
  readonly compare: readonly Compare[];
  readonly operations: readonly Operation[];
}

/** The write that ends the hold; empty when somebody else has it by now. */
export function letGo(plan: Plan, store: Store): Promise<LettingGo> {
  return isOfRelease(plan) ? letReleaseGo(plan, store) : letWorkflowGo(plan, store);
}

async function letWorkflowGo(plan: Plan, store: Store): Promise<LettingGo> {
  const intent = await readIntent(store, plan.workflow);
  if (intent?.value.movingBy !== plan.id) return { compare: [], operations: [] };
  const key = KEYS.intent(plan.workflow);
  return {
    compare: [unchanged(key, intent)],
    operations: [{ put: key, value: { ...intent.value, movingBy: null } }],
  };
}

async function letReleaseGo(plan: Plan, store: Store): Promise<LettingGo> {
  const intent = await readReleaseIntent(store);
  if (intent?.value.heldBy?.plan !== plan.id) return { compare: [], operations: [] };
  return {
    compare: [unchanged(KEYS.releaseIntent, intent)],
    operations: [{ put: KEYS.releaseIntent, value: { ...intent.value, heldBy: null } }],
  };
}

/** Whether the plan's effect is there and must not be put back; the store says so, not its steps. */
export function isPastReturn(plan: Plan, store: Store): Promise<boolean> {
  return isOfRelease(plan) ? isReleaseKept(plan, store) : isOpened(plan, store);
}

async function isOpened(plan: Plan, store: Store): Promise<boolean> {
  const intent = (await readIntent(store, plan.workflow))?.value;
  if (intent === undefined || intent.epoch !== plan.epoch) return false;
  const to = new Set(plan.decision.to);
  return intent.serving.length === to.size && intent.serving.every((region) => to.has(region));
}

/**
 * An activation is kept once its release is written down as good; until then it is put back. A
 * rollback is kept as soon as it is written: what it left is bad.
 */
async function isReleaseKept(plan: Plan, store: Store): Promise<boolean> {
  const intent = (await readReleaseIntent(store))?.value;
  if (intent === undefined || intent.epoch !== plan.epoch) return false;
  if (plan.decision.kind === "activate") return lastGood(intent) === plan.release;
  return plan.decision.to.every((region) => releaseOf(intent, region) === plan.release);
}

/** What a completed plan has brought about, for the record. */
export function outcomeOf(plan: Plan): string {
  const to = plan.decision.to.join(", ");
  return isOfRelease(plan)
    ? `${to} serve release ${plan.release}`
    : `${plan.workflow} is served by ${to}`;
}

/** What stays of a plan that failed and is not put back. */
export function keptOf(plan: Plan): string {
  const to = plan.decision.to.join(", ");
  return isOfRelease(plan) ? `${to} keep release ${plan.release}` : `${to} keeps the traffic`;
}

function isOfRelease({ workflow }: Plan): boolean {
  return workflow === EVERY_WORKFLOW;
}
