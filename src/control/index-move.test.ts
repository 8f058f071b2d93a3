import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TideoverError } from "../lib/errors.ts";
import { KEYS } from "../model/keys.ts";
import { simSpec } from "../sim/estate.ts";
import type { SimIndexCopy } from "../sim/region.ts";
import { World } from "../sim/world.ts";

const [EU, US, AP] = ["eu-west", "us-east", "ap-south"] as const;
const OPTIONAL = {
  retrieval: { index: "handbook", required: false },
  degradedModes: ["no-retrieval" as const],
};

/** An estate that serves from eu-west and rests; its one workflow can do without its index. */
async function atRest(options: Parameters<typeof simSpec>[0] = {}): Promise<World> {
  const world = new World({ spec: simSpec({ workflows: { "rag-search": OPTIONAL }, ...options }) });
  world.start("c1");
  await world.until("a change is taken", () => world.write("handbook", "d1"));
  await world.run(3_000);
  return world;
}

function copyIn(world: World, region: string): SimIndexCopy {
  return world.region(region).index("handbook");
}

const plans = (world: World) =>
  world
    .plans()
    .map(
      ({ plan, state }) => `${plan.decision.kind} to ${plan.decision.to.join()} ${state.status}`,
    );
const owned = (world: World) => world.ownership().region;
const atPeace = (world: World) => world.indexHold() === null;
const told = (world: World, kind: string) =>
  world
    .evidence()
    .filter((one) => one.kind === kind)
    .map(({ text }) => text);

describe("a damaged owner that nobody needs", () => {
  test("loses the ownership to a proven copy, and no traffic moves", async () => {
    const world = await atRest();
    copyIn(world, EU).quarantined = "3 records differ";
    assert.ok(world.write("handbook", "d2"), "the pipeline goes on meanwhile");
    await world.until("us-east owns it", () => owned(world) === US && atPeace(world));
    assert.deepEqual(plans(world), ["move-index to us-east completed"]);
    assert.deepEqual([world.intent().serving, world.intent().epoch], [[EU], 1]);
    assert.deepEqual(copyIn(world, US).changes, ["d1", "d2"], "nothing was lost");
    assert.equal(copyIn(world, EU).ownership?.region, US, "it is a replica, and may be repaired");
    assert.ok(world.write("handbook", "d3"));
    assert.match(
      told(world, "decision").find((text) => text.startsWith("move-index")) ?? "",
      /^move-index for index:handbook: index corruption: eu-west's copy of handbook is in quarantine .* no traffic moves$/,
    );
    assert.match(
      told(world, "plan").at(-1) ?? "",
      /completed: us-east owns index handbook, and traffic is where it was$/,
    );
    copyIn(world, EU).quarantined = null;
    await world.run(60_000);
    assert.equal(plans(world).length, 1, "and it stays where it is");
  });

  test("keeps it while the copy that would take over is not accepted", async () => {
    const world = await atRest();
    const c1 = world.controllers.get("c1") ?? assert.fail();
    const { proveIndex } = c1.agents;
    c1.agents.proveIndex = async (region, index, timeoutMs) => {
      const proof = await proveIndex(region, index, timeoutMs);
      return { ...proof, accepted: false, because: "digests: the sums do not make up 0815" };
    };
    copyIn(world, EU).quarantined = "3 records differ";
    await world.until("a plan failed", () => plans(world).length === 1 && atPeace(world));
    assert.equal(owned(world), EU);
    assert.equal(world.ownership().epoch, 1, "nothing was changed");
    const drained = () => world.plans().at(-1)?.plan.decision.index?.drained;
    assert.equal(drained(), true);
    assert.match(told(world, "plan").at(-1) ?? "", /is not accepted: digests/);
    c1.agents.proveIndex = proveIndex;
    await world.until("us-east owns it", () => owned(world) === US);
    assert.equal(drained(), true, "that a copy was not accepted says nothing of its owner's log");
  });

  test("whose log cannot be followed to its end is left without that, where nothing is known to be lost", async () => {
    const world = await atRest();
    const c1 = world.controllers.get("c1") ?? assert.fail();
    c1.agents.catchUp = async () => {
      throw new TideoverError("its log is damaged as well", { code: "INDEX_DIVERGED" });
    };
    copyIn(world, EU).quarantined = "3 records differ";
    await world.until("us-east owns it", () => owned(world) === US && atPeace(world));
    assert.deepEqual(plans(world), [
      "move-index to us-east failed",
      "move-index to us-east completed",
    ]);
    assert.ok(world.write("handbook", "d2"));
  });

  test("whose index went to and fro while the copy was proven is not stopped by the late plan", async () => {
    const world = await atRest();
    const c1 = world.controllers.get("c1") ?? assert.fail();
    const { proveIndex } = c1.agents;
    c1.agents.proveIndex = async (...args) => {
      c1.agents.proveIndex = proveIndex;
      const value = { ...world.ownership(), epoch: 3 };
      const put = KEYS.ownership("handbook");
      world.backend.commit({ compare: [], operations: [{ put, value }] });
      return proveIndex(...args);
    };
    world.requestIndex({ to: US });
    await world.until("the plan failed", () => plans(world).length === 1 && atPeace(world));
    assert.match(
      told(world, "plan").at(-1) ?? "",
      /handbook is eu-west's under epoch 3, and this plan expects epoch 1$/,
    );
    assert.deepEqual(world.ownership(), {
      ...world.ownership(),
      region: EU,
      frozen: false,
      epoch: 3,
    });
  });

  test("is waited for no longer when a second one is bad: the third region takes over", async () => {
    const world = await atRest({ regions: [EU, US, AP] });
    copyIn(world, US).quarantined = "1 record differs";
    copyIn(world, EU).quarantined = "3 records differ";
    await world.until("ap-south owns it", () => owned(world) === AP);
  });

  test("that fails over while its index is moved leaves one owner, and all its changes", async () => {
    const world = await atRest();
    const c1 = world.controllers.get("c1") ?? assert.fail();
    const { catchUp } = c1.agents;
    c1.agents.catchUp = async (...args) => {
      world.request({ kind: "failover", workflow: "rag-search", to: US });
      c1.agents.catchUp = catchUp;
      await world.clock.sleep(3_000);
      return catchUp(...args);
    };
    copyIn(world, EU).quarantined = "3 records differ";
    await world.until(
      "both plans ended",
      () => plans(world).length >= 2 && atPeace(world) && world.intent().movingBy === null,
    );
    await world.run(10_000);
    assert.deepEqual([owned(world), world.ownership().frozen], [US, false]);
    assert.deepEqual(world.intent().serving, [US]);
    assert.ok(world.write("handbook", "d2"));
    assert.deepEqual(copyIn(world, US).changes, ["d1", "d2"]);
  });
});

describe("a dead owner that no traffic leaves", () => {
  test("loses the ownership, so that the pipeline goes on", async () => {
    const world = await atRest();
    world.requestIndex({ to: US });
    await world.until("us-east owns it", () => owned(world) === US && atPeace(world));
    world.kill(US);
    await world.until("eu-west owns it again", () => owned(world) === EU, 90_000);
    assert.deepEqual(plans(world), [
      "move-index to us-east completed",
      "move-index to eu-west completed",
    ]);
    assert.ok(world.write("handbook", "d2"));
    assert.deepEqual(world.intent().serving, [EU]);
  });
});

describe("a person", () => {
  test("moves an index to a region, and is told why not", async () => {
    const world = await atRest();
    world.requestIndex({ to: EU });
    await world.run(1_000);
    assert.match(
      told(world, "request").at(-1) ?? "",
      /^ada's move of index handbook is refused: eu-west owns handbook already/,
    );
    world.requestIndex({ index: "elsewhere" });
    await world.run(1_000);
    assert.match(told(world, "request").at(-1) ?? "", /there is no index elsewhere in the spec/);
    world.requestIndex();
    await world.until("us-east owns it", () => owned(world) === US && atPeace(world));
    assert.deepEqual(world.backend.list("index-request/"), []);
  });

  test("waits with his wish until a workflow's own move is over", async () => {
    const world = await atRest();
    world.request({ kind: "switchover", workflow: "rag-search", to: US });
    await world.until("it moves", () => world.intent().movingBy !== null);
    world.requestIndex({ to: EU });
    await world.until("it is back", () => plans(world).length === 2 && atPeace(world));
    assert.equal(owned(world), EU);
    assert.deepEqual(plans(world), [
      "switchover to us-east completed",
      "move-index to eu-west completed",
    ]);
    assert.deepEqual(world.intent().serving, [US]);
  });
});
