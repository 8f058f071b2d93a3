import type { CanaryAnswer } from "../../ports/agents.ts";
import { stepFailed } from "../engine/errors.ts";
import type { StepContext, StepRunner } from "./step.ts";

interface Canary {
  readonly region: string;
  readonly workflow: string;
  readonly answer: CanaryAnswer;
}

/**
 * Asks each region itself, whoever serves: the answer must be its own, and made with the plan's
 * release. A region whose outage is certain is left out; its readiness is asked when it is back.
 */
export const proveRelease: StepRunner = {
  kind: "prove-release",
  check: async () => false,
  apply: async () => undefined,
  async prove(ctx) {
    const failed = ctx.engine.failed();
    const regions = ctx.step.regions.filter((region) => !failed.includes(region));
    const asked = regions.flatMap((region) =>
      workflowsOf(ctx, region).map((name) => [region, name] as const),
    );
    const canaries = await Promise.all(asked.map(([region, name]) => ask(ctx, region, name)));
    const faults = canaries.flatMap((canary) => faultOf(ctx, canary) ?? []);
    if (faults.length > 0) throw stepFailed(faults.join("; "), "later");
    const dead = ctx.step.regions.filter((region) => failed.includes(region));
    const without = dead.length === 0 ? "" : `; ${dead.join(", ")} failed and answers nobody`;
    const proven =
      regions.length === 0
        ? "nobody was asked"
        : `${regions.join(", ")} answered ${canaries.length} canaries with release ${ctx.plan.release}`;
    return { text: `${proven}${without}`, data: { canaries, excused: dead } };
  },
  undo: async () => "nothing to put back: it only asked",
};

/** Workflows that the region may be asked to serve. */
function workflowsOf({ deps }: StepContext, region: string): string[] {
  return Object.entries(deps.spec.workflows)
    .filter(([, { primary, standbys }]) => primary === region || standbys.includes(region))
    .map(([name]) => name);
}

async function ask(ctx: StepContext, region: string, workflow: string): Promise<Canary> {
  const answer = await ctx.deps.agents.canary(region, workflow, ctx.timeLeft(), { standby: true });
  return { region, workflow, answer };
}

function faultOf({ plan }: StepContext, { region, workflow, answer }: Canary): string | null {
  const say = (what: string): string => `the canary for ${workflow} in ${region} ${what}`;
  if (!answer.ok) return say(`failed: ${answer.detail}`);
  if (answer.region !== region) return say(`was answered by ${answer.region}`);
  if (answer.releaseDigest === plan.release) return null;
  return say(`was answered with release ${answer.releaseDigest}, not ${plan.release}`);
}
