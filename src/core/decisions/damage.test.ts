import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { INTENT, workflowWith } from "../../../test/support/core-values.ts";
import type { Health, Verdict } from "../../model/verdict.ts";
import { decide } from "./decide.ts";
import type { DecisionInput } from "./input.ts";
import { healths, input, PERSON, readiness, request } from "./inputs.fixture.ts";

const [EU, US, AP] = ["eu-west", "us-east", "ap-south"] as const;
const BOTH = { ...PERSON, by: "automatic", signals: ["region-outage", "index-corruption"] };

function copies(euWest: Health, usEast: Health, apSouth: Health = "healthy"): Verdict[] {
  return [
    [EU, euWest],
    [US, usEast],
    [AP, apSouth],
  ].map(([region, health]) => corruption(region as string, health as Health));
}

function corruption(region: string, health: Health, index = "handbook"): Verdict {
  const because = `${region}'s copy of ${index} is ${health}`;
  const about = { domain: "index-corruption", region, index, health, because } as const;
  return { ...about, witnesses: [], failingForMs: 0 };
}

function stale(health: Health): Verdict {
  const because = "the pipeline in eu-west has vouched for handbook up to 9 min ago";
  const about = { domain: "stale-data", region: EU, index: "handbook", health, because } as const;
  return { ...about, witnesses: [], failingForMs: 0 };
}

const needs = (over: object = {}) => workflowWith({ declare: BOTH, ...over });
const given = (indexes: readonly Verdict[], over: Partial<DecisionInput> = {}) =>
  input({ spec: needs(), ...over, verdicts: [...healths("healthy", "healthy"), ...indexes] });

describe("a workflow that needs its index", () => {
  test("leaves a region whose copy is bad for one whose copy is good", () => {
    const decision = decide(given(copies("failed", "healthy")));
    assert.partialDeepStrictEqual(decision, {
      kind: "failover",
      domain: "index-corruption",
      from: [EU],
      to: [US],
      because:
        "index corruption: eu-west's copy of handbook is failed; us-east is the first region that nothing speaks against",
    });
  });

  test("stays where a copy is only in doubt, and says so", () => {
    const decision = decide(given(copies("degraded", "healthy")));
    assert.equal(decision.kind, "hold");
    assert.match(
      decision.because,
      /eu-west serves, and a copy is in doubt, and looked at: eu-west's/,
    );
  });

  test("is not moved for a standby's bad copy, nor for another index", () => {
    assert.equal(decide(given(copies("healthy", "failed"))).kind, "hold");
    assert.equal(decide(given([corruption(EU, "failed", "prices")])).kind, "hold");
  });

  test("stays when every copy is bad: no move would cure it", () => {
    const decision = decide(given(copies("failed", "failed")));
    assert.deepEqual([decision.kind, decision.domain], ["hold", "index-corruption"]);
    assert.match(
      decision.because,
      /every copy of handbook is bad, .*: restore handbook from a snapshot/,
    );
  });

  test("stays when the good copy's region is not ready, and says which is why", () => {
    const decision = decide(
      given(copies("failed", "healthy"), { readiness: [readiness(US, false)] }),
    );
    assert.equal(decision.kind, "hold");
    assert.match(decision.because, /eu-west cannot be left: us-east is not ready/);
  });

  test("never takes an outage as a reason to go to a bad copy", () => {
    const verdicts = [...healths("failed", "healthy"), ...copies("unknown", "failed")];
    const decision = decide(input({ spec: needs(), verdicts }));
    assert.deepEqual([decision.kind, decision.domain], ["hold", "region-outage"]);
    assert.match(decision.because, /eu-west cannot be left: us-east's copy of handbook is failed/);
  });

  test("in several regions leaves the dead one and the damaged one in one move", () => {
    const spec = needs({ pattern: "active-active", standbys: [US, AP] });
    const intent = { ...INTENT, serving: [EU, US, AP] };
    const verdicts = [...healths("failed", "healthy", "healthy"), ...copies("unknown", "failed")];
    const decision = decide(input({ spec, intent, verdicts }));
    assert.partialDeepStrictEqual(decision, { kind: "failover", from: [EU, US], to: [AP] });
  });

  const vetoes: [why: string, over: Partial<DecisionInput>, because: RegExp][] = [
    [
      "the spec does not list it",
      { spec: workflowWith() },
      /declare\.signals of support does not list index-corruption/,
    ],
    [
      "a person must declare it",
      { spec: needs({ declare: { ...BOTH, by: "person" } }) },
      /wait for the duty manager: run `tideover failover support`/,
    ],
    [
      "it has moved a moment ago: two copies that take turns being bad are no two disasters",
      { sinceLastMoveMs: 1_000 },
      /the last unplanned move ended 1\.0 s ago/,
    ],
    ["what it depends on has not settled", { unsettledDependencies: ["search"] }, /not settled/],
  ];
  for (const [why, over, because] of vetoes) {
    test(`stays when ${why}`, () => {
      const decision = decide(given(copies("failed", "healthy"), over));
      assert.equal(decision.kind, "hold");
      assert.match(decision.because, because);
      assert.equal(decision.refused[0]?.alternative, "failover from eu-west to us-east");
    });
  }

  test("cannot be moved to a bad copy by a person either", () => {
    for (const kind of ["failover", "switchover"] as const) {
      const decision = decide(given(copies("healthy", "failed"), { request: request(kind, US) }));
      assert.equal(decision.kind, "hold");
      assert.match(decision.because, /us-east's copy of handbook is failed/);
    }
  });
});

test("a workflow that can do without its index is not moved, and says what it does instead", () => {
  for (const over of [
    { retrieval: { index: "handbook", required: false }, degradedModes: ["no-retrieval"] },
    { optional: ["index"] },
  ]) {
    const decision = decide(given(copies("failed", "healthy"), { spec: needs(over) }));
    assert.equal(decision.kind, "hold");
    assert.match(decision.because, /is failed: support goes on without documents there/);
  }
});

describe("stale data", () => {
  const cures = [
    ["label", /answers say how old their documents are, and nothing moves/],
    ["no-retrieval", /answers are given without documents, and nothing moves/],
    ["refuse", /requests are refused, and nothing moves/],
  ] as const;
  for (const [policy, because] of cures) {
    test(`is cured by ${policy} where the workflow says so`, () => {
      const spec = needs({ retrieval: { index: "handbook", stale: policy } });
      const decision = decide(given([stale("degraded")], { spec }));
      assert.equal(decision.kind, "hold");
      assert.match(decision.because, because);
    });
  }

  const anyHealth = fc.constantFrom<Health>("healthy", "degraded", "failed", "unknown");
  const two = fc.tuple(anyHealth, anyHealth);

  test("moves nothing, whatever else is true", () => {
    fc.assert(
      fc.property(two, two, anyHealth, (regions, indexes, health) => {
        const verdicts = [...healths(...regions), ...copies(...indexes)];
        const before = decide(input({ spec: needs(), verdicts }));
        const after = decide(input({ spec: needs(), verdicts: [...verdicts, stale(health)] }));
        assert.deepEqual([after.kind, after.from, after.to], [before.kind, before.from, before.to]);
      }),
    );
  });

  test("and a move never ends in a region that is out, or at a copy that is bad", () => {
    const patterns = fc.constantFrom("active-passive", "active-active");
    let moves = 0;
    fc.assert(
      fc.property(patterns, two, two, two, (pattern, regions, indexes, [third, thirdCopy]) => {
        const verdicts = [...healths(...regions, third), ...copies(...indexes, thirdCopy)];
        const spec = needs({ pattern, standbys: [US, AP] });
        const serving = pattern === "active-active" ? [EU, US, AP] : [EU];
        const intent = { ...INTENT, serving };
        const { kind, from, to } = decide(input({ spec, intent, verdicts }));
        if (kind === "hold") return;
        moves += 1;
        const isBad = (region: string) =>
          verdicts.some((one) => one.region === region && one.health === "failed");
        assert.ok(to.length > 0 && !to.some(isBad));
        assert.ok(from.some(isBad));
      }),
      { numRuns: 500 },
    );
    assert.ok(moves > 50, `only ${moves} moved`);
  });
});
