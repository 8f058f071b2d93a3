import assert from "node:assert/strict";
import { asKnown } from "../core/publish/releases.ts";
import { TideoverError } from "../lib/errors.ts";
import { releaseOf } from "../model/release-intent.ts";
import { SIM_RELEASE, simRelease } from "../sim/estate.ts";
import type { World } from "../sim/world.ts";
import type { Scenario } from "./interrupt.fixture.ts";

/**
 * The release plans for the interrupting suite, and what must hold of every snapshot that any
 * gateway adopted on the way.
 */

const OLD = SIM_RELEASE.digest;
const NEW = simRelease("b").digest;
const REGIONS = ["eu-west", "us-east"];

interface ReleaseEnd {
  readonly digest: string;
  readonly good: readonly string[];
  readonly statuses: readonly string[];
  readonly epoch: number;
}

function makeKnown(world: World): void {
  world.know({ ...asKnown(simRelease("b"), 0, "ada"), number: 2 });
}

export const activation: Scenario = {
  name: "activation",
  begin(world) {
    makeKnown(world);
    world.requestRelease("activate", NEW);
  },
  isOver: (world) => isReleaseOver(world, 1),
  expectEnd(world) {
    expectReleased(world, { digest: NEW, good: [NEW, OLD], statuses: ["completed"], epoch: 2 });
    expectOneRegionAtATime(world);
  },
};

/** Found out only by the second region's canary: both regions have the new release by then. */
export const activationPutBack: Scenario = {
  ...activation,
  name: "activation that is put back",
  arm({ agents }) {
    const { canary } = agents;
    agents.canary = (region, ...rest) => {
      if (region !== "eu-west") return canary(region, ...rest);
      throw new TideoverError("the answer is in no language", { code: "STEP_FAILED" });
    };
  },
  expectEnd(world) {
    expectReleased(world, { digest: OLD, good: [OLD], statuses: ["failed"], epoch: 2 });
  },
};

/** Asked for in the middle of an activation, which it overtakes. */
export const rollback: Scenario = {
  name: "rollback",
  begin(world) {
    makeKnown(world);
    world.region("us-east").onCanary = () => {
      world.region("us-east").onCanary = null;
      world.requestRelease("rollback");
    };
    world.requestRelease("activate", NEW);
  },
  isOver: (world) => isReleaseOver(world, 2),
  expectEnd(world) {
    const statuses = ["failed", "completed"];
    expectReleased(world, { digest: OLD, good: [OLD], statuses, epoch: 3 });
  },
};

function isReleaseOver(world: World, plans: number): boolean {
  const states = world.plans().map(({ state }) => state.status);
  const over = states.every((status) => status === "completed" || status === "failed");
  return states.length >= plans && over && world.releaseIntent().heldBy === null;
}

function expectReleased(world: World, { digest, good, statuses, epoch }: ReleaseEnd): void {
  const intent = world.releaseIntent();
  assert.deepEqual(
    REGIONS.map((region) => releaseOf(intent, region)),
    [digest, digest],
  );
  assert.deepEqual([intent.good, intent.heldBy], [good, null]);
  assert.equal(intent.epoch, epoch);
  assert.deepEqual(
    world.plans().map(({ state }) => state.status),
    statuses,
  );
  for (const name of REGIONS) {
    const { snapshot } = world.region(name);
    assert.equal(snapshot?.regions[name]?.release, digest);
    assert.deepEqual(Object.keys(snapshot?.releases ?? {}), [digest]);
  }
  expectEveryBodyThere(world);
}

/** A gateway that was given a digest without its body would serve without a prompt. */
function expectEveryBodyThere(world: World): void {
  for (const { region, snapshot } of world.adoptions) {
    const digest = snapshot.regions[region]?.release ?? "";
    assert.ok(
      snapshot.releases[digest],
      `${region} adopted ${snapshot.number} without its release`,
    );
  }
}

/** The second region changed only after every gateway had acknowledged the first one's change. */
function expectOneRegionAtATime({ adoptions }: World): void {
  const changes = REGIONS.map((region) => ({
    region,
    number: Math.min(
      ...adoptions
        .filter(({ snapshot }) => snapshot.regions[region]?.release === NEW)
        .map(({ snapshot }) => snapshot.number),
    ),
  })).toSorted((a, b) => a.number - b.number);
  const [first, second] = changes;
  assert.ok(first && second && first.number < second.number);
  assert.equal(first.region, "us-east", "the standby is changed before the region that serves");
  const secondBegan = adoptions.findIndex(({ snapshot }) => snapshot.number >= second.number);
  const before = adoptions.slice(0, secondBegan);
  for (const region of REGIONS) {
    const acknowledged = before.some(
      (one) => one.region === region && one.snapshot.number >= first.number,
    );
    assert.ok(acknowledged, `${region} had not acknowledged ${first.region}'s change`);
  }
}
