import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { loadedRelease } from "../app/release-trust.ts";
import { asKnown } from "../core/publish/releases.ts";
import { buildRelease } from "../core/release/build.ts";
import { releaseWith, without, yaml } from "../core/release/files.fixture.ts";
import type { ReadRelease } from "../core/release/files.ts";
import { releaseOf } from "../model/release-intent.ts";
import { SIM_RELEASE, simRelease, simSpec } from "../sim/estate.ts";
import { World } from "../sim/world.ts";

/** Activation and rollback among the other things that may happen to an estate. */

const OLD = SIM_RELEASE.digest;
const NEW = simRelease("b").digest;
const THREE = simSpec({ regions: ["eu-west", "us-east", "ap-south"] });

async function activating(world: World, until: string, bakeMs = 1_000): Promise<void> {
  world.start("c1", { bakeMs });
  await world.run(1_500);
  world.know(asKnown(simRelease("b"), 0, "ada"));
  world.requestRelease("activate", NEW);
  await world.until(until, () => said(world, new RegExp(until)));
}

function said(world: World, text: RegExp): boolean {
  return world.evidence().some((entry) => text.test(entry.text));
}

function releases(world: World): string[] {
  const intent = world.releaseIntent();
  return Object.keys(world.spec.regions).map((region) => releaseOf(intent, region));
}

async function settle(world: World): Promise<void> {
  const states = (): string[] => world.plans().map(({ state }) => state.status);
  await world.until(
    "every plan is over",
    () => !states().includes("running") && !states().includes("undoing"),
    900_000,
  );
}

describe("an activation", () => {
  test("changes the standbys first, one at a time, and the region that serves last", async () => {
    const world = new World({ spec: THREE });
    await activating(world, "is completed: us-east, ap-south, eu-west serve release");
    assert.deepEqual(releases(world), [NEW, NEW, NEW]);
    const order = world.adoptions
      .map(({ snapshot }) =>
        Object.entries(snapshot.regions)
          .filter(([, { release }]) => release === NEW)
          .map(([region]) => region)
          .toSorted()
          .join("+"),
      )
      .filter((regions, at, all) => regions !== all[at - 1]);
    const [one, two, three] = ["us-east", "ap-south+us-east", "ap-south+eu-west+us-east"];
    assert.deepEqual(order, ["", one, two, three]);
  });

  test("is put back whole when one gateway cannot verify it, and that one never served it", async () => {
    const world = new World({ spec: THREE });
    world.region("ap-south").gatewayRefuses.set(NEW, "its signature has expired");
    await activating(world, "failed and was put back");
    assert.deepEqual(releases(world), [OLD, OLD, OLD]);
    assert.ok(said(world, /ap-south's gateway serves snapshot 2, not 3: .*has expired/));
    for (const { region, snapshot } of world.adoptions) {
      if (region === "ap-south") assert.equal(snapshot.regions[region]?.release, OLD);
    }
    await world.run(3_000);
    for (const [name, { snapshot }] of world.regions) {
      assert.equal(snapshot?.regions[name]?.release, OLD);
    }
  });

  test("changes nothing when one region's trust root refuses it", async () => {
    const world = new World({ spec: THREE });
    world.region("ap-south").refuses.set(NEW, "nobody who is trusted has signed it");
    await activating(world, "failed and was put back");
    assert.ok(said(world, /verify-release failed: ap-south refuses .*nobody who is trusted/));
    assert.ok(world.adoptions.every(({ snapshot }) => snapshot.number === 1));
  });

  test("is refused while a region's outage is certain", async () => {
    const world = new World({ spec: THREE });
    world.start("c1");
    await world.run(1_500);
    world.kill("ap-south");
    await world.run(6_000);
    world.know(asKnown(simRelease("b"), 0, "ada"));
    world.requestRelease("activate", NEW);
    await world.run(1_000);
    assert.ok(said(world, /ada's activate of the release is refused: ap-south has failed/));
    assert.deepEqual(releases(world), [OLD, OLD, OLD]);
  });

  test("is refused for a release that nobody knows, and for one that every region runs", async () => {
    const world = new World();
    world.start("c1");
    await world.run(1_500);
    world.requestRelease("activate", NEW);
    await world.run(1_000);
    assert.ok(said(world, /is refused: the estate does not know release sha256:bbbb/));
    world.requestRelease("activate", OLD);
    await world.run(1_000);
    assert.ok(said(world, /is refused: every region runs it already/));
  });

  test("is refused for a release of a lower number than the last good one", async () => {
    const world = new World();
    await activating(world, "is completed");
    world.know({ ...asKnown(simRelease("c"), 0, "ada"), number: 4 });
    world.know({ ...asKnown(simRelease("d"), 0, "ada"), number: 3 });
    world.requestRelease("activate", simRelease("c").digest);
    await world.until("c is good", () => world.releaseIntent().good[0] === simRelease("c").digest);
    world.requestRelease("activate", simRelease("d").digest);
    await world.run(1_500);
    assert.ok(said(world, /is refused: its number 3 is below 4/));
  });
});

describe("an outage in the middle of an activation", () => {
  test("is failed over first; then the activation goes on without the dead region", async () => {
    const world = new World();
    await activating(world, "us-east answered 1 canaries with release", 10_000);
    world.kill("eu-west");
    await settle(world);
    assert.deepEqual(world.intent().serving, ["us-east"]);
    assert.deepEqual(releases(world), [NEW, NEW]);
    const moved = world.evidence().find(({ text }) => /is served by us-east/.test(text));
    const resumed = world
      .evidence()
      .find(({ text }) => /^eu-west serves release .* under epoch 2/.test(text));
    assert.ok(moved && resumed && moved.seq < resumed.seq, "the failover came first");
    assert.ok(said(world, /eu-west failed and answers nobody/));
    world.resume("eu-west");
    await world.run(8_000);
    assert.equal(world.region("eu-west").snapshot?.regions["eu-west"]?.release, NEW);
  });

  test("is waited for, also when nobody can take over for long: no other region is changed", async () => {
    const world = new World();
    await activating(world, "us-east answered 1 canaries with release", 10_000);
    world.region("us-east").unready.set("rag-search", "the golden questions fail");
    world.kill("eu-west");
    await world.run(30_000);
    assert.ok(said(world, /activate-release-eu-west begins/), "its turn has come");
    assert.deepEqual(releases(world), [OLD, NEW]);
    world.region("us-east").unready.clear();
    await settle(world);
    assert.deepEqual([world.intent().serving, releases(world)], [["us-east"], [NEW, NEW]]);
  });

  test("does not hold up the failover, whenever the serving region dies", async () => {
    const points = [
      "prefetch-release begins",
      "activate-release-us-east begins",
      "bake-release-us-east begins",
      "activate-release-eu-west begins",
      "bake-release-eu-west begins",
      "record-release begins",
    ];
    for (const point of points) {
      const world = new World();
      await activating(world, point);
      world.kill("eu-west");
      await world.until(
        `${point}: failed over`,
        () => world.intent().serving[0] === "us-east" && world.intent().movingBy === null,
        20_000,
      );
      await settle(world);
      assert.equal(world.releaseIntent().heldBy, null);
      assert.equal(new Set(releases(world)).size, 1, point);
    }
  });
});

describe("a rollback", () => {
  test("leads to the last good release, in every region at once, asking no agent first", async () => {
    const world = new World();
    await activating(world, "is completed");
    for (const { agents } of world.controllers.values()) {
      agents.fetchRelease = () => assert.fail("the artifact source is not asked");
      agents.verifyRelease = () => assert.fail("the artifact source is not asked");
    }
    world.requestRelease("rollback");
    await world.until("rolled back", () =>
      said(world, /is completed: eu-west, us-east serve release/),
    );
    assert.deepEqual(releases(world), [OLD, OLD]);
    assert.deepEqual(world.releaseIntent().good, [OLD]);
    const newest = world.adoptions.at(-1)?.snapshot;
    assert.deepEqual(
      Object.values(newest?.regions ?? {}).map(({ release }) => release),
      [OLD, OLD],
    );
  });

  test("is refused when no good release is known before the present one", async () => {
    const world = new World();
    world.start("c1");
    await world.run(1_500);
    world.requestRelease("rollback");
    await world.run(1_000);
    assert.ok(said(world, /is refused: no good release is known before the present one/));
  });

  test("overtakes an activation at once, which then changes nothing any more", async () => {
    const world = new World();
    await activating(world, "bake-release-us-east begins");
    world.requestRelease("rollback");
    await world.until("rolled back", () => said(world, /plan-2 is completed/), 5_000);
    assert.ok(said(world, /plan plan-1 ends here: overtaken by the rollback of plan plan-2/));
    await world.run(30_000);
    assert.deepEqual(releases(world), [OLD, OLD]);
    assert.deepEqual(
      world.plans().map(({ state }) => state.status),
      ["failed", "completed"],
    );
  });

  test("goes on without a dead region, and that one takes it when it is back", async () => {
    const world = new World();
    await activating(world, "is completed");
    world.kill("us-east");
    await world.run(6_000);
    world.requestRelease("rollback");
    await world.until("rolled back", () => said(world, /plan-2 is completed/), 30_000);
    assert.deepEqual(releases(world), [OLD, OLD]);
    world.resume("us-east");
    await world.run(8_000);
    assert.equal(world.region("us-east").snapshot?.regions["us-east"]?.release, OLD);
  });
});

test("a release folder that changed is made known by a restart, and not activated", async () => {
  const world = new World();
  world.start("c1");
  await world.run(1_500);
  world.kill("c1");
  world.start("c2", { release: simRelease("b") });
  await world.run(8_000);
  assert.deepEqual(releases(world), [OLD, OLD]);
  world.requestRelease("activate", NEW);
  await world.until("it is good", () => world.releaseIntent().good[0] === NEW);
});

describe("what an activation would put in place", () => {
  const policy = (phrases: string[]) =>
    yaml("policies/house.yaml", { name: "house", safety: [{ name: "weapons", phrases }] });
  const built = ({ files }: ReadRelease) => loadedRelease({ built: buildRelease(files) });
  const GOOD = built(releaseWith(policy(["build a bomb"])));
  const LOST = built(without("policies/house.yaml"));
  const BLANK = built(releaseWith(policy(["build a bomb", "   "])));

  async function asked(release: typeof GOOD, accepted = false): Promise<World> {
    const world = new World();
    world.start("c1", { release: GOOD });
    await world.run(1_500);
    world.know(asKnown(release, 0, "ada"));
    world.requestRelease("activate", release.digest, { acceptChanges: accepted });
    await world.until("it is answered", () => said(world, /release is refused|is completed/));
    return world;
  }

  test("is refused when a policy is gone that the last good release had", async () => {
    const world = await asked(LOST);
    assert.ok(
      said(world, /is refused: what it holds is doubtful: policies\/house\.yaml: is gone: what/),
    );
    assert.deepEqual(world.plans(), []);
    assert.deepEqual(releases(world), [GOOD.digest, GOOD.digest]);
  });

  test("is let through when the asker has looked at it and means it", async () => {
    assert.deepEqual(releases(await asked(LOST, true)), [LOST.digest, LOST.digest]);
  });

  test("is refused when it is wrong in itself, whatever the asker means", async () => {
    const world = await asked(BLANK, true);
    assert.ok(said(world, /policies\/house\.yaml, safety\.0\.phrases\.1: is blank/));
    assert.deepEqual(releases(world), [GOOD.digest, GOOD.digest]);
  });

  test("is refused when its parts are not what they were", async () => {
    const [name = "", text = ""] = Object.entries(LOST.parts ?? {})[0] ?? [];
    const parts = { ...LOST.parts, [name]: `${text.slice(0, -8)}AAAA${text.slice(-4)}` };
    const world = await asked({ ...LOST, parts });
    assert.ok(said(world, /is not what was signed: expected sha256:\w+, found sha256:/));
  });
});

test("signatures that were made since reach every gateway, and nothing else changes", async () => {
  const world = new World();
  world.start("c1");
  await world.run(1_500);
  const signatures = [{ payload: "{}", signature: "c2lnbmVk" }];
  world.kill("c1");
  world.start("c2", { release: { ...SIM_RELEASE, signatures, number: 7 } });
  await world.until("every gateway has it", () =>
    [...world.regions.values()].every(
      ({ snapshot }) => snapshot?.releases[OLD]?.signatures.length === 1,
    ),
  );
  assert.ok(said(world, new RegExp(`release ${OLD} bears new signatures`)));
  const { good, epoch } = world.releaseIntent();
  assert.deepEqual([good, epoch], [[OLD], 1]);
});
