import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { EVERY_WORKFLOW } from "../../model/decision.ts";
import type { ReleaseIntent } from "../../model/release-intent.ts";
import type { ReleaseRequest } from "../../model/request.ts";
import { decideRelease, type ReleaseDecisionInput, rollbackTarget } from "./release.ts";

const REGIONS = ["eu-west", "us-east", "ap-south"];

function intent(over: Partial<ReleaseIntent> = {}, runs: readonly string[] = ["a", "a", "a"]) {
  return {
    epoch: 1,
    regions: Object.fromEntries(
      REGIONS.map((region, at) => [region, { digest: runs[at] ?? "a", since: 0 }]),
    ),
    good: ["a"],
    heldBy: null,
    because: "a test",
    since: 0,
    ...over,
  };
}

function request(kind: ReleaseRequest["kind"], release: string | null = null): ReleaseRequest {
  return { id: "r1", kind, release, by: "ada", at: 0 };
}

function input(over: Partial<ReleaseDecisionInput> = {}): ReleaseDecisionInput {
  return {
    intent: intent(),
    regions: REGIONS,
    known: ["a", "b"].map((digest) => ({ digest, number: null })),
    failed: [],
    serving: ["eu-west"],
    moving: [],
    request: null,
    bad: null,
    ...over,
  };
}

const HELD = { plan: "p1", kind: "activate" } as const;
const BAD = { digest: "b", because: "golden answers are lost" };

describe("what is done about the release", () => {
  const cases: [
    what: string,
    over: Partial<ReleaseDecisionInput>,
    kind: string,
    because: RegExp,
  ][] = [
    ["nothing, at rest", {}, "hold", /every region runs a/],
    ["what a person asks", { request: request("activate", "b") }, "activate", /asked by ada/],
    [
      "nothing while a plan is under way",
      { intent: intent({ heldBy: HELD }), request: request("activate", "b") },
      "hold",
      /plan p1 is under way/,
    ],
    [
      "no activation beside an outage",
      { request: request("activate", "b"), failed: ["us-east"] },
      "hold",
      /us-east has failed: recover first/,
    ],
    [
      "no activation beside a move",
      { request: request("activate", "b"), moving: ["support"] },
      "hold",
      /support is being moved/,
    ],
    ["no unknown release", { request: request("activate", "c") }, "hold", /does not know/],
    ["no release without a name", { request: request("activate") }, "hold", /names no release/],
    [
      "no older number",
      {
        request: request("activate", "b"),
        known: [
          { digest: "a", number: 7 },
          { digest: "b", number: 6 },
        ],
      },
      "hold",
      /its number 6 is below 7/,
    ],
    ["no change to the same", { request: request("activate", "a") }, "hold", /runs it already/],
    [
      "an activation again that stopped half-way",
      { intent: intent({}, ["a", "b", "a"]), request: request("activate", "b") },
      "activate",
      /asked by ada/,
    ],
    [
      "no rollback to nowhere",
      { request: request("rollback") },
      "hold",
      /no good release is known before/,
    ],
    [
      "a rollback from the present good one",
      { intent: intent({ good: ["b", "a"] }, ["b", "b", "b"]), request: request("rollback") },
      "rollback",
      /back to a, the last good one/,
    ],
    [
      "a rollback in the middle of an activation",
      { intent: intent({ heldBy: HELD }, ["b", "a", "a"]), request: request("rollback") },
      "rollback",
      /back to a/,
    ],
    [
      "a rollback by itself from a bad release",
      { intent: intent({ heldBy: HELD }, ["a", "b", "a"]), bad: BAD },
      "rollback",
      /release b is bad: golden answers are lost; back to a/,
    ],
    ["nothing about a bad release that nobody runs", { bad: BAD }, "hold", /every region runs a/],
    [
      "no rollback while one is under way",
      {
        intent: intent({ heldBy: { plan: "p2", kind: "rollback" } }, ["b", "b", "b"]),
        bad: BAD,
      },
      "hold",
      /plan p2 is under way/,
    ],
    [
      "nothing when no other good release is known",
      { intent: intent({ good: ["b"] }, ["b", "b", "b"]), bad: BAD },
      "hold",
      /no good release is known to go back to/,
    ],
    [
      "a rollback although a region is dead",
      {
        intent: intent({ good: ["b", "a"] }, ["b", "b", "b"]),
        failed: ["eu-west"],
        request: request("rollback"),
      },
      "rollback",
      /back to a/,
    ],
  ];
  for (const [what, over, kind, because] of cases) {
    test(what, () => {
      const decision = decideRelease(input(over));
      assert.equal(decision.kind, kind);
      assert.match(decision.because, because);
    });
  }

  test("an activation reaches the regions that serve last, in the spec's order", () => {
    const { to, release } = decideRelease(input({ request: request("activate", "b") }));
    assert.deepEqual([to, release], [["us-east", "ap-south", "eu-west"], "b"]);
  });
});

test("a rollback leads to the last good release, and from it to the one before", () => {
  const good = ["b", "a"];
  const runs = ["b", "b", "b"];
  assert.equal(rollbackTarget(intent({ good }, runs), REGIONS), "a");
  assert.equal(rollbackTarget(intent({ good }, ["c", "b", "b"]), REGIONS), "b");
  assert.equal(rollbackTarget(intent({ good: ["a"] }), REGIONS), null);
  // Of an activation that has changed nothing yet, it is the end and no more.
  assert.equal(rollbackTarget(intent({ good, heldBy: HELD }, runs), REGIONS), "b");
});

const digest = fc.constantFrom("a", "b", "c");
const anyInput = fc.record({
  intent: fc.record({
    runs: fc.array(digest, { minLength: 3, maxLength: 3 }),
    good: fc.uniqueArray(digest, { minLength: 1, maxLength: 3 }),
    heldBy: fc.constantFrom(null, HELD, { plan: "p2", kind: "rollback" } as const),
  }),
  known: fc.uniqueArray(digest),
  failed: fc.subarray(REGIONS),
  serving: fc.subarray(REGIONS),
  moving: fc.subarray(["support", "search"]),
  request: fc.constantFrom(
    null,
    request("rollback"),
    request("activate"),
    request("activate", "a"),
    request("activate", "b"),
  ),
  bad: fc.option(digest.map((one) => ({ digest: one, because: "bad" }))),
});

test("for every input: whole, known, in peace, and never without a reason or a person", () => {
  fc.assert(
    fc.property(anyInput, ({ intent: { runs, ...held }, known, ...rest }) => {
      const given = input({
        ...rest,
        intent: intent(held, runs),
        known: known.map((one) => ({ digest: one, number: null })),
      });
      const { kind, to, release, workflow, because, domain } = decideRelease(given);
      assert.equal(workflow, EVERY_WORKFLOW);
      assert.notEqual(because, "");
      if (kind === "hold") return assert.deepEqual(to, []);
      assert.deepEqual(to.toSorted(), REGIONS.toSorted());
      assert.ok(known.some((one) => one === release));
      assert.notEqual(given.intent.heldBy?.kind, "rollback");
      if (kind === "rollback") {
        assert.ok(given.intent.good.some((one) => one === release));
        assert.equal(domain, given.request?.kind === "rollback" ? null : "bad-release");
        return;
      }
      assert.equal(given.request?.kind, "activate");
      assert.deepEqual([given.failed, given.moving, given.intent.heldBy], [[], [], null]);
    }),
  );
});
