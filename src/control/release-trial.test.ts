import assert from "node:assert/strict";
import { test } from "node:test";
import { asKnown } from "../core/publish/releases.ts";
import type { GoldenScore } from "../model/outcomes.ts";
import { releaseOf } from "../model/release-intent.ts";
import { SIM_RELEASE, simRelease, simSpec } from "../sim/estate.ts";
import { World } from "../sim/world.ts";

/** A release on trial: what the canary analysis says is what happens, and nobody is moved. */

const OLD = SIM_RELEASE.digest;
const NEW = simRelease("b").digest;
const IDS = Array.from({ length: 24 }, (_, at) => `q${at}`);
const JUDGED = simSpec({
  workflows: { "rag-search": { golden: { questions: "golden.yaml" } } },
});

function scoreOf(release: string, isRight: (at: number) => boolean): GoldenScore {
  const right = IDS.filter((_, at) => isRight(at));
  return { release, right, wrong: IDS.filter((id) => !right.includes(id)), unanswered: [] };
}

/** An estate that answers every question with the old release, and the new one as is said. */
async function activated(isRight: ((at: number) => boolean) | null): Promise<World> {
  const world = new World({ spec: JUDGED });
  for (const region of world.regions.values()) {
    region.golden.set(
      OLD,
      scoreOf(OLD, () => true),
    );
    if (isRight !== null) region.golden.set(NEW, scoreOf(NEW, isRight));
  }
  world.start("c1", { bakeMs: 1_000 });
  await world.run(1_500);
  world.know(asKnown(simRelease("b"), 0, "ada"));
  world.requestRelease("activate", NEW);
  return world;
}

const said = (world: World, text: RegExp): boolean =>
  world.evidence().some((entry) => text.test(entry.text));
const releases = (world: World): string[] =>
  ["eu-west", "us-east"].map((region) => releaseOf(world.releaseIntent(), region));
const moves = (world: World): string[] => world.plans().map(({ plan }) => plan.decision.kind);

test("a release that answers as well as the old one gets through by itself", async () => {
  const world = await activated(() => true);
  await world.until("it is good", () => world.releaseIntent().good[0] === NEW);
  assert.deepEqual(releases(world), [NEW, NEW]);
  assert.ok(said(world, /us-east served release .*: rag-search in us-east: as good as before/));
});

test("one that loses every second answer is rolled back by itself, before it serves a caller", async () => {
  const world = await activated((at) => at % 2 === 0);
  await world.until("it is rolled back", () => said(world, /is completed: .* serve release/));
  assert.deepEqual(releases(world), [OLD, OLD]);
  assert.deepEqual(moves(world), ["activate", "rollback"]);
  assert.ok(said(world, /is failed: .*24 golden questions asked of both, 12 were lost and 0 won/));
  assert.deepEqual(world.intent().serving, ["eu-west"]);
  const served = world.adoptions.filter(
    ({ snapshot }) => snapshot.regions["eu-west"]?.release === NEW,
  );
  assert.deepEqual(served, []);
});

test("one of which nobody can tell is paused, in each region, until a person says to go on", async () => {
  const world = await activated(null);
  await world.run(20_000);
  assert.deepEqual(releases(world), [OLD, NEW], "the bake's second is long over");
  assert.ok(said(world, /not proven yet: rag-search in us-east: too little was seen: 0 of 24/));
  assert.ok(said(world, /`tideover release continue` lets it go on/));
  world.requestRelease("continue");
  await world.until("eu-west has it, too", () => releases(world)[0] === NEW);
  assert.ok(said(world, /ada lets plan .* go on with release .* unproven/));
  await world.run(20_000);
  assert.equal(world.releaseIntent().good[0], OLD, "one word is for one region");
  world.requestRelease("continue");
  await world.until("it is good", () => world.releaseIntent().good[0] === NEW);
});

test("a pause ends by itself as soon as there is enough to tell", async () => {
  const world = await activated(null);
  await world.run(10_000);
  for (const region of world.regions.values())
    region.golden.set(
      NEW,
      scoreOf(NEW, () => true),
    );
  await world.until("it is good", () => world.releaseIntent().good[0] === NEW);
});

test("whoever wants to go back need not wait behind a word that came too early", async () => {
  const world = await activated(null);
  await world.until("us-east has it", () => releases(world)[1] === NEW);
  world.requestRelease("continue");
  await world.run(1);
  world.requestRelease("rollback");
  await world.until("it is back", () => said(world, /is completed: .* serve release sha256:1111/));
  assert.deepEqual(releases(world), [OLD, OLD]);
});

test("the plan gives a person an hour, and is taken back without a word", async () => {
  const world = await activated(null);
  await world.run(1_000);
  const bakes = world.plans()[0]?.plan.steps.filter(({ kind }) => kind === "bake-release") ?? [];
  assert.equal(bakes.length, 2);
  for (const { deadlineMs, waitMs } of bakes) {
    assert.deepEqual([waitMs, deadlineMs], [1_000, 3_601_000]);
  }
});

test("a word when nothing is activated is refused", async () => {
  const world = new World({ spec: JUDGED });
  world.start("c1");
  await world.run(1_500);
  world.requestRelease("continue");
  await world.run(1_000);
  assert.ok(said(world, /ada's continue of the release is refused: no activation is under way/));
});

test("a region that dies during its own bake fails over, and the release is not blamed", async () => {
  const world = await activated(() => true);
  await world.until("eu-west bakes", () => said(world, /bake-release-eu-west begins/));
  world.kill("eu-west");
  await world.until("it has failed over", () => world.intent().serving[0] === "us-east");
  await world.run(10_000);
  assert.ok(!moves(world).includes("rollback"), moves(world).join());
  assert.deepEqual(releases(world), [NEW, NEW]);
});
