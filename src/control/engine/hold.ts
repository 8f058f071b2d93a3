import { EVERY_WORKFLOW } from "../../model/decision.ts";
import { KEYS } from "../../model/keys.ts";
import type { Plan } from "../../model/plan.ts";
import { lastGood, releaseOf } from "../../model/release-intent.ts";
import type { Compare, Operation, Store } from "../../ports/store.ts";
import { readIndexHold, readIntent, readOwnership, readReleaseIntent, unchanged } from "./state.ts";

/** What a plan holds while it runs: a workflow's intent, the release's, or an index's ownership. */

interface LettingGo {
  readonly compare: readonly Compare[];
  readonly operations: readonly Operation[];
}

/** The write that ends the hold; empty when somebody else has it by now. */
export function letGo(plan: Plan, store: Store): Promise<LettingGo> {
  const index = indexIn(plan);
  if (index !== null) return letIndexGo(plan, store, index);
  return isOfRelease(plan) ? letReleaseGo(plan, store) : letWorkflowGo(plan, store);
}

async function letIndexGo(plan: Plan, store: Store, index: string): Promise<LettingGo> {
  const hold = await readIndexHold(store, index);
  if (hold?.value.plan !== plan.id) return { compare: [], operations: [] };
  const key = KEYS.indexHold(index);
  return { compare: [unchanged(key, hold)], operations: [{ delete: key }] };
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
  const index = indexIn(plan);
  if (index !== null) return isIndexMoved(plan, store, index);
  return isOfRelease(plan) ? isReleaseKept(plan, store) : isOpened(plan, store);
}

/** An owner that takes writes may have taken some already. */
async function isIndexMoved({ decision }: Plan, store: Store, index: string): Promise<boolean> {
  const ownership = (await readOwnership(store, index))?.value;
  return ownership !== undefined && decision.to.includes(ownership.region) && !ownership.frozen;
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
  const index = indexIn(plan);
  if (index !== null) return `${to} owns index ${index}, and traffic is where it was`;
  return isOfRelease(plan)
    ? `${to} serve release ${plan.release}`
    : `${plan.workflow} is served by ${to}`;
}

/** What stays of a plan that failed and is not put back. */
export function keptOf(plan: Plan): string {
  const to = plan.decision.to.join(", ");
  const index = indexIn(plan);
  if (index !== null) return `${to} keeps index ${index}`;
  return isOfRelease(plan) ? `${to} keep release ${plan.release}` : `${to} keeps the traffic`;
}

/** The index that the plan moves alone; null for every other plan. */
export function indexIn({ decision }: Plan): string | null {
  return decision.index?.name ?? null;
}

function isOfRelease({ workflow }: Plan): boolean {
  return workflow === EVERY_WORKFLOW;
}
