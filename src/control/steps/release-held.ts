import { releasesOf } from "../../core/publish/releases.ts";
import { KEYS } from "../../model/keys.ts";
import { type ReleaseIntent, releaseOf } from "../../model/release-intent.ts";
import { epochStale, stepFailed } from "../engine/errors.ts";
import { nextSnapshot } from "../engine/publish.ts";
import {
  type Held,
  readIntents,
  readKnownReleases,
  readReleaseIntent,
  readSnapshot,
  unchanged,
} from "../engine/state.ts";
import type { StepContext } from "./step.ts";

/** What the steps that change the release share. */

/** The release's intent. Throws EPOCH_STALE when it is another plan's, or beyond this one's epoch. */
export async function ownReleaseIntent({ plan, deps }: StepContext): Promise<Held<ReleaseIntent>> {
  const intent = await readReleaseIntent(deps.store);
  if (intent === null) throw stepFailed("the store says nothing of a release", "never");
  const { heldBy, epoch } = intent.value;
  if (heldBy?.plan !== plan.id || epoch > plan.epoch) {
    const holder = heldBy === null ? "nobody" : `plan ${heldBy.plan}`;
    throw epochStale(
      `the release is held by ${holder} at epoch ${epoch}; this plan acts under ${plan.epoch}`,
    );
  }
  return intent;
}

/** What it shall become of some regions' release. */
export interface ReleaseChange {
  readonly regions: readonly string[];
  readonly digest: string;
  readonly because: string;
}

/** Says what these regions serve from now on, in one write with the snapshot that tells them. */
export async function publishRelease(ctx: StepContext, change: ReleaseChange): Promise<void> {
  const { deps, plan, engine } = ctx;
  const { because } = change;
  // The snapshot first: were another lane to publish in between, the compare on it fails, and no
  // change of theirs can be published away.
  const current = await readSnapshot(deps.store);
  const intent = await ownReleaseIntent(ctx);
  if (intent.value.epoch !== plan.epoch) throw stepFailed("the release is not taken", "never");
  const changed = withRegions(intent.value, change, deps.clock.now());
  const known = (await readKnownReleases(deps.store)).map(({ value }) => value);
  const next = nextSnapshot(deps, current, {
    intents: (await readIntents(deps.store)).map(({ value }) => value),
    releases: releasesOf(changed, known),
    because,
  });
  await ctx.write({
    compare: [unchanged(KEYS.releaseIntent, intent), ...next.write.compare],
    operations: [{ put: KEYS.releaseIntent, value: changed }, ...next.write.operations],
    facts: next.write.facts.map((fact) => ({ ...fact, planId: plan.id })),
  });
  engine.publisher.offer(next.snapshot, Object.keys(deps.spec.regions));
}

function withRegions(
  intent: ReleaseIntent,
  { regions, digest, because }: ReleaseChange,
  now: number,
): ReleaseIntent {
  const changed = regions
    .filter((region) => releaseOf(intent, region) !== digest)
    .map((region) => [region, { digest, since: now }] as const);
  return {
    ...intent,
    regions: { ...intent.regions, ...Object.fromEntries(changed) },
    because,
    since: now,
  };
}

/** Whether the store says that these regions serve it, under this plan's epoch. */
export function runs(intent: ReleaseIntent, regions: readonly string[], digest: string): boolean {
  return regions.every((region) => releaseOf(intent, region) === digest);
}
