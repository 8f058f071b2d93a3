import assert from "node:assert/strict";
import { test } from "node:test";
import { INTENT, OWNERSHIP, workflowWith } from "../../../test/support/core-values.ts";
import { TideoverError } from "../../lib/errors.ts";
import { type Plan, planSchema } from "../../model/plan.ts";
import { planFor } from "./plan.ts";
import { decision, inputWith } from "./plans.fixture.ts";

/** `promote-index-handbook(us-east)`: a plan's steps at a glance. */
function glance(plan: Plan): string[] {
  return plan.steps.map(({ id, regions }) => `${id}(${regions.join(",")})`);
}

const FAILOVER = decision("failover", ["eu-west"], ["us-east"]);
const SWITCHOVER = decision("switchover", ["eu-west"], ["us-east"]);

test("a failover promotes the copy that it has, and does not wait for the region it leaves", () => {
  assert.deepEqual(glance(planFor(inputWith({ decision: FAILOVER }))), [
    "prove-readiness(us-east)",
    "take-ownership(us-east)",
    "promote-index-handbook(us-east)",
    "open-traffic(us-east)",
    "confirm-acknowledged(us-east,ap-south)",
    "prove-traffic(us-east)",
    "announce(us-east)",
  ]);
});

test("a planned move drains the index, proves the level copy, and waits for both sides", () => {
  assert.deepEqual(glance(planFor(inputWith({ decision: SWITCHOVER }))), [
    "prove-readiness(us-east)",
    "take-ownership(us-east)",
    "freeze-index-handbook(eu-west)",
    "catch-up-index-handbook(us-east)",
    "reprove-readiness(us-east)",
    "promote-index-handbook(us-east)",
    "open-traffic(us-east)",
    "confirm-acknowledged(eu-west,us-east)",
    "prove-traffic(us-east)",
    "announce(us-east)",
  ]);
});

test("a failover out of a region that only lost its models drains its index, as a planned move", () => {
  const lost = { ...FAILOVER, domain: "capacity-loss" as const };
  assert.deepEqual(glance(planFor(inputWith({ decision: lost }))), [
    "prove-readiness(us-east)",
    "take-ownership(us-east)",
    "freeze-index-handbook(eu-west)",
    "catch-up-index-handbook(us-east)",
    "reprove-readiness(us-east)",
    "promote-index-handbook(us-east)",
    "open-traffic(us-east)",
    "confirm-acknowledged(us-east,eu-west,ap-south)",
    "prove-traffic(us-east)",
    "announce(us-east)",
  ]);
});

test("an index that is written elsewhere, or that the workflow does not use, stays where it is", () => {
  const elsewhere = { ownerships: [{ ...OWNERSHIP, region: "ap-south" }] };
  const unused = { spec: workflowWith({ retrieval: undefined, standbys: ["us-east"] }) };
  for (const over of [elsewhere, unused, { ownerships: [] }]) {
    for (const moved of [FAILOVER, SWITCHOVER]) {
      const plan = planFor(inputWith({ decision: moved, ...over }));
      assert.deepEqual(
        plan.steps.filter(({ index }) => index !== null),
        [],
      );
    }
  }
});

test("a region that is known dead is not waited for, nor is one that is left behind", () => {
  const plan = planFor(inputWith({ decision: FAILOVER, failed: ["eu-west", "ap-south"] }));
  const confirm = plan.steps.find(({ kind }) => kind === "confirm-acknowledged");
  assert.deepEqual(confirm?.regions, ["us-east"]);
});

test("a plan acts under the next epoch, and carries its decision, parent and release", () => {
  const plan = planFor(inputWith({ decision: FAILOVER, parent: "p0" }));
  assert.equal(plan.epoch, INTENT.epoch + 1);
  assert.deepEqual(
    [plan.id, plan.parent, plan.release, plan.createdAt, plan.workflow],
    ["p1", "p0", "sha256:abc", 1_000, "support"],
  );
  assert.deepEqual(plan.decision, FAILOVER);
  assert.deepEqual(planSchema.parse(plan), plan);
});

test("the same input gives the same plan: the runbook prints what the controller runs", () => {
  assert.deepEqual(
    planFor(inputWith({ decision: SWITCHOVER })),
    planFor(inputWith({ decision: SWITCHOVER })),
  );
});

test("a canary may take as long as a request of the workflow may", () => {
  const plan = planFor(inputWith({ decision: FAILOVER, spec: workflowWith({ deadline: "5m" }) }));
  const canary = plan.steps.find(({ kind }) => kind === "prove-traffic");
  assert.equal(canary?.deadlineMs, 300_000);
});

test("the sentences name what they are about, so that they can be read at 3 a.m.", () => {
  const { steps } = planFor(inputWith({ decision: SWITCHOVER }));
  const text = steps.map(({ effect, proof }) => `${effect} ${proof}`).join("\n");
  for (const name of ["us-east", "eu-west", "handbook", "epoch of support from 7 to 8"]) {
    assert.ok(text.includes(name), name);
  }
  assert.ok(
    !/undefined|null|\[object/.test(JSON.stringify(steps.map(({ index, ...rest }) => rest))),
  );
});

test("a decision that moves nothing makes no plan", () => {
  for (const bad of [decision("hold", [], []), decision("failover", ["eu-west"], [])]) {
    assert.throws(
      () => planFor(inputWith({ decision: bad })),
      (error) =>
        error instanceof TideoverError &&
        error.code === "PLAN_INVALID" &&
        error.message.includes("of support"),
    );
  }
});
