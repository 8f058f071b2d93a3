import assert from "node:assert/strict";
import { test } from "node:test";
import type { Plan } from "../model/plan.ts";
import { EMPTY_POSITION } from "../model/position.ts";
import { run } from "./findings.fixture.ts";
import { indexCorruptionChecks } from "./index-corruption-checks.ts";

const { decision } = run({}).plan;
const because = "index corruption: eu-west's copy of handbook is damaged";
const byCorruption: Plan["decision"] = { ...decision, domain: "index-corruption", because };
const own = { ...EMPTY_POSITION, seq: 9, count: 9, digest: "a".repeat(32) };
const split = { detectMs: 1, decideMs: 1, verifyMs: 1, openMs: 1, propagateMs: 1, totalMs: 5 };

type Found = Parameters<typeof indexCorruptionChecks>[0];
const GOOD: Found = {
  scope: { victim: "eu-west", survivor: "us-east" },
  records: 10,
  failovers: [run({ plan: { decision: byCorruption } })],
  split,
  rtoMs: 10_000,
  repaired: { because: "10 records were put", own, owner: own },
};

const failedOf = (over: Partial<Found>): string[] =>
  indexCorruptionChecks({ ...GOOD, ...over })
    .filter(({ pass }) => !pass)
    .map(({ name }) => name);

test("a drill in which all is well fails no check, and each says why", () => {
  assert.deepEqual(failedOf({}), []);
  assert.ok(indexCorruptionChecks(GOOD).every(({ evidence }) => evidence.length > 3));
});

const spoiled: [failing: string, over: Partial<Found>][] = [
  ["something was broken", { records: 0 }],
  ["recovery time within RTO", { rtoMs: 4 }],
  ["recovery time within RTO", { split: { ...split, totalMs: 0 } }],
  ["found bad by its own domain", { failovers: [run({})] }],
  [
    "the damaged copy is repaired from its new owner",
    { repaired: { ...GOOD.repaired, owner: { ...own, digest: "b".repeat(32) } } },
  ],
  [
    "the damaged copy is repaired from its new owner",
    { repaired: { ...GOOD.repaired, own: EMPTY_POSITION, owner: EMPTY_POSITION } },
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
