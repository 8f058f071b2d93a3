import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { INTENT, workflowWith } from "../../../test/support/core-values.ts";
import type { Health, Verdict } from "../../model/verdict.ts";
import { decide } from "./decide.ts";
import type { DecisionInput } from "./input.ts";
import { healths, input, PERSON, readiness, request } from "./inputs.fixture.ts";

const REGIONS = ["eu-west", "us-east", "ap-south"] as const;
const [EU, US, AP] = REGIONS;
const ALL = {
  ...PERSON,
  by: "automatic",
  signals: ["region-outage", "capacity-loss", "index-corruption"],
};

function serving(...of: Health[]): Verdict[] {
  return of.map((health, at) => {
    const region = REGIONS[at] ?? EU;
    const because = `no model of ${region} has answered`;
    const about = { domain: "capacity-loss", region, health, because } as const;
    return { ...about, witnesses: [], failingForMs: 0 };
  });
}

const spec = (over: object = {}) => workflowWith({ declare: ALL, ...over });
const given = (models: readonly Verdict[], over: Partial<DecisionInput> = {}) =>
  input({ spec: spec(), ...over, verdicts: [...healths("healthy", "healthy"), ...models] });

describe("a workflow whose region has lost its models", () => {
  test("goes where models answer", () => {
    assert.partialDeepStrictEqual(decide(given(serving("failed", "healthy"))), {
      kind: "failover",
      domain: "capacity-loss",
      from: [EU],
      to: [US],
      because:
        "capacity loss: no model of eu-west has answered; us-east is the first region that nothing speaks against",
    });
  });

  test("stays while it is not certain, and says what is seen", () => {
    const decision = decide(given(serving("degraded", "healthy")));
    assert.equal(decision.kind, "hold");
    assert.match(decision.because, /^eu-west serves, and no model of eu-west has answered$/);
    const shared = decide(given(serving("unknown", "unknown")));
    assert.equal(shared.kind, "hold");
    assert.match(shared.because, /^eu-west serves, and no model of eu-west has answered$/);
    const out = [...healths("unknown", "healthy"), ...serving("unknown", "healthy")];
    assert.doesNotMatch(decide(input({ spec: spec(), verdicts: out })).because, /no model/);
  });

  test("stays when a standby lost its own, and when all have: no move would cure it", () => {
    assert.equal(decide(given(serving("healthy", "failed"))).kind, "hold");
    const decision = decide(given(serving("failed", "failed")));
    assert.deepEqual([decision.kind, decision.domain], ["hold", "capacity-loss"]);
    assert.match(decision.because, /no region that may serve support has a model that answers/);
  });

  test("stays when the other region is not ready, and says why", () => {
    const ready = [readiness(US, false)];
    const decision = decide(given(serving("failed", "healthy"), { readiness: ready }));
    assert.equal(decision.kind, "hold");
    assert.match(decision.because, /eu-west cannot be left: us-east is not ready/);
  });

  test("stays where the spec does not let it go for that, and says so", () => {
    const declare = { ...ALL, signals: ["region-outage"] };
    const decision = decide(given(serving("failed", "healthy"), { spec: spec({ declare }) }));
    assert.equal(decision.kind, "hold");
    assert.match(decision.because, /declare\.signals of support does not list capacity-loss/);
  });

  test("waits for the person who declares, where that is a person", () => {
    const declare = { ...ALL, by: "person" };
    const decision = decide(given(serving("failed", "healthy"), { spec: spec({ declare }) }));
    assert.match(decision.because, /wait for the duty manager: run `tideover failover support`/);
    for (const to of [null, US]) {
      const asked = { spec: spec({ declare }), request: request("failover", to) };
      assert.partialDeepStrictEqual(decide(given(serving("failed", "healthy"), asked)), {
        ...{ kind: "failover", domain: "capacity-loss", to: [US] },
      });
    }
  });

  test("in several regions leaves that one alone, and the rest stay", () => {
    const active = spec({ pattern: "active-active", standbys: [US, AP] });
    const intent = { ...INTENT, serving: [EU, US, AP] };
    const verdicts = [...healths("healthy", "failed", "healthy"), ...serving("failed")];
    assert.partialDeepStrictEqual(decide(input({ spec: active, intent, verdicts })), {
      kind: "failover",
      // Of a dead region nothing can be fetched, so that its domain decides how the move is made.
      domain: "region-outage",
      from: [EU, US],
      to: [AP],
    });
  });

  test("and its index too is left for the index: a bad copy may not be drained", () => {
    const about = { domain: "index-corruption", region: EU, index: "handbook" } as const;
    const health = "failed" as const;
    const bad = { ...about, health, because: "bad", witnesses: [], failingForMs: 0 };
    assert.equal(decide(given([...serving("failed", "healthy"), bad])).domain, "index-corruption");
  });
});

test("no region without models is ever opened, by nobody's word", () => {
  const anyHealth = fc.constantFrom<Health>("healthy", "degraded", "failed", "unknown");
  const anyThree = fc.tuple(anyHealth, anyHealth, anyHealth);
  const asked = fc.constantFrom("failover", "switchover", "failback", null);
  fc.assert(
    fc.property(
      anyThree,
      anyThree,
      asked,
      fc.subarray([...REGIONS]),
      (outages, models, kind, at) => {
        const decision = decide(
          input({
            spec: spec({ standbys: [US, AP] }),
            intent: { ...INTENT, serving: at.length === 0 ? [EU] : at },
            verdicts: [...healths(...outages), ...serving(...models)],
            request: kind === null ? null : request(kind),
          }),
        );
        const lost = REGIONS.filter((_, index) => models[index] === "failed");
        assert.deepEqual(
          decision.to.filter((region) => lost.some((one) => one === region)),
          [],
        );
      },
    ),
  );
});
