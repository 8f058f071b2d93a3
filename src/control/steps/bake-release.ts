import { KEYS } from "../../model/keys.ts";
import { type ReleaseRequest, releaseRequestSchema } from "../../model/request.ts";
import { formatDuration } from "../../model/units.ts";
import type { Verdict } from "../../model/verdict.ts";
import { stepFailed } from "../engine/errors.ts";
import { ownReleaseIntent, runs } from "./release-held.ts";
import type { StepContext, StepRunner } from "./step.ts";

/**
 * Watches a region for a while before the next one gets the release, and until it is proven to be as
 * good as the one before. What cannot be proven pauses here, for a person to say how to go on. A
 * controller that takes the step up from another one bakes anew: longer than asked is harmless,
 * shorter is not.
 */
export const bakeRelease: StepRunner = {
  kind: "bake-release",
  check: async () => false,
  apply: async () => undefined,
  async prove(ctx) {
    requireNotBad(ctx);
    const { value } = await ownReleaseIntent(ctx);
    const region = ctx.step.regions.join(", ");
    if (!runs(value, ctx.step.regions, ctx.plan.release)) {
      throw stepFailed(`${region} is not to serve ${ctx.plan.release} any more`, "never");
    }
    const waitMs = ctx.step.waitMs ?? 0;
    const left = waitMs - ctx.elapsed();
    if (left > 0) throw stepFailed(`${region} bakes for another ${formatDuration(left)}`, "later");
    const said = await approval(ctx);
    return {
      text: `${region} served release ${ctx.plan.release} for ${formatDuration(ctx.elapsed())}: ${said}`,
      data: { release: ctx.plan.release, waitMs },
    };
  },
  undo: async () => "nothing to put back: it only watched",
};

/** Why the bake may end, in words. Throws (`later`) while it is paused. */
async function approval(ctx: StepContext): Promise<string> {
  const failed = ctx.engine.failed();
  // A region that is out serves nobody, and is judged when it is back: nothing waits for it here.
  const open = verdictsHere(ctx).find(
    ({ health, region }) => health !== "healthy" && !failed.includes(region),
  );
  if (open === undefined) return proofOf(ctx);
  const word = await takeWord(ctx);
  if (word !== null) return `not proven (${open.because}), and ${word.by} said to go on`;
  throw stepFailed(
    `the activation is paused, for it is not proven: ${open.because}. \`tideover release continue\` lets it go on, \`tideover release rollback\` takes it back`,
    "later",
  );
}

function proofOf(ctx: StepContext): string {
  const [proven] = verdictsHere(ctx);
  return proven === undefined ? "nobody found it bad" : proven.because;
}

function verdictsHere({ engine, plan, step }: StepContext): Verdict[] {
  return engine
    .verdicts()
    .filter(({ domain, release }) => domain === "bad-release" && release === plan.release)
    .filter(({ region }) => step.regions.includes(region));
}

/** A person's word counts once: the next region's bake asks anew. */
async function takeWord(ctx: StepContext): Promise<ReleaseRequest | null> {
  const entries = await ctx.deps.store.list(KEYS.releaseRequests);
  const words = entries.flatMap(({ value }) => releaseRequestSchema.safeParse(value).data ?? []);
  const word = words.find(({ kind }) => kind === "continue") ?? null;
  if (word === null) return null;
  const { plan } = ctx;
  const text = `${word.by} lets plan ${plan.id} go on with release ${plan.release} unproven`;
  await ctx.write({
    operations: [{ delete: KEYS.releaseRequest(word.id) }],
    facts: [
      { kind: "request", workflow: plan.workflow, planId: plan.id, text, data: { request: word } },
    ],
  });
  return word;
}

function requireNotBad({ engine, plan }: StepContext): void {
  const bad = engine
    .verdicts()
    .find(
      ({ domain, health, release }) =>
        domain === "bad-release" && health === "failed" && release === plan.release,
    );
  if (bad !== undefined)
    throw stepFailed(`release ${plan.release} is bad: ${bad.because}`, "never");
}
