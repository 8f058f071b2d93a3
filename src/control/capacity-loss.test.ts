import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { simSpec } from "../sim/estate.ts";
import { World } from "../sim/world.ts";

/** A region whose models die under a gateway that lives: the cure of capacity loss, and its bounds. */

const [EU, US] = ["eu-west", "us-east"] as const;

async function atRest(options: Parameters<typeof simSpec>[0] = {}): Promise<World> {
  const world = new World({ spec: simSpec(options) });
  world.start("c1");
  await world.until("a change is taken", () => world.write("handbook", "d1"));
  await world.run(3_000);
  return world;
}

const servedBy = (world: World) => world.intent().serving.join();
const decided = (world: World) =>
  world.controllers.get("c1")?.controller.status().decisions[0]?.because ?? "";
const moves = (world: World) =>
  world.plans().map(({ plan }) => `${plan.decision.kind} to ${plan.decision.to.join()}`);

describe("a region that loses its models", () => {
  test("is left for one whose models answer, and gives its index away whole", async () => {
    const world = await atRest();
    world.loseModels(EU);
    assert.equal(world.write("handbook", "d2"), true, "its pipeline goes on until it is frozen");
    await world.until("us-east serves", () => servedBy(world) === US);
    await world.until("the plan is done", () => world.intent().movingBy === null);
    const [{ plan, state } = assert.fail("no plan")] = world.plans();
    assert.deepEqual([plan.decision.domain, state.status], ["capacity-loss", "completed"]);
    assert.match(
      plan.decision.because,
      /^capacity loss: no model of eu-west has answered its gateway/,
    );
    assert.deepEqual(world.region(US).index("handbook").changes, ["d1", "d2"]);
    assert.deepEqual(world.region(EU).index("handbook").orphans, []);
    const told = world.evidence().map(({ text }) => text);
    assert.ok(
      told.some((text) => /^model serving in eu-west is failed: no model/.test(text)),
      told.join("\n"),
    );
  });

  test("for less than the confirm window is not", async () => {
    const world = await atRest({ detection: { confirm: "4s" } });
    world.script("at 10 s lose-models eu-west\nat 13 s restore-models eu-west");
    await world.run(30_000);
    assert.deepEqual(moves(world), []);
  });

  test("stays left when they are back, until a person wants it back", async () => {
    const world = await atRest();
    world.loseModels(EU);
    await world.until("us-east serves", () => servedBy(world) === US);
    world.restoreModels(EU);
    await world.run(60_000);
    assert.deepEqual(moves(world), ["failover to us-east"]);
    world.request({ kind: "failback", workflow: "rag-search" });
    await world.until("eu-west serves again", () => servedBy(world) === EU);
  });

  test("with all the others is not left: what takes them all goes along", async () => {
    const world = await atRest();
    world.loseModels(EU);
    world.loseModels(US);
    await world.run(30_000);
    assert.deepEqual(moves(world), []);
    world.restoreModels(US);
    await world.until("us-east serves", () => servedBy(world) === US);
  });

  test("and then dies is left for the outage, and nothing waits for it", async () => {
    const world = await atRest();
    world.loseModels(EU);
    await world.run(2_000);
    world.kill(EU);
    await world.until("us-east serves", () => servedBy(world) === US);
    const [{ plan } = assert.fail("no plan")] = world.plans();
    assert.equal(plan.decision.domain, "region-outage");
    assert.ok(plan.steps.every(({ kind }) => kind !== "freeze-index"));
  });

  test("and dies while its index is drained is put back, and left again for the outage", async () => {
    const world = await atRest();
    const c1 = world.controllers.get("c1") ?? assert.fail();
    c1.process.once("agents.catchUp", () => world.kill(EU));
    world.loseModels(EU);
    await world.until("us-east serves", () => servedBy(world) === US, 180_000);
    const domains = world.plans().map(({ plan }) => plan.decision.domain);
    assert.deepEqual(domains, ["capacity-loss", "region-outage"]);
  });

  test("is not left by a workflow whose spec does not say so", async () => {
    const declare = { by: "automatic", who: "on-call", signals: ["region-outage"] } as const;
    const world = await atRest({
      workflows: { "rag-search": { declare: { ...declare, signals: ["region-outage"] } } },
    });
    world.loseModels(EU);
    await world.run(30_000);
    assert.deepEqual(moves(world), []);
    assert.match(decided(world), /declare\.signals of rag-search does not list capacity-loss/);
  });

  test("holds back what depends on a workflow that is still served there", async () => {
    const world = await atRest({
      workflows: {
        "rag-search": { declare: { by: "person", who: "on-call", signals: ["capacity-loss"] } },
        agent: { dependsOn: ["rag-search"] },
      },
    });
    world.loseModels(EU);
    await world.run(30_000);
    assert.deepEqual(moves(world), []);
    world.request({ kind: "failover", workflow: "rag-search" });
    await world.until("both are served by us-east", () => {
      return servedBy(world) === US && world.intent("agent").serving.join() === US;
    });
  });

  test("again and again moves no more often than the cool-down allows", async () => {
    const world = await atRest();
    for (let turn = 0; turn < 30; turn += 1) {
      const [lost, back] = turn % 2 === 0 ? [EU, US] : [US, EU];
      world.restoreModels(back);
      world.loseModels(lost);
      await world.run(6_000);
    }
    assert.ok(moves(world).length <= 7, moves(world).join("\n"));
  });
});
