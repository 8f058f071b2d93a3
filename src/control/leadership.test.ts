import assert from "node:assert/strict";
import { test } from "node:test";
import { KEYS } from "../model/keys.ts";
import type { Transaction } from "../ports/store.ts";
import { type SimController, World } from "../sim/world.ts";

test("of two controllers on one store, exactly one acts", async () => {
  const world = new World();
  const [c1, c2] = [world.start("c1"), world.start("c2")];
  const writes = new Map([
    ["c1", writesOf(c1)],
    ["c2", writesOf(c2)],
  ]);
  await world.run(3_000);
  assert.match(c1.controller.status().because, /^c1 leads in term 1/);
  assert.equal(c2.controller.status().because, "c2 does not lead: c1 does");
  world.kill("eu-west");
  await world.until("us-east serves", () => isServedBy(world, "us-east"));
  assert.notEqual(writes.get("c1")?.length, 0);
  assert.deepEqual(writes.get("c2"), []);
  assert.equal(world.plans().length, 1);
});

test("a follower watches all the time, so that it can decide as soon as it leads", async () => {
  const world = new World();
  world.start("c1");
  const c2 = world.start("c2");
  await world.run(3_000);
  world.kill("eu-west");
  world.kill("c1");
  await world.until("c2 leads", () => c2.controller.status().leads, 4_000);
  await world.until("us-east serves", () => isServedBy(world, "us-east"), 500);
});

test("terms only grow, and every change of leader is in the record", async () => {
  const world = new World();
  for (const [at, id] of ["c1", "c2", "c3"].entries()) {
    const { controller } = world.start(id);
    await world.until(`${id} leads`, () => controller.status().leads, 5_000);
    assert.equal(controller.status().term, at + 1);
    world.kill(id);
  }
  assert.deepEqual(
    world
      .evidence()
      .filter(({ kind }) => kind === "leadership")
      .map(({ text }) => text),
    ["c1 leads in term 1", "c2 leads in term 2", "c3 leads in term 3"],
  );
});

/**
 * The leader is stopped at each of its writes during a plan, with the write in its hand. Another
 * takes over and ends the plan. Then the first goes on, its clock as it was: the write must fall.
 */
test("a paused leader's late write is refused, wherever it was paused", async () => {
  const commits = await commitsOfOnePlan();
  assert.ok(commits > 10);
  for (let at = 0; at < commits; at += 1) {
    const world = new World();
    const c1 = world.start("c1");
    const c2 = world.start("c2");
    await world.run(3_000);
    assert.equal(c1.controller.status().leads, true);
    world.kill("eu-west");
    pauseAtCommit(c1, at);
    await world.until("c2 has done it", () => isServedBy(world, "us-east"));
    await world.run(1_000);
    const before = storedState(world);
    const late = writesOf(c1);
    world.resume("c1");
    await world.run(100);
    assert.deepEqual(late, [], `write ${at} of the late leader happened`);
    assert.deepEqual(storedState(world), before);
    await world.run(2_000);
    assert.equal(c1.controller.status().because, "c1 does not lead: c2 does");
    assert.equal(c2.controller.status().leads, true);
    assert.deepEqual(
      world.plans().map(({ state }) => state.status),
      ["completed"],
    );
    assert.equal(world.notify.notices.length, 1);
    assert.equal(world.ownership().epoch, 2);
  }
});

test("a leader that stopped for less than its lease goes on as if nothing had happened", async () => {
  const world = new World();
  const c1 = world.start("c1");
  world.start("c2");
  await world.run(3_000);
  world.stop("c1");
  await world.run(1_500);
  world.resume("c1");
  await world.run(3_000);
  assert.equal(c1.controller.status().term, 1);
  assert.deepEqual(world.plans(), []);
});

test("a slow or absent store is no lost lease: the leader says so, waits, and leads on", async () => {
  const world = new World();
  const c1 = world.start("c1");
  await world.run(3_000);
  world.storeAnswers(false);
  await world.run(2_000);
  const { because, storeAnswers } = c1.controller.status();
  assert.equal(storeAnswers, false);
  assert.match(
    because,
    /^c1 leads still, as far as it knows, and does nothing: the store does not/,
  );
  world.storeAnswers(true);
  await world.run(1_000);
  assert.deepEqual([c1.controller.status().leads, c1.controller.status().term], [true, 1]);
});

test("a stopped controller gives its lease back, so that nobody waits for it", async () => {
  const world = new World();
  const c1 = world.start("c1");
  await world.run(1_000);
  await world.clock.run(c1.controller.stop(), 5_000);
  assert.equal(world.backend.get(KEYS.leader), null);
  const c2 = world.start("c2");
  await world.run(100);
  assert.equal(c2.controller.status().term, 2);
});

async function commitsOfOnePlan(): Promise<number> {
  const world = new World();
  const c1 = world.start("c1");
  await world.run(3_000);
  world.kill("eu-west");
  const writes = writesOf(c1);
  await world.until("us-east serves", () => isServedBy(world, "us-east"));
  return writes.length;
}

/** Fills up with every write of this controller that happens. */
function writesOf({ store }: SimController): Transaction[] {
  const writes: Transaction[] = [];
  store.onCommit = (transaction, when) => {
    if (when === "after") writes.push(transaction);
  };
  return writes;
}

function pauseAtCommit({ process }: SimController, at: number): void {
  let seen = 0;
  process.onCall = (port, method, when) => {
    if (port !== "store" || method !== "commit" || when !== "before") return;
    if (seen === at) process.stop();
    seen += 1;
  };
}

/** What a late write could spoil. */
function storedState(world: World): unknown {
  return ["intent/", "ownership/", "plan", KEYS.snapshot, "evidence", KEYS.leader].map((prefix) =>
    world.backend.list(prefix),
  );
}

function isServedBy(world: World, region: string): boolean {
  const { serving, movingBy } = world.intent();
  return movingBy === null && serving.join() === region;
}
