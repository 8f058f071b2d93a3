import assert from "node:assert/strict";
import { test } from "node:test";
import type { Plan } from "../model/plan.ts";
import { capacityLossChecks } from "./capacity-loss-checks.ts";
import { run } from "./findings.fixture.ts";

const { decision } = run({}).plan;
const because = "capacity loss: no model of eu-west has answered its gateway for 5.1 s";
const byCapacity: Plan["decision"] = { ...decision, domain: "capacity-loss", because };
const split = { detectMs: 1, decideMs: 1, verifyMs: 1, openMs: 1, propagateMs: 1, totalMs: 5 };
const ready = { workflow: "support", ready: true, because: "9 of 9 checks passed" };

type Found = Parameters<typeof capacityLossChecks>[0];
const GOOD: Found = {
  scope: { victim: "eu-west", survivor: "us-east" },
  failovers: [run({ plan: { decision: byCapacity } })],
  split,
  rtoMs: 10_000,
  lost: { rpaMs: 0, because: "handbook: us-east took over at 9" },
  readiness: [ready],
};

const failedOf = (over: Partial<Found>): string[] =>
  capacityLossChecks({ ...GOOD, ...over })
    .filter(({ pass }) => !pass)
    .map(({ name }) => name);

test("a drill in which all is well fails no check, and each says why", () => {
  assert.deepEqual(failedOf({}), []);
  assert.ok(capacityLossChecks(GOOD).every(({ evidence }) => evidence.length > 3));
});

const spoiled: [failing: string, over: Partial<Found>][] = [
  ["recovery time within RTO", { rtoMs: 4 }],
  ["recovery time within RTO", { split: { ...split, totalMs: 0 } }],
  ["no change of an index is lost", { lost: { rpaMs: 1, because: "one change is missing" } }],
  ["found bad by its own domain", { failovers: [run({})] }],
  [
    "support: the region is proven before it takes traffic back",
    { readiness: [{ ...ready, ready: false }] },
  ],
];
for (const [at, [failing, over]] of spoiled.entries()) {
  test(`${failing}: fails when it is not so (${at + 1})`, () => {
    assert.deepEqual(failedOf(over), [failing]);
  });
}

test("a drill in which nothing moved found nothing bad", () => {
  assert.ok(failedOf({ failovers: [] }).includes("found bad by its own domain"));
});
