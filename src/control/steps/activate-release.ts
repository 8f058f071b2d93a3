import { lastGood } from "../../model/release-intent.ts";
import { stepFailed } from "../engine/errors.ts";
import { readIntents, readReleaseIntent } from "../engine/state.ts";
import { laggards } from "./confirm-acknowledged.ts";
import { ownReleaseIntent, publishRelease, runs } from "./release-held.ts";
import type { StepContext, StepRunner } from "./step.ts";

/** Says that the step's regions serve the plan's release from now on. */
export const activateRelease: StepRunner = {
  kind: "activate-release",
  check: isActive,
  async apply(ctx) {
    const { plan, step } = ctx;
    if (plan.decision.kind === "activate") await requirePeace(ctx);
    const because = `${step.regions.join(", ")} serves release ${plan.release}: ${plan.decision.because}`;
    await publishRelease(ctx, { regions: step.regions, digest: plan.release, because });
  },
  async prove(ctx) {
    if (!(await isActive(ctx))) throw stepFailed("the store does not say so yet", "later");
    const regions = ctx.step.regions.join(", ");
    return {
      text: `${regions} serves release ${ctx.plan.release} under epoch ${ctx.plan.epoch}`,
      data: { release: ctx.plan.release, regions: ctx.step.regions },
    };
  },
  /** Whole, whichever step broke: every region serves the last good release again, at once. */
  async undo(ctx) {
    const { plan, deps } = ctx;
    if (plan.decision.kind === "rollback") return "nothing to put back: what was left is bad";
    const intent = (await readReleaseIntent(deps.store))?.value;
    if (intent?.heldBy?.plan !== plan.id) return "nothing to put back: another plan has it now";
    const [regions, digest] = [Object.keys(deps.spec.regions), lastGood(intent)];
    if (runs(intent, regions, digest)) return `every region serves ${digest} already`;
    const because = `every region serves release ${digest} again: plan ${plan.id} is put back`;
    await publishRelease(ctx, { regions, digest, because });
    return `every region serves ${digest} again${await unheardBy(ctx, regions)}`;
  },
};

async function isActive(ctx: StepContext): Promise<boolean> {
  const { value } = await ownReleaseIntent(ctx);
  return value.epoch === ctx.plan.epoch && runs(value, ctx.step.regions, ctx.plan.release);
}

/**
 * A failover has precedence: while a workflow moves, or a region that failed still serves one, no
 * further region gets another release. Once traffic has settled elsewhere the activation goes on
 * without the failed region, which takes the release when it comes back.
 */
async function requirePeace({ deps, engine }: StepContext): Promise<void> {
  const failed = engine.failed();
  const intents = (await readIntents(deps.store)).map(({ value }) => value);
  for (const { workflow, movingBy, serving } of intents) {
    if (movingBy !== null)
      throw stepFailed(`${workflow} is being moved, which goes first`, "later");
    const dead = serving.find((region) => failed.includes(region));
    if (dead !== undefined) {
      throw stepFailed(`${dead} has failed and still serves ${workflow}: that goes first`, "later");
    }
  }
}

/** Putting back need not wait: a gateway that has not heard is offered it until it has. */
async function unheardBy(ctx: StepContext, regions: readonly string[]): Promise<string> {
  const behind = await laggards(ctx, regions).catch(() => []);
  return behind.length === 0
    ? ""
    : `; ${behind.map(([region]) => region).join(", ")} has yet to hear`;
}
