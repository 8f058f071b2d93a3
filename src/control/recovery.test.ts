import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { verifyChain } from "../core/evidence/chain.ts";
import { positionSchema } from "../model/position.ts";
import { readinessSchema } from "../model/readiness.ts";
import { simSpec } from "../sim/estate.ts";
import { transcript } from "../sim/transcript.ts";
import { World } from "../sim/world.ts";

test("a region dies, its standby is proven and takes over; it comes back and takes back", async () => {
  const world = new World();
  world.start("c1");
  await settled(world);
  for (const change of ["a", "b", "c"]) assert.equal(world.write("handbook", change), true);
  await world.run(1_000);

  const before = world.evidence().length;
  world.kill("eu-west");
  await world.until("rag-search is served by us-east", () => isAtRest(world, "us-east"));
  await world.run(500);
  assert.equal(
    withoutHolds(transcript(world.evidence().slice(before))),
    `
eu-west is degraded
eu-west is failed
rag-search: failover from eu-west to us-east
plan of rag-search is running
  prove-readiness started
  prove-readiness done
  take-ownership started
  take-ownership done
  promote-index-handbook started
  promote-index-handbook done
  open-traffic started
  snapshot 2
  open-traffic done
  confirm-acknowledged started
  confirm-acknowledged done
  prove-traffic started
  prove-traffic done
  announce started
announcement: told on status page: rag-search moved from eu-west to us-east.
plan of rag-search is completed`.trim(),
  );
  assert.deepEqual(world.ownership(), {
    index: "handbook",
    epoch: 2,
    region: "us-east",
    frozen: false,
  });
  assert.equal(world.write("handbook", "d"), true);

  world.resume("eu-west");
  await world.until("eu-west has the new snapshot and the new changes", () => {
    const { snapshot } = world.region("eu-west");
    return snapshot?.number === 2 && world.region("eu-west").index("handbook").changes.length === 4;
  });
  assert.equal(world.region("eu-west").write("handbook", "stale writer"), false);

  const back = world.evidence().length;
  world.request({ kind: "failback", workflow: "rag-search" });
  await world.until("rag-search is served by eu-west", () => isAtRest(world, "eu-west"));
  assert.equal(
    withoutHolds(transcript(world.evidence().slice(back))),
    `
rag-search: failback from us-east to eu-west
plan of rag-search is running
  prove-readiness started
  prove-readiness done
  take-ownership started
  take-ownership done
  freeze-index-handbook started
  freeze-index-handbook done
  catch-up-index-handbook started
  catch-up-index-handbook done
  reprove-readiness started
  reprove-readiness done
  promote-index-handbook started
  promote-index-handbook done
  open-traffic started
  snapshot 3
  open-traffic done
  confirm-acknowledged started
  confirm-acknowledged done
  prove-traffic started
  prove-traffic done
  announce started
announcement: told on status page: rag-search moved from us-east to eu-west.
plan of rag-search is completed`.trim(),
  );
  assert.deepEqual(world.region("eu-west").index("handbook").changes, ["a", "b", "c", "d"]);
  assert.equal(world.ownership().epoch, 4);
  assert.equal(world.plans()[1]?.plan.parent, world.plans()[0]?.plan.id);
  assert.deepEqual(verifyChain(world.evidence()), { ok: true });
});

test("the evidence of a recovery holds the figures that its report is made of", async () => {
  const world = new World();
  world.start("c1");
  await settled(world);
  for (const change of ["a", "b", "c"]) world.write("handbook", change);
  await world.run(1_000);
  // Accepted and reported in the last instant, and shipped nowhere: what a failover loses.
  world.region("us-east").index("handbook").follow = () => undefined;
  world.write("handbook", "d");
  await world.run(500);
  world.kill("eu-west");
  await world.until("us-east serves", () => isAtRest(world, "us-east"));
  const steps = world.evidence().filter(({ data }) => data.status === "done");
  const readiness = steps.find(({ data }) => data.kind === "prove-readiness");
  const promotion = steps.find(({ data }) => data.kind === "promote-index");
  assert.match(readiness?.text ?? "", /us-east is ready, 2 of 2 checks passed: model/);
  const [proof] = z.array(readinessSchema).parse(readiness?.data.readiness);
  assert.deepEqual(
    proof?.checks.map(({ name, pass }) => [name, pass]),
    [
      ["model", true],
      ["index", true],
    ],
  );
  assert.equal(positionSchema.parse(promotion?.data.position).seq, 3);
  assert.equal(positionSchema.parse(promotion?.data.lastKnown).seq, 4);
});

test("several workflows fail over at the same time, and one that is slow holds no other up", async () => {
  const spec = simSpec({ workflows: { chat: {}, search: {}, triage: {} } });
  const world = new World({ spec });
  const c1 = world.start("c1");
  await settled(world);
  // After the decision, so that the plan begins and then waits for its standby.
  c1.process.once("agents.readiness", () =>
    world.region("us-east").unready.set("triage", "its model is still loading"),
  );
  world.kill("eu-west");
  await world.run(5_000);
  await world.until("the others are done", () =>
    ["chat", "search"].every((workflow) => isAtRest(world, "us-east", workflow)),
  );
  assert.deepEqual(
    world.plans().map(({ plan }) => plan.workflow),
    ["chat", "search", "triage"],
  );
  assert.equal(world.ownership().epoch, 2, "the index that they share is promoted once");
  world.region("us-east").unready.clear();
  await world.until("triage follows", () => isAtRest(world, "us-east", "triage"));
  assert.deepEqual(c1.controller.status().plans, []);
});

test("a workflow is recovered after those that it depends on", async () => {
  const spec = simSpec({ workflows: { answers: { dependsOn: ["search"] }, search: {} } });
  const world = new World({ spec });
  world.start("c1");
  await settled(world);
  world.kill("eu-west");
  await world.until("both are moved", () =>
    ["answers", "search"].every((workflow) => isAtRest(world, "us-east", workflow)),
  );
  const ends = world.evidence().filter(({ kind, data }) => kind === "plan" && data.status);
  assert.deepEqual(
    ends.map(({ workflow, data }) => `${workflow} ${data.status}`),
    ["search running", "search completed", "answers running", "answers completed"],
  );
});

test("what a person may decide is not decided by the controller, until the person does", async () => {
  const declare = { by: "person", who: "on-call", signals: ["region-outage"] } as const;
  const spec = simSpec({
    workflows: { "rag-search": { declare: { ...declare, signals: ["region-outage"] } } },
  });
  const world = new World({ spec });
  const c1 = world.start("c1");
  await settled(world);
  world.kill("eu-west");
  await world.run(20_000);
  assert.deepEqual(world.plans(), []);
  assert.match(c1.controller.status().because, /on-call/);
  world.request({ kind: "failover", workflow: "rag-search" });
  await world.until("us-east serves", () => isAtRest(world, "us-east"));
});

test("a controller that is stopped in a plan lets its successor go on at once", async () => {
  const world = new World();
  const c1 = world.start("c1");
  await settled(world);
  let stopped: Promise<void> | null = null;
  c1.process.once("agents.obeyOwnership", () => {
    stopped = c1.controller.stop();
  });
  world.kill("eu-west");
  await world.until("c1 was stopped", () => stopped !== null);
  await world.run(1_000);
  await stopped;
  assert.deepEqual(
    world.plans().map(({ state }) => [state.status, state.next]),
    [["running", 3]],
    "the step under way reached its boundary, and no other began",
  );
  world.start("c2");
  await world.until("us-east serves", () => isAtRest(world, "us-east"), 2_500);
  assert.equal(world.plans().length, 1);
  assert.equal(world.notify.notices.length, 1);
});

test("a gateway that came back with an older snapshot is offered the newest again", async () => {
  const world = new World();
  world.start("c1");
  await settled(world);
  const newest = world.region("us-east").snapshot;
  world.region("us-east").snapshot = newest && { ...newest, number: 0 };
  await world.until("it has it", () => world.region("us-east").snapshot?.number === 1, 5_000);
});

test("a store from a backup does not number below what the gateways have", async () => {
  const world = new World();
  world.start("c1");
  await settled(world);
  for (const region of world.regions.values()) {
    region.snapshot = region.snapshot && { ...region.snapshot, number: 41 };
  }
  await world.until("both have a newer one", () =>
    [...world.regions.values()].every(({ snapshot }) => (snapshot?.number ?? 0) > 41),
  );
});

async function settled(world: World): Promise<void> {
  await world.run(3_000);
}

function isAtRest(world: World, region: string, workflow = "rag-search"): boolean {
  const { serving, movingBy } = world.intent(workflow);
  return movingBy === null && serving.join() === region;
}

/** Holds come and go with the verdicts' sentences; what matters here is what was done. */
function withoutHolds(text: string): string {
  return text
    .split("\n")
    .filter((line) => !line.endsWith(": hold"))
    .join("\n");
}
