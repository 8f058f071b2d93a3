import type { Ownership } from "../../model/intent.ts";
import { KEYS } from "../../model/keys.ts";
import { epochStale, stepFailed } from "../engine/errors.ts";
import { type Held, readOwnership, unchanged } from "../engine/state.ts";
import type { StepContext } from "./step.ts";

/** What the steps that move an index share. */

export function indexOf({ step }: StepContext): string {
  if (step.index === null) throw stepFailed(`step ${step.id} names no index`, "never");
  return step.index;
}

/** The one region that the step acts on. */
export function regionOf({ step }: StepContext): string {
  const [region] = step.regions;
  if (region === undefined) throw stepFailed(`step ${step.id} names no region`, "never");
  return region;
}

export async function ownershipOf(ctx: StepContext): Promise<Held<Ownership>> {
  const index = indexOf(ctx);
  const ownership = await readOwnership(ctx.deps.store, index);
  if (ownership === null) throw stepFailed(`index ${index} has no owner in the store`, "never");
  return ownership;
}

/** Gives the index a new owner, or the same one another right, under the next epoch. */
export async function changeOwnership(
  ctx: StepContext,
  from: Held<Ownership>,
  change: { readonly region: string; readonly frozen: boolean },
): Promise<Ownership> {
  const { index, epoch } = from.value;
  const value: Ownership = { index, epoch: epoch + 1, ...change };
  const key = KEYS.ownership(index);
  await ctx.write({
    compare: [unchanged(key, from)],
    operations: [{ put: key, value }],
    facts: [],
  });
  return value;
}

/**
 * The fence of a plan that moves an index alone: it acts under the ownership's epoch, and each of
 * its writes knows which one it must find. A workflow's plan is fenced by the workflow's epoch.
 */
export function isExpected(ctx: StepContext, { value }: Held<Ownership>, epoch: number): boolean {
  return ctx.plan.decision.kind !== "move-index" || value.epoch === epoch;
}

/** Throws EPOCH_STALE when another plan has changed the ownership since this one was made. */
export function requireExpected(ctx: StepContext, held: Held<Ownership>, epoch: number): void {
  if (isExpected(ctx, held, epoch)) return;
  const { index, region, epoch: found } = held.value;
  throw epochStale(
    `${index} is ${region}'s under epoch ${found}, and this plan expects epoch ${epoch}`,
  );
}

/** Longest wait for somebody who need not answer. */
const COURTESY_MS = 1_000;

/**
 * Tells a region that need not answer. It reads the store when it is back, and the store refuses
 * it until then; telling it only makes it sooner.
 */
export async function tellIfPossible(
  ctx: StepContext,
  region: string,
  ownership: Ownership,
): Promise<boolean> {
  const timeoutMs = Math.min(COURTESY_MS, ctx.timeLeft());
  return ctx.deps.agents.obeyOwnership(region, ownership, timeoutMs).then(
    () => true,
    () => false,
  );
}
