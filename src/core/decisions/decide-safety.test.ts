import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { INTENT, workflowWith } from "../../../test/support/core-values.ts";
import type { Decision } from "../../model/decision.ts";
import type { OperatorRequest } from "../../model/request.ts";
import type { Health } from "../../model/verdict.ts";
import { type DecisionInput, decide } from "./decide.ts";
import { healths, input, PERSON, readiness, request } from "./inputs.fixture.ts";

const REGIONS = ["eu-west", "us-east", "ap-south"];
const anyHealth = fc.constantFrom<Health>("healthy", "degraded", "failed", "unknown");
const anyInput: fc.Arbitrary<DecisionInput> = fc
  .record({
    pattern: fc.constantFrom("active-passive", "active-active"),
    by: fc.constantFrom("automatic", "person"),
    serving: fc.subarray(REGIONS, { minLength: 1 }),
    movingBy: fc.constantFrom(null, null, null, null, "p9"),
    health: fc.tuple(anyHealth, anyHealth, anyHealth),
    judged: fc.subarray(REGIONS),
    ready: fc.array(fc.tuple(fc.constantFrom(...REGIONS), fc.boolean()), { maxLength: 3 }),
    kind: fc.constantFrom<OperatorRequest["kind"] | null>(
      null,
      null,
      null,
      "failover",
      "switchover",
      "failback",
    ),
    to: fc.option(fc.constantFrom(...REGIONS, "mars")),
    sinceLastMoveMs: fc.option(fc.integer({ min: 0, max: 60_000 })),
    unsettled: fc.constantFrom<string[]>([], [], [], ["search"]),
  })
  .map((drawn) =>
    input({
      spec: workflowWith({
        pattern: drawn.pattern,
        standbys: ["us-east", "ap-south"],
        declare: { ...PERSON, by: drawn.by },
      }),
      intent: { ...INTENT, serving: drawn.serving, movingBy: drawn.movingBy },
      verdicts: healths(...drawn.health).filter(({ region }) => drawn.judged.includes(region)),
      readiness: [...new Map(drawn.ready)].map(([region, ready]) => readiness(region, ready)),
      request: drawn.kind === null ? null : request(drawn.kind, drawn.to),
      sinceLastMoveMs: drawn.sinceLastMoveMs,
      unsettledDependencies: drawn.unsettled,
    }),
  );

function healthIn({ verdicts }: DecisionInput, region: string): Health {
  return verdicts.find((one) => one.region === region)?.health ?? "unknown";
}

function property(judge: (given: DecisionInput, decision: Decision) => void): void {
  let moves = 0;
  fc.assert(
    fc.property(anyInput, (given) => {
      const decision = decide(given);
      if (decision.kind !== "hold") moves += 1;
      judge(given, decision);
    }),
    { numRuns: 1_000 },
  );
  assert.ok(moves > 50, `only ${moves} of 1,000 decisions moved anything`);
}

test("safety: a move goes somewhere, never to a failed or unready region, and drops nobody silently", () => {
  property((given, { kind, from, to, because }) => {
    assert.ok(because.length > 5);
    if (kind === "hold") return assert.deepEqual([from, to], [[], []]);
    assert.ok(to.length > 0);
    assert.ok(to.every((region) => healthIn(given, region) !== "failed"));
    const unready = given.readiness.filter(({ ready }) => !ready).map(({ region }) => region);
    assert.ok(to.every((region) => !unready.includes(region)));
    assert.deepEqual(new Set([...from, ...to]), new Set([...given.intent.serving, ...to]));
    assert.ok(from.every((region) => !to.includes(region)));
    assert.ok(to.every((region) => REGIONS.includes(region)));
  });
});

test("safety: without a person nothing moves unless a serving region has failed", () => {
  property((given, { kind }) => {
    const failed = given.intent.serving.some((region) => healthIn(given, region) === "failed");
    if (given.request === null && !failed) assert.equal(kind, "hold");
    if (given.intent.movingBy !== null) assert.equal(kind, "hold");
    if (REGIONS.every((region) => healthIn(given, region) === "failed")) {
      assert.equal(kind, "hold");
    }
  });
});

test("safety: a region nobody sees is never left by the controller's own will", () => {
  property((given, { kind, from }) => {
    if (given.request !== null || kind === "hold") return;
    const unready = given.readiness.filter(({ ready }) => !ready).map(({ region }) => region);
    const left = from.filter((region) => healthIn(given, region) !== "failed");
    // Beside the failed, only a region that is proven to answer wrongly leaves, or in
    // active-passive one beside the single region that serves.
    if (given.spec.pattern === "active-active") {
      assert.ok(left.every((region) => unready.includes(region)));
    }
    assert.ok(left.length < from.length);
  });
});
