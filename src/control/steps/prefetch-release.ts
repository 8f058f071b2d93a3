import type { HeldRelease } from "../../ports/agents.ts";
import { stepFailed } from "../engine/errors.ts";
import type { Proof, StepContext, StepRunner } from "./step.ts";

/** One question of many: what takes hours must not keep one connection open for hours. */
const ASK_MS = 20_000;

/** Has every region copy what it lacks of the release, before any of them needs it. */
export const prefetchRelease: StepRunner = {
  kind: "prefetch-release",
  check: async () => false,
  apply: async () => undefined,
  prove: (ctx) =>
    provenEverywhere(ctx, "has", (region, timeoutMs) =>
      ctx.deps.agents.fetchRelease(region, ctx.plan.release, timeoutMs),
    ),
  undo: async () => "nothing to put back: a copy that nobody serves from harms nobody",
};

/** Has every region verify its own copy by its own trust root, before any of them serves it. */
export const verifyRelease: StepRunner = {
  kind: "verify-release",
  check: async () => false,
  apply: async () => undefined,
  prove: (ctx) =>
    provenEverywhere(ctx, "has verified", (region, timeoutMs) =>
      ctx.deps.agents.verifyRelease(region, ctx.plan.release, timeoutMs),
    ),
  undo: async () => "nothing to put back: it only looked",
};

async function provenEverywhere(
  ctx: StepContext,
  verb: string,
  ask: (region: string, timeoutMs: number) => Promise<HeldRelease>,
): Promise<Proof> {
  // Nothing is changed yet: waiting for hours for a dead region would only hold the release.
  const dead = ctx.step.regions.find((region) => ctx.engine.failed().includes(region));
  if (dead !== undefined) throw stepFailed(`${dead} has failed: recover first`, "never");
  const timeoutMs = Math.min(ASK_MS, ctx.timeLeft());
  const answers = await Promise.all(
    ctx.step.regions.map(async (region) => ({ region, held: await ask(region, timeoutMs) })),
  );
  const missing = answers.filter(({ held }) => !held.complete);
  if (missing.length > 0) {
    throw stepFailed(
      missing.map(({ region, held }) => `${region}: ${held.detail}`).join("; "),
      "later",
    );
  }
  return {
    text: answers.map(({ region, held }) => `${region} ${verb} it (${held.detail})`).join("; "),
    data: {
      release: ctx.plan.release,
      regions: answers.map(({ region, held }) => ({ region, ...held })),
    },
  };
}
