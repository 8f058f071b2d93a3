import { epochStale, stepFailed } from "../engine/errors.ts";
import {
  changeOwnership,
  isExpected,
  ownershipOf,
  regionOf,
  requireExpected,
  tellIfPossible,
} from "./ownership.ts";
import type { StepContext, StepRunner } from "./step.ts";

/** Stops writes to an index, so that its replica can become level before it takes over. */
export const freezeIndex: StepRunner = {
  kind: "freeze-index",
  async check(ctx) {
    return (await isFrozen(ctx)) || (await hasMovedOn(ctx));
  },
  async apply(ctx) {
    const region = regionOf(ctx);
    const ownership = await ownershipOf(ctx);
    if (ownership.value.region !== region) {
      throw epochStale(`${ownership.value.index} is ${ownership.value.region}'s, not ${region}'s`);
    }
    requireExpected(ctx, ownership, ctx.plan.epoch - 1);
    await changeOwnership(ctx, ownership, { region, frozen: true });
  },
  async prove(ctx) {
    const { value: ownership } = await ownershipOf(ctx);
    const { index, epoch, region } = ownership;
    if (await hasMovedOn(ctx)) return { text: `${index} is ${region}'s already`, data: {} };
    if (!(await isFrozen(ctx))) throw stepFailed(`${index} is not frozen in the store`, "later");
    // Telling is the proof: the agent answers with its position only when it obeys.
    const position = await ctx.deps.agents.obeyOwnership(region, ownership, ctx.timeLeft());
    return {
      text: `${region} takes no more writes to ${index} (epoch ${epoch}) at ${position.seq}`,
      data: { ownership, position },
    };
  },
  /** Under yet another epoch: the frozen one was seen, and would not be believed twice. */
  async undo(ctx) {
    const region = regionOf(ctx);
    const ownership = await ownershipOf(ctx);
    const { index } = ownership.value;
    if (ownership.value.region !== region) return `${index} is ${ownership.value.region}'s`;
    const thawed = (await isFrozen(ctx))
      ? await changeOwnership(ctx, ownership, { region, frozen: false })
      : ownership.value;
    const told = await tellIfPossible(ctx, region, thawed);
    const heard = told ? "knows it" : "reads it when it is back";
    return `${region} may write ${index} again (epoch ${thawed.epoch}) and ${heard}`;
  },
};

/** By this plan, where the plan is about the index alone: nobody else's freeze is its own to end. */
async function isFrozen(ctx: StepContext): Promise<boolean> {
  const ownership = await ownershipOf(ctx);
  return ownership.value.frozen && isExpected(ctx, ownership, ctx.plan.epoch);
}

/** The region that shall take over owns it already: another plan moved the same index. */
async function hasMovedOn(ctx: StepContext): Promise<boolean> {
  const { value } = await ownershipOf(ctx);
  return !value.frozen && ctx.plan.decision.to.includes(value.region);
}
