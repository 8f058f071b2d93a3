import { KEYS } from "../../model/keys.ts";
import { stepFailed } from "../engine/errors.ts";
import { unchanged } from "../engine/state.ts";
import { ownReleaseIntent } from "./release-held.ts";
import type { StepRunner } from "./step.ts";

/** Raises the release's epoch to the plan's: whoever acts under the old one is refused from here. */
export const takeRelease: StepRunner = {
  kind: "take-release",
  async check(ctx) {
    return (await ownReleaseIntent(ctx)).value.epoch === ctx.plan.epoch;
  },
  async apply(ctx) {
    const { plan } = ctx;
    const intent = await ownReleaseIntent(ctx);
    const because = `${plan.decision.kind} by plan ${plan.id}: ${plan.decision.because}`;
    await ctx.write({
      compare: [unchanged(KEYS.releaseIntent, intent)],
      operations: [
        { put: KEYS.releaseIntent, value: { ...intent.value, epoch: plan.epoch, because } },
      ],
      facts: [],
    });
  },
  async prove(ctx) {
    const { epoch } = (await ownReleaseIntent(ctx)).value;
    if (epoch !== ctx.plan.epoch) throw stepFailed(`the release is at epoch ${epoch}`, "later");
    return {
      text: `the release is at epoch ${epoch}, held by plan ${ctx.plan.id}`,
      data: { epoch },
    };
  },
  /** An epoch never goes back: somebody may have seen it. The hold ends with the plan. */
  undo: async ({ plan }) => `epoch ${plan.epoch} stays used; the release is let go at the end`,
};
