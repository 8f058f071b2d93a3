import { KEYS } from "../../model/keys.ts";
import { stepFailed } from "../engine/errors.ts";
import { nextSnapshot } from "../engine/publish.ts";
import { readIntents, readReleases, readSnapshot, unchanged } from "../engine/state.ts";
import type { StepContext, StepRunner } from "./step.ts";
import { ownIntent } from "./take-ownership.ts";

/** Says who serves from now on, in one write with the snapshot that tells the gateways. */
export const openTraffic: StepRunner = {
  kind: "open-traffic",
  check: isOpen,
  async apply(ctx) {
    const { deps, plan, step, engine } = ctx;
    requireSomebody(ctx);
    // The snapshot before the intents and the releases: were another lane to publish in between, the
    // compare on the snapshot fails, and no change of theirs can be published away.
    const current = await readSnapshot(deps.store);
    const intent = await ownIntent(ctx);
    if (intent.value.epoch !== plan.epoch) throw stepFailed("the ownership is not taken", "never");
    const because = `${plan.workflow} is served by ${step.regions.join(", ")}: ${plan.decision.because}`;
    const opened = { ...intent.value, serving: [...step.regions], because };
    const others = (await readIntents(deps.store)).map(({ value }) => value);
    const intents = others.map((one) => (one.workflow === plan.workflow ? opened : one));
    const releases = await readReleases(deps.store);
    const next = nextSnapshot(deps, current, { intents, releases, because });
    const key = KEYS.intent(plan.workflow);
    await ctx.write({
      compare: [unchanged(key, intent), ...next.write.compare],
      operations: [{ put: key, value: opened }, ...next.write.operations],
      facts: next.write.facts.map((fact) => ({
        ...fact,
        workflow: plan.workflow,
        planId: plan.id,
      })),
    });
    engine.publisher.offer(next.snapshot, Object.keys(deps.spec.regions));
  },
  async prove(ctx) {
    if (!(await isOpen(ctx))) throw stepFailed("the intent does not say so yet", "later");
    const number = (await readSnapshot(ctx.deps.store))?.value.number ?? 0;
    const regions = ctx.step.regions.join(", ");
    return {
      text: `snapshot ${number} says that ${regions} serves ${ctx.plan.workflow} under epoch ${ctx.plan.epoch}`,
      data: { number, serving: ctx.step.regions },
    };
  },
  /**
   * None: the point of no return. Gateways may have the snapshot, callers may have answers from the
   * new region, and the old one may be dead. Going back is a new decision with its own proof.
   * Called only when the write never happened.
   */
  undo: async () => "nothing to put back: traffic was not opened",
};

/** Whether the store says that the step's regions serve, under this plan's epoch. */
export async function isOpen(ctx: StepContext): Promise<boolean> {
  const { value } = await ownIntent(ctx);
  const wanted = new Set(ctx.step.regions);
  const same = value.serving.length === wanted.size && value.serving.every((r) => wanted.has(r));
  return same && value.epoch === ctx.plan.epoch;
}

/** An empty answer to "who serves" would be an outage of our own making. */
function requireSomebody({ step, plan }: StepContext): void {
  if (step.regions.length > 0) return;
  throw stepFailed(`${plan.workflow} would be left with no region to serve it`, "never");
}
