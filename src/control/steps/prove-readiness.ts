import type { Readiness } from "../../model/readiness.ts";
import { stepFailed } from "../engine/errors.ts";
import type { StepContext, StepRunner } from "./step.ts";

/** Asks each region whether it would serve the workflow correctly if it got the traffic now. */
export const proveReadiness: StepRunner = {
  kind: "prove-readiness",
  check: async () => false,
  apply: async () => undefined,
  async prove(ctx) {
    const options = { exactIndex: mustBeLevel(ctx), timeoutMs: ctx.timeLeft() };
    const answers = await Promise.all(
      ctx.step.regions.map((region) =>
        ctx.deps.agents.readiness(region, ctx.plan.workflow, options),
      ),
    );
    const missing = answers.filter(({ ready }) => !ready);
    // Not final: a replica may catch up within the deadline.
    if (missing.length > 0) throw stepFailed(missing.map(reasonOf).join("; "), "later");
    return { text: answers.map(sentenceOf).join("; "), data: { readiness: answers } };
  },
  undo: async () => "nothing to put back: it only asked",
};

/** After a drain nothing is written any more, so the replica must be level and not just fresh. */
function mustBeLevel({ plan, step }: StepContext): boolean {
  const own = plan.steps.findIndex(({ id }) => id === step.id);
  return plan.steps.slice(0, own).some(({ kind }) => kind === "catch-up-index");
}

function reasonOf({ region, because }: Readiness): string {
  return `${region} is not ready: ${because}`;
}

function sentenceOf({ region, checks }: Readiness): string {
  const passed = checks.filter(({ pass }) => pass);
  return `${region} is ready, ${passed.length} of ${checks.length} checks passed: ${passed
    .map(({ name, evidence }) => `${name} (${evidence})`)
    .join(", ")}`;
}
