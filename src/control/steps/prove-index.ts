import { stepFailed } from "../engine/errors.ts";
import { indexOf, regionOf } from "./ownership.ts";
import type { StepRunner } from "./step.ts";

/** Has a region look at its whole copy of an index, and pass the acceptance gate with it. */
export const proveIndex: StepRunner = {
  kind: "prove-index",
  check: async () => false,
  apply: async () => undefined,
  async prove(ctx) {
    const [region, index] = [regionOf(ctx), indexOf(ctx)];
    const proof = await ctx.deps.agents.proveIndex(region, index, ctx.timeLeft());
    // Final: it reads the whole copy, and what is wrong with it is not mended within a deadline.
    if (!proof.accepted) {
      throw stepFailed(`${region}'s copy of ${index} is not accepted: ${proof.because}`, "never");
    }
    return { text: `${region}'s copy of ${index} is accepted: ${proof.because}`, data: { proof } };
  },
  undo: async () => "nothing to put back: it only looked",
};
