import type { Intent } from "../../model/intent.ts";
import { KEYS } from "../../model/keys.ts";
import { epochStale, stepFailed } from "../engine/errors.ts";
import { type Held, readIntent, unchanged } from "../engine/state.ts";
import type { StepContext, StepRunner } from "./step.ts";

/**
 * Raises the workflow's epoch to the plan's. From here on whoever acts under the old one is
 * refused: an older plan, a leader that slept, a region that comes back.
 */
export const takeOwnership: StepRunner = {
  kind: "take-ownership",
  async check(ctx) {
    return (await ownIntent(ctx)).value.epoch === ctx.plan.epoch;
  },
  async apply(ctx) {
    const { plan, deps } = ctx;
    const intent = await ownIntent(ctx);
    const key = KEYS.intent(plan.workflow);
    const because = `${plan.decision.kind} by plan ${plan.id}: ${plan.decision.because}`;
    const value = { ...intent.value, epoch: plan.epoch, because, since: deps.clock.now() };
    await ctx.write({
      compare: [unchanged(key, intent)],
      operations: [{ put: key, value }],
      facts: [],
    });
  },
  async prove(ctx) {
    const { value } = await ownIntent(ctx);
    if (value.epoch !== ctx.plan.epoch) {
      throw stepFailed(`${value.workflow} is at epoch ${value.epoch}`, "later");
    }
    return {
      text: `${value.workflow} is at epoch ${value.epoch}, held by plan ${ctx.plan.id}`,
      data: { epoch: value.epoch },
    };
  },
  /**
   * An epoch never goes back: somebody may have seen it. The hold on the workflow ends in the same
   * write that ends the plan (run-plan.ts); were it let go here, a crash in between would leave an
   * unfinished plan that no workflow points to.
   */
  undo: async ({ plan }) => `epoch ${plan.epoch} stays used; ${plan.workflow} is let go at the end`,
};

/** The plan's intent. Throws EPOCH_STALE when it is another plan's, or beyond this one's epoch. */
export async function ownIntent({ plan, deps }: StepContext): Promise<Held<Intent>> {
  const intent = await readIntent(deps.store, plan.workflow);
  if (intent === null) throw stepFailed(`${plan.workflow} has no intent in the store`, "never");
  const { movingBy, epoch } = intent.value;
  if (movingBy !== plan.id || epoch > plan.epoch) {
    const holder = movingBy === null ? "nobody" : `plan ${movingBy}`;
    throw epochStale(
      `${plan.workflow} is held by ${holder} at epoch ${epoch}; this plan acts under ${plan.epoch}`,
    );
  }
  return intent;
}
