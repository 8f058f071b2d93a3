import { leavesWhole } from "../../core/plans/input.ts";
import { messageOf } from "../../lib/errors.ts";
import { releaseOf } from "../../model/release-intent.ts";
import type { CanaryAnswer } from "../../ports/agents.ts";
import { hasCode, stepFailed } from "../engine/errors.ts";
import { readReleaseIntent } from "../engine/state.ts";
import { regionOf } from "./ownership.ts";
import type { StepContext, StepRunner } from "./step.ts";

interface Canary {
  readonly through: string;
  /** null: that region's agent could not be asked. */
  readonly answer: CanaryAnswer | null;
  readonly fault: string | null;
}

/**
 * Asks as a caller would, through the gateway of every region that is not known dead: a caller may
 * stand at any of them, and each must lead to the new region, release and epoch.
 */
export const proveTraffic: StepRunner = {
  kind: "prove-traffic",
  check: async () => false,
  apply: async () => undefined,
  async prove(ctx) {
    const to = regionOf(ctx);
    const canaries = await Promise.all(entrances(ctx).map((region) => sendCanary(ctx, region)));
    const wrong = canaries.filter(({ fault }) => fault !== null);
    if (wrong.length > 0) throw stepFailed(wrong.map(({ fault }) => fault).join("; "), "later");
    const asked = canaries.filter(({ answer }) => answer !== null);
    const through = asked.map((canary) => canary.through).join(", ");
    return {
      text: `a canary through ${through} was answered by ${to} with its region's release, under epoch ${ctx.plan.epoch}`,
      data: { canaries },
    };
  },
  undo: async () => "nothing to put back: it only asked",
};

function entrances(ctx: StepContext): string[] {
  const { decision } = ctx.plan;
  const given = leavesWhole(decision) ? [] : decision.from;
  const dead = new Set([...ctx.engine.failed(), ...given]);
  const others = Object.keys(ctx.deps.spec.regions).filter((region) => !dead.has(region));
  // The new region itself always: without an answer through its own entrance nothing is proven.
  return [...new Set([...ctx.step.regions, ...others])];
}

async function sendCanary(ctx: StepContext, through: string): Promise<Canary> {
  try {
    const answer = await ctx.deps.agents.canary(through, ctx.plan.workflow, ctx.timeLeft());
    const release = await releaseNow(ctx, answer.region);
    return { through, answer, fault: faultOf(ctx, through, answer, release) };
  } catch (error) {
    if (!hasCode(error, "PEER_UNAVAILABLE")) throw error;
    // Elsewhere an agent that is away proves nothing against the traffic.
    const fault = ctx.step.regions.includes(through) ? `${through}: ${messageOf(error)}` : null;
    return { through, answer: null, fault };
  }
}

/** What the store says, not the plan: an activation may have changed it since the plan was made. */
async function releaseNow({ plan, deps }: StepContext, region: string | null): Promise<string> {
  const intent = await readReleaseIntent(deps.store);
  return intent === null || region === null ? plan.release : releaseOf(intent.value, region);
}

function faultOf(
  ctx: StepContext,
  through: string,
  answer: CanaryAnswer,
  release: string,
): string | null {
  const { epoch, decision } = ctx.plan;
  const say = (what: string): string => `the canary through ${through} ${what}`;
  if (!answer.ok) return say(`failed: ${answer.detail}`);
  if (answer.region === null || !decision.to.includes(answer.region)) {
    return say(`was answered by ${answer.region}, not by ${decision.to.join(" or ")}`);
  }
  if (answer.releaseDigest !== release) {
    return say(`was answered with release ${answer.releaseDigest}, not ${release}`);
  }
  return answer.epoch === epoch ? null : say(`was answered under epoch ${answer.epoch}`);
}
