import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { simSpec } from "../sim/estate.ts";
import type { SimIndexCopy } from "../sim/region.ts";
import { World } from "../sim/world.ts";

const [EU, US] = ["eu-west", "us-east"] as const;

/** An estate that serves from eu-west and rests. */
async function atRest(options: Parameters<typeof simSpec>[0] = {}): Promise<World> {
  const world = new World({ spec: simSpec(options) });
  world.start("c1");
  await world.until("a change is taken", () => world.write("handbook", "d1"));
  vouch(world);
  await world.run(3_000);
  return world;
}

function copyIn(world: World, region: string): SimIndexCopy {
  return world.region(region).index("handbook");
}

function vouch(world: World): void {
  copyIn(world, world.ownership().region).watermark = world.clock.now();
}

const servedBy = (world: World, workflow?: string) => world.intent(workflow).serving.join();
const decidedOf = (world: World) =>
  world.controllers.get("c1")?.controller.status().decisions[0]?.because;
const moves = (world: World) =>
  world.plans().map(({ plan }) => `${plan.decision.kind} to ${plan.decision.to.join()}`);

describe("a bad copy in the region that serves", () => {
  test("moves the workflow to the good copy, and the ownership of the index with it", async () => {
    const world = await atRest();
    copyIn(world, EU).quarantined = "3 records differ";
    await world.until("us-east serves", () => servedBy(world) === US);
    await world.until("the plan is done", () => world.intent().movingBy === null);
    assert.equal(world.ownership().region, US);
    const [{ plan, state } = assert.fail("no plan")] = world.plans();
    assert.equal(plan.decision.domain, "index-corruption");
    assert.match(
      plan.decision.because,
      /^index corruption: eu-west's copy of handbook is in quarantine/,
    );
    assert.equal(state.status, "completed");
    // The damaged copy is a replica from here on: it may be repaired.
    assert.equal(copyIn(world, EU).ownership?.region, US);
    const told = world
      .evidence()
      .filter(({ kind }) => kind === "verdict")
      .map(({ text }) => text);
    assert.ok(
      told.some((text) => /^index handbook in eu-west is failed: /.test(text)),
      told.join("\n"),
    );
  });

  test("is left once: the region that took over stays, when the other is sound again, too", async () => {
    const world = await atRest();
    copyIn(world, EU).quarantined = "3 records differ";
    await world.until("us-east serves", () => servedBy(world) === US);
    copyIn(world, EU).quarantined = null;
    await world.run(60_000);
    assert.deepEqual(moves(world), ["failover to us-east"]);
  });

  test("and then in the other one moves it back only after the cool-down", async () => {
    const world = await atRest();
    copyIn(world, EU).quarantined = "3 records differ";
    await world.until("us-east serves", () => servedBy(world) === US);
    await world.until("the plan is done", () => world.intent().movingBy === null);
    copyIn(world, EU).quarantined = null;
    copyIn(world, US).quarantined = "1 record differs";
    await world.run(20_000);
    assert.deepEqual(moves(world), ["failover to us-east"]);
    assert.match(decidedOf(world) ?? "", /the last unplanned move ended/);
    await world.until("eu-west serves again", () => servedBy(world) === EU);
  });

  test("that takes turns with the other one moves no more often than the cool-down allows", async () => {
    const world = await atRest();
    for (let turn = 0; turn < 60; turn += 1) {
      copyIn(world, EU).quarantined = turn % 2 === 0 ? "flaps" : null;
      copyIn(world, US).quarantined = turn % 2 === 0 ? null : "flaps";
      await world.run(2_000);
    }
    assert.ok(moves(world).length <= 5, moves(world).join("\n"));
  });

  test("moves nobody when the other copy is bad as well, nor a workflow that can do without", async () => {
    const optional = { retrieval: { index: "handbook", required: false } };
    const world = await atRest({
      workflows: { "rag-search": {}, chat: { ...optional, degradedModes: ["no-retrieval"] } },
    });
    copyIn(world, US).quarantined = "3 records differ";
    copyIn(world, EU).quarantined = "3 records differ";
    await world.run(20_000);
    assert.deepEqual(moves(world), []);
    assert.match(decidedOf(world) ?? "", /every copy of handbook is bad/);
    copyIn(world, US).quarantined = null;
    await world.until("rag-search moves", () => servedBy(world) === US);
    await world.run(10_000);
    assert.equal(servedBy(world, "chat"), EU);
  });

  test("is not left for a standby whose region is dead, until that one is back", async () => {
    const world = await atRest();
    world.kill(US);
    await world.run(10_000);
    copyIn(world, EU).quarantined = "3 records differ";
    await world.run(10_000);
    assert.deepEqual(moves(world), []);
    world.resume(US);
    await world.until("us-east serves", () => servedBy(world) === US);
  });
});

describe("a dead region", () => {
  test("is not left for a bad copy, and is as soon as that is sound", async () => {
    const world = await atRest();
    copyIn(world, US).quarantined = "3 records differ";
    await world.run(5_000);
    world.kill(EU);
    await world.run(20_000);
    assert.deepEqual(moves(world), []);
    assert.match(decidedOf(world) ?? "", /eu-west cannot be left: us-east's copy of handbook/);
    copyIn(world, US).quarantined = null;
    await world.until("us-east serves", () => servedBy(world) === US);
  });
});

describe("a pipeline that stops", () => {
  test("is told of when its time is over, moves nothing, and is told of when it goes on", async () => {
    const world = await atRest({ maxAge: "10s" });
    const verdicts = () =>
      world.evidence().filter(({ kind, text }) => kind === "verdict" && text.includes("pipeline"));
    await world.run(5_000);
    assert.deepEqual(
      verdicts().map(({ text }) => text.slice(0, 38)),
      ["index handbook in eu-west is healthy: "],
    );
    await world.run(20_000);
    assert.deepEqual(
      verdicts()
        .slice(1)
        .map(({ text }) => text.split(":")[0]),
      ["index handbook in eu-west is degraded", "index handbook in eu-west is failed"],
    );
    assert.match(
      decidedOf(world) ?? "",
      /answers say how old their documents are, and nothing moves/,
    );
    vouch(world);
    await world.run(2_000);
    assert.match(verdicts().at(-1)?.text ?? "", /^index handbook in eu-west is healthy/);
    assert.deepEqual(moves(world), []);
    // News is what changed, not each quarter of a second.
    assert.ok(
      verdicts().length <= 5,
      verdicts()
        .map(({ text }) => text)
        .join("\n"),
    );
  });
});
