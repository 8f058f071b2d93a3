import { KEYS } from "../../model/keys.ts";
import {
  GOOD_KEPT,
  lastGood,
  type ReleaseIntent,
  releasesInUse,
} from "../../model/release-intent.ts";
import { stepFailed } from "../engine/errors.ts";
import { readKnownReleases, unchanged } from "../engine/state.ts";
import { ownReleaseIntent } from "./release-held.ts";
import type { StepContext, StepRunner } from "./step.ts";

/** Known releases that are kept beyond those in use: what a person may want to look at again. */
const SPARE_KEPT = 10;

/** Writes down that the release is good: the next rollback leads here. */
export const recordRelease: StepRunner = {
  kind: "record-release",
  async check(ctx) {
    return lastGood((await ownReleaseIntent(ctx)).value) === ctx.plan.release;
  },
  async apply(ctx) {
    const { plan } = ctx;
    const intent = await ownReleaseIntent(ctx);
    const value = { ...intent.value, good: goodAfter(intent.value, plan.release) };
    const forgotten = await toForget(ctx, value);
    await ctx.write({
      compare: [unchanged(KEYS.releaseIntent, intent)],
      operations: [
        { put: KEYS.releaseIntent, value },
        ...forgotten.map((digest) => ({ delete: KEYS.release(digest) })),
      ],
      facts: [],
    });
  },
  async prove(ctx) {
    if (!(await recordRelease.check(ctx))) throw stepFailed("the store does not say so", "later");
    return {
      text: `${ctx.plan.release} is the last good release`,
      data: { release: ctx.plan.release },
    };
  },
  undo: async () => "nothing to put back: it is written when all else is proven",
};

/** Newest first. Behind a rollback, what was left is no good release any more. */
function goodAfter({ good }: ReleaseIntent, release: string): string[] {
  const at = good.indexOf(release);
  const older = at === -1 ? good : good.slice(at + 1);
  return [release, ...older].slice(0, GOOD_KEPT);
}

async function toForget({ deps }: StepContext, intent: ReleaseIntent): Promise<string[]> {
  const inUse = releasesInUse(intent);
  const spare = (await readKnownReleases(deps.store))
    .map(({ value }) => value)
    .filter(({ digest }) => !inUse.includes(digest))
    .toSorted((a, b) => b.since - a.since);
  return spare.slice(SPARE_KEPT).map(({ digest }) => digest);
}
