import assert from "node:assert/strict";
import { test } from "node:test";
import { simSpec } from "../sim/estate.ts";
import { World } from "../sim/world.ts";

/** What must not cause a move. The harm of a wrong failover is an outage of our own making. */

test("a region that is stopped for less than the confirm window causes no plan", async () => {
  const spec = simSpec({ detection: { interval: "500ms", timeout: "1s", confirm: "4s" } });
  const world = new World({ spec });
  world.start("c1");
  world.script(`
    at 5 s stop eu-west
    at 7 s resume eu-west
  `);
  await world.run(30_000);
  expectNoMove(world);
});

test("one observer's partition is no outage: the controller alone cannot reach the region", async () => {
  const world = new World();
  world.start("c1");
  world.script(`
    at 3 s cut c1 eu-west
    at 20 s mend c1 eu-west
  `);
  await world.run(15_000);
  expectNoMove(world);
  await world.run(15_000);
  expectNoMove(world);
});

test("one observer's partition is no outage: the other region's agent alone cannot reach it", async () => {
  const world = new World();
  world.start("c1");
  world.script("at 3 s cut us-east eu-west");
  await world.run(20_000);
  expectNoMove(world);
});

test("a controller that reaches nobody suspects its own network", async () => {
  const world = new World();
  world.start("c1");
  world.script(`
    at 3 s cut c1 eu-west
    at 3 s cut c1 us-east
  `);
  await world.run(20_000);
  expectNoMove(world);
});

test("when every region looks dead, nobody evacuates", async () => {
  const world = new World();
  const c1 = world.start("c1");
  world.script(`
    at 3 s kill eu-west
    at 3 s kill us-east
  `);
  await world.run(30_000);
  expectNoMove(world);
  assert.match(c1.controller.status().because, /hold/);
});

test("the last serving region is never removed: its standby died first", async () => {
  const world = new World();
  world.start("c1");
  world.script(`
    at 3 s kill us-east
    at 20 s kill eu-west
  `);
  await world.run(60_000);
  expectNoMove(world);
});

test("an active-active workflow loses the dead region and keeps the living one", async () => {
  const spec = simSpec({ workflows: { "rag-search": { pattern: "active-active" } } });
  const world = new World({ spec });
  world.start("c1");
  world.script(`
    at 3 s kill eu-west
    at 40 s kill us-east
  `);
  await world.run(20_000);
  assert.deepEqual(world.intent().serving, ["us-east"]);
  await world.run(40_000);
  assert.deepEqual(world.intent().serving, ["us-east"]);
});

for (const by of ["1h", "-1h"]) {
  test(`a wall clock that jumps by ${by} changes nothing`, async () => {
    const world = new World();
    const c1 = world.start("c1");
    world.script(`at 3 s jump-wall ${by}`);
    await world.run(2_900);
    const before = [world.intent(), world.ownership(), world.evidence().length];
    await world.run(20_000);
    assert.deepEqual([world.intent(), world.ownership(), world.evidence().length], before);
    assert.equal(c1.controller.status().term, 1);
  });
}

test("a wall clock that jumps in the middle of an outage neither hastens nor delays it", async () => {
  const detectedAt = async (jump: string): Promise<number> => {
    const world = new World();
    world.start("c1");
    world.script(`at 3 s kill eu-west\nat 4 s jump-wall ${jump}`);
    await world.run(3_000);
    await world.until("it is declared", () => world.plans().length > 0);
    return world.clock.monotonic();
  };
  const undisturbed = await detectedAt("0s");
  assert.equal(await detectedAt("1h"), undisturbed);
  assert.equal(await detectedAt("-1h"), undisturbed);
});

test("the store is away for half a minute: nothing is done, then everything goes on", async () => {
  const world = new World();
  const c1 = world.start("c1");
  await world.run(3_000);
  const before = [world.intent(), world.ownership(), world.region("eu-west").snapshot?.number];
  world.script("at 3 s store-away\nat 33 s store-back");
  await world.run(29_000);
  assert.match(c1.controller.status().because, /the store does not answer/);
  await world.run(15_000);
  assert.deepEqual(
    [world.intent(), world.ownership(), world.region("eu-west").snapshot?.number],
    before,
  );
  assert.deepEqual(world.plans(), []);
  assert.equal(c1.controller.status().leads, true);
});

test("the store goes away in the middle of a plan: the plan waits, and is completed once", async () => {
  const world = new World();
  const c1 = world.start("c1");
  await world.run(3_000);
  c1.process.once("agents.obeyOwnership", () => world.storeAnswers(false));
  world.kill("eu-west");
  await world.run(5_000);
  await world.run(30_000);
  assert.equal(world.plans()[0]?.state.status, "running");
  world.storeAnswers(true);
  await world.until("it is completed", () => world.plans()[0]?.state.status === "completed");
  assert.equal(world.plans().length, 1);
  assert.equal(world.ownership().epoch, 2);
  assert.equal(world.notify.notices.length, 1);
});

test("a network that loses every fifth call moves nothing", async () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const world = new World({ seed });
    world.start("c1");
    await world.run(3_000);
    for (const from of ["c1", "eu-west", "us-east"]) {
      for (const to of ["eu-west", "us-east"]) world.network.lose(from, to, 0.2);
    }
    await world.run(60_000);
    expectNoMove(world);
  }
});

test("a report that a dead agent left behind is no witness for a controller that starts later", async () => {
  const world = new World();
  world.start("c1");
  world.script("at 3 s cut us-east eu-west\nat 3 s cut c2 eu-west");
  await world.run(6_000);
  // The agent that saw the region failing dies; its last report stays in the store.
  world.kill("us-east");
  world.kill("c1");
  world.start("c2");
  await world.run(20_000);
  expectNoMove(world);
});

test("soon after a move, another unplanned one waits for the cool-down", async () => {
  const world = new World();
  world.start("c1");
  world.script(`
    at 3 s kill eu-west
    at 10 s resume eu-west
    at 15 s kill us-east
  `);
  await world.run(25_000);
  assert.deepEqual(world.intent().serving, ["us-east"]);
  await world.until("the cool-down is over", () => world.intent().serving.join() === "eu-west");
  const [first, second] = world.plans().map(({ plan }) => plan.createdAt);
  assert.ok((second ?? 0) - (first ?? 0) >= world.spec.detection.cooldown);
});

test("the cool-down is kept by a controller that did not see the move", async () => {
  const world = new World();
  world.start("c1");
  world.script("at 3 s kill eu-west\nat 10 s resume eu-west\nat 15 s kill us-east");
  await world.run(14_000);
  world.kill("c1");
  world.start("c2");
  await world.run(11_000);
  assert.deepEqual(world.intent().serving, ["us-east"]);
  await world.until("the cool-down is over", () => world.intent().serving.join() === "eu-west");
});

function expectNoMove(world: World): void {
  assert.deepEqual(world.plans(), []);
  assert.deepEqual(world.intent().serving, ["eu-west"]);
  assert.deepEqual([world.intent().epoch, world.ownership().epoch], [1, 1]);
}
