import { leavesWhole } from "../../core/plans/input.ts";
import type { Ownership } from "../../model/intent.ts";
import type { Position } from "../../model/position.ts";
import { epochStale, stepFailed } from "../engine/errors.ts";
import type { Held } from "../engine/state.ts";
import { isLevel } from "./catch-up-index.ts";
import {
  changeOwnership,
  indexOf,
  ownershipOf,
  regionOf,
  requireExpected,
  tellIfPossible,
} from "./ownership.ts";
import type { StepContext, StepRunner } from "./step.ts";

/** Makes the step's region the one that may write the index. */
export const promoteIndex: StepRunner = {
  kind: "promote-index",
  async check(ctx) {
    return isOwner(await ownershipOf(ctx), regionOf(ctx));
  },
  async apply(ctx) {
    const ownership = await ownershipOf(ctx);
    requirePromotable(ctx, ownership.value);
    const { epoch } = ctx.plan;
    requireExpected(ctx, ownership, drainedFrom(ctx) === null ? epoch - 1 : epoch);
    await changeOwnership(ctx, ownership, { region: regionOf(ctx), frozen: false });
  },
  async prove(ctx) {
    const region = regionOf(ctx);
    const ownership = await ownershipOf(ctx);
    if (!isOwner(ownership, region)) throw stepFailed(`${region} does not own it yet`, "later");
    const old = formerOwner(ctx);
    // Beside, not before: in a failover the old owner is dead, and its time-out is recovery time.
    const courtesy = old === null ? null : tellIfPossible(ctx, old, ownership.value);
    const position = await ctx.deps.agents.obeyOwnership(region, ownership.value, ctx.timeLeft());
    if (leavesWhole(ctx.plan.decision)) await courtesy;
    const lastKnown = lastKnownOf(ctx, old);
    return {
      text: `${region} writes ${indexOf(ctx)} under epoch ${ownership.value.epoch}, from ${position.seq}; ${comparison(lastKnown, position)}`,
      // The recovery point actual is reckoned from these two.
      data: { ownership: ownership.value, position, formerOwner: old, lastKnown },
    };
  },
  async undo(ctx) {
    const old = drainedFrom(ctx);
    const ownership = await ownershipOf(ctx);
    const { index, region } = ownership.value;
    // A dead region is given nothing back; and where a copy is level, who writes it is no fault.
    if (old === null) return `${index} stays with ${region}: its former owner failed`;
    if (region === old) return `${index} is ${old}'s`;
    // Another plan's move since: to give it back from there would undo what this one never did.
    if (region !== regionOf(ctx)) return `${index} is ${region}'s by now`;
    return giveBack(ctx, ownership, old);
  },
};

/**
 * Frozen, caught up, given back: the new owner may have taken writes meanwhile, and handing over
 * without them would lose them. If the old owner cannot catch up, the new one keeps the index
 * (thawed): a workflow may be served in one region and its index be written in another.
 */
async function giveBack(ctx: StepContext, from: Held<Ownership>, old: string): Promise<string> {
  const { index, region } = from.value;
  if (!from.value.frozen) await changeOwnership(ctx, from, { region, frozen: true });
  const frozen = await ownershipOf(ctx);
  const level = await drain(ctx, frozen.value, old).catch(() => false);
  const owner = level ? old : region;
  const given = await changeOwnership(ctx, frozen, { region: owner, frozen: false });
  await Promise.all([region, old].map((each) => tellIfPossible(ctx, each, given)));
  return level
    ? `${old} writes ${index} again (epoch ${given.epoch})`
    : `${index} stays with ${region} (epoch ${given.epoch}): ${old} could not be made level`;
}

async function drain(ctx: StepContext, frozen: Ownership, old: string): Promise<boolean> {
  // Half the time at most, so that enough is left to thaw the index if this does not succeed.
  const timeoutMs = ctx.timeLeft() / 2;
  await ctx.deps.agents.obeyOwnership(frozen.region, frozen, timeoutMs / 2);
  const { own, owner } = await ctx.deps.agents.catchUp(old, frozen.index, timeoutMs / 2);
  return owner !== null && isLevel(own, owner);
}

function isOwner({ value }: Held<Ownership>, region: string): boolean {
  return value.region === region && !value.frozen;
}

/** The fence of this step: nobody but the plan's own source may be deposed by it. */
function requirePromotable(ctx: StepContext, { index, region, frozen }: Ownership): void {
  const { from } = ctx.plan.decision;
  if (region !== regionOf(ctx) && !from.includes(region)) {
    throw epochStale(`${index} is ${region}'s now, which is not in ${from.join(", ")}`);
  }
  // Promoting over an owner that still writes would lose what it writes from here on.
  if (drainedFrom(ctx) !== null && !frozen) {
    throw stepFailed(`${index} is not frozen any more: it must be drained again`, "never");
  }
}

/** The region that this plan froze the index in; null in a plan that did not (a failover). */
function drainedFrom(ctx: StepContext): string | null {
  const freeze = ctx.plan.steps.find(
    ({ kind, index }) => kind === "freeze-index" && index === ctx.step.index,
  );
  return freeze?.regions[0] ?? null;
}

function formerOwner(ctx: StepContext): string | null {
  return drainedFrom(ctx) ?? ctx.plan.decision.from.find((one) => one !== regionOf(ctx)) ?? null;
}

/** The former owner's newest position that anybody reported: itself, or a replica that asked it. */
function lastKnownOf(ctx: StepContext, former: string | null): Position | null {
  const index = indexOf(ctx);
  const known = [...ctx.engine.reports()].flatMap(([region, { report }]) =>
    report.indexes
      .filter((state) => state.index === index)
      .map((state) => (region === former ? state.position : state.ownerPosition)),
  );
  return known.reduce((best, one) => ((one?.seq ?? -1) > (best?.seq ?? -1) ? one : best), null);
}

function comparison(lastKnown: Position | null, own: Position): string {
  if (lastKnown === null) return "the former owner's position is not known";
  const behind = lastKnown.seq - own.seq;
  return behind <= 0
    ? "every change that the former owner was known to have is there"
    : `${behind} changes that the former owner was known to have are not there`;
}
