import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DETECTION, OWNERSHIP } from "../../../test/support/core-values.ts";
import { type Decision, indexSubject } from "../../model/decision.ts";
import { type Plan, planSchema } from "../../model/plan.ts";
import { indexPlanFor } from "./index-plan.ts";
import { INDEX_MOVE_RULES, type IndexLintContext, lintIndexMove } from "./lint/index-move-rules.ts";

const [EU, US] = ["eu-west", "us-east"] as const;

function decision(over: Partial<Decision> = {}): Decision {
  return {
    kind: "move-index",
    workflow: indexSubject("handbook"),
    domain: "index-corruption",
    from: [EU],
    to: [US],
    index: { name: "handbook", drained: true, loss: null },
    because: "a test says so",
    refused: [],
    ...over,
  };
}

function planOf(over: Partial<Decision> = {}, records = 0): Plan {
  return indexPlanFor({
    decision: decision(over),
    ownership: OWNERSHIP,
    detection: DETECTION,
    records,
    id: "p1",
    parent: null,
    now: 0,
  });
}

const UNDRAINED = { index: { name: "handbook", drained: false, loss: "3 changes are lost" } };
const CONTEXT: IndexLintContext = {
  ownership: OWNERSHIP,
  heldBy: null,
  regions: [EU, US],
  failed: [],
};

describe("the plan that moves an index alone", () => {
  test("proves the copy, stops the owner, levels, and hands over; nothing else", () => {
    const plan = planOf();
    assert.deepEqual(planSchema.parse(plan), plan);
    assert.deepEqual(
      plan.steps.map(({ id, regions }) => `${id}(${regions.join()})`),
      [
        "prove-index-handbook(us-east)",
        "freeze-index-handbook(eu-west)",
        "catch-up-index-handbook(us-east)",
        "promote-index-handbook(us-east)",
      ],
    );
    assert.equal(plan.epoch, OWNERSHIP.epoch + 1);
    assert.deepEqual(lintIndexMove(plan, CONTEXT), []);
  });

  test("asks nothing of an owner that cannot be asked, and says what that loses", () => {
    const plan = planOf(UNDRAINED);
    assert.deepEqual(
      plan.steps.map(({ kind }) => kind),
      ["prove-index", "promote-index"],
    );
    assert.match(plan.steps[1]?.precondition ?? "", /3 changes are lost/);
    assert.deepEqual(lintIndexMove(plan, { ...CONTEXT, failed: [EU] }), []);
  });

  test("leaves a large copy the time to be read", () => {
    const [small, large] = [planOf({}, 1_000), planOf({}, 1_000_000)].map(
      ({ steps }) => steps[0]?.deadlineMs ?? 0,
    );
    assert.ok((small ?? 0) < 61_000 && (large ?? 0) >= 200_000);
  });

  test("is made of nothing else", () => {
    const { index: _, ...without } = decision();
    for (const wrong of [decision({ kind: "failover" }), without, decision({ to: [] })]) {
      assert.throws(
        () =>
          indexPlanFor({
            ...{ decision: wrong, ownership: OWNERSHIP, detection: DETECTION, records: 0 },
            ...{ id: "p1", parent: null, now: 0 },
          }),
        { code: "PLAN_INVALID" },
      );
    }
  });
});

describe("the lint of plans that move an index alone", () => {
  type Change = (plan: Plan) => Plan;
  const without =
    (kind: string): Change =>
    (plan) => ({ ...plan, steps: plan.steps.filter((step) => step.kind !== kind) });
  const withRegions =
    (kind: string, regions: string[]): Change =>
    (plan) => ({
      ...plan,
      steps: plan.steps.map((step) => (step.kind === kind ? { ...step, regions } : step)),
    });
  const decided =
    (over: Partial<Decision>): Change =>
    (plan) => ({ ...plan, decision: { ...plan.decision, ...over } });
  const reordered =
    (...order: number[]): Change =>
    (plan) => ({ ...plan, steps: order.map((at) => plan.steps[at] ?? assert.fail()) });
  const each =
    (over: object): Change =>
    (plan) => ({ ...plan, steps: plan.steps.map((step) => ({ ...step, ...over })) });
  const same: Change = (plan) => plan;

  const broken: [rule: string, change: Change, context?: Partial<IndexLintContext>][] = [
    ["index-epoch-is-next", same, { ownership: { ...OWNERSHIP, epoch: 9 } }],
    ["index-is-free", same, { heldBy: "p0" }],
    ["index-agrees", each({ index: "other" })],
    ["index-agrees", decided({ index: { name: "other", drained: true, loss: null } })],
    ["leaves-its-owner", same, { ownership: { ...OWNERSHIP, region: "ap-south" } }],
    ["one-living-taker", decided({ to: [] })],
    ["one-living-taker", same, { failed: [US] }],
    ["one-living-taker", same, { regions: [EU] }],
    ["one-living-taker", decided({ to: [EU] })],
    ["moves-no-traffic", each({ kind: "open-traffic" })],
    ["taker-proven-first", without("prove-index")],
    ["taker-proven-first", withRegions("prove-index", [EU])],
    ["promotes-once-and-last", without("promote-index")],
    ["promotes-once-and-last", reordered(0, 3, 1, 2)],
    ["drained-as-said", without("catch-up-index")],
    ["drained-as-said", without("freeze-index")],
    ["drained-as-said", reordered(0, 2, 1, 3)],
    ["drained-as-said", decided(UNDRAINED)],
    ["freezes-a-living-owner", same, { failed: [EU] }],
    ["freezes-a-living-owner", withRegions("freeze-index", [US])],
    ["the-taker-catches-up", withRegions("catch-up-index", [EU])],
    ["step-ids-unique", each({ id: "one" })],
    ["step-acts-somewhere", each({ regions: [] })],
    ["step-undo-stated", each({ undo: "" })],
    ["step-sentences-stated", each({ proof: " " })],
    ["step-deadline-positive", each({ deadlineMs: 0 })],
  ];
  for (const [rule, change, context = {}] of broken) {
    test(`${rule}: found in a broken plan`, () => {
      const found = lintIndexMove(change(planOf()), { ...CONTEXT, ...context });
      const rules = found.map((finding) => finding.rule);
      assert.ok(rules.includes(rule), `${rule} is not in ${rules.join(", ")}`);
    });
  }

  test("every rule is shown to find something", () => {
    const shown = new Set(broken.map(([rule]) => rule));
    assert.deepEqual(
      INDEX_MOVE_RULES.map(({ rule }) => rule).filter((rule) => !shown.has(rule)),
      [],
    );
  });
});
