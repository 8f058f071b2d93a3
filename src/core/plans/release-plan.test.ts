import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DETECTION } from "../../../test/support/core-values.ts";
import { type Decision, EVERY_WORKFLOW } from "../../model/decision.ts";
import { type Plan, planSchema } from "../../model/plan.ts";
import type { ReleaseIntent } from "../../model/release-intent.ts";
import { lintRelease, RELEASE_RULES, type ReleaseLintContext } from "./lint/release-rules.ts";
import { releasePlanFor } from "./release-plan.ts";

const REGIONS = ["us-east", "ap-south", "eu-west"];

const INTENT: ReleaseIntent = {
  epoch: 4,
  regions: Object.fromEntries(REGIONS.map((region) => [region, { digest: "a", since: 0 }])),
  good: ["a"],
  heldBy: null,
  because: "as begun",
  since: 0,
};

const CONTEXT: ReleaseLintContext = {
  intent: INTENT,
  regions: REGIONS,
  known: ["a", "b"],
  failed: [],
  serving: ["eu-west"],
};

function decision(kind: Decision["kind"], to: string[] = REGIONS): Decision {
  const because = "a test says so";
  return {
    ...{ kind, workflow: EVERY_WORKFLOW, domain: null, from: [], to, release: "b" },
    ...{ because, refused: [] },
  };
}

function planOf(kind: Decision["kind"], pauseMs?: number): Plan {
  return releasePlanFor({
    pauseMs,
    decision: decision(kind),
    intent: INTENT,
    detection: DETECTION,
    bakeMs: 60_000,
    id: "p1",
    parent: null,
    now: 0,
  });
}

describe("a release plan", () => {
  test("of an activation: everywhere fetched and verified, then region by region", () => {
    const plan = planOf("activate");
    assert.deepEqual(planSchema.parse(plan), plan);
    const one = (region: string): string[] =>
      ["activate-release", "confirm-acknowledged", "prove-release", "bake-release"].map(
        (kind) => `${kind}-${region}`,
      );
    assert.deepEqual(
      plan.steps.map(({ id }) => id),
      [
        "prefetch-release",
        "verify-release",
        "take-release",
        ...REGIONS.flatMap(one),
        "record-release",
      ],
    );
    assert.deepEqual([plan.epoch, plan.release], [5, "b"]);
    assert.deepEqual(lintRelease(plan, CONTEXT), []);
  });

  test("of a rollback: all regions in one step, and nobody is asked for anything before", () => {
    const plan = planOf("rollback");
    assert.deepEqual(
      plan.steps.map(({ id }) => id),
      [
        "take-release",
        "activate-release",
        "confirm-acknowledged",
        "prove-release",
        "record-release",
      ],
    );
    assert.deepEqual(plan.steps[1]?.regions, REGIONS);
    assert.deepEqual(lintRelease(plan, CONTEXT), []);
  });

  test("leaves a bake its time, and some more for its proof", () => {
    const bake = planOf("activate").steps.find(({ kind }) => kind === "bake-release");
    assert.equal(bake?.waitMs, 60_000);
    assert.equal(bake?.deadlineMs, 60_000 + 3_600_000, "an hour for a person's word");
    const short = planOf("activate", 120_000).steps.find(({ kind }) => kind === "bake-release");
    assert.equal(short?.deadlineMs, 180_000);
  });

  test("is made of nothing else, and never without a region or a release", () => {
    for (const wrong of [
      decision("failover"),
      decision("activate", []),
      { ...decision("rollback"), release: undefined },
    ]) {
      const { release, ...rest } = wrong;
      const given = release === undefined ? rest : { ...rest, release };
      assert.throws(
        () =>
          releasePlanFor({
            ...{ decision: given, intent: INTENT, detection: DETECTION, bakeMs: 0 },
            ...{ id: "p1", parent: null, now: 0 },
          }),
        { code: "PLAN_INVALID" },
      );
    }
  });
});

describe("the lint of release plans", () => {
  type Steps = Plan["steps"];
  const without =
    (kind: string) =>
    (steps: Steps): Steps =>
      steps.filter((step) => step.kind !== kind);
  const withRegions = (kind: string, regions: string[]) => (steps: Steps) =>
    steps.map((step) => (step.kind === kind ? { ...step, regions } : step));
  const swapped = (one: string, other: string) => (steps: Steps) => {
    const at = (id: string) => steps.findIndex((step) => step.id === id);
    const step = (id: string) => steps[at(id)] ?? assert.fail(id);
    return steps.with(at(one), step(other)).with(at(other), step(one));
  };

  const broken: [
    rule: string,
    kind: "activate" | "rollback",
    change: (steps: Steps) => Steps,
    context?: Partial<ReleaseLintContext>,
  ][] = [
    ["release-epoch-is-next", "activate", (s) => s, { intent: { ...INTENT, epoch: 9 } }],
    ["release-known", "activate", (s) => s, { known: ["a"] }],
    ["activates-every-region-once", "activate", (s) => s, { regions: [...REGIONS, "mars"] }],
    ["activates-every-region-once", "rollback", withRegions("activate-release", ["eu-west"])],
    ["one-region-at-a-time", "activate", withRegions("activate-release", REGIONS)],
    ["verified-everywhere-first", "activate", without("verify-release")],
    ["verified-everywhere-first", "activate", without("prefetch-release")],
    ["verified-everywhere-first", "activate", withRegions("verify-release", ["eu-west"])],
    ["rollback-asks-nobody", "rollback", (s) => [...planOf("activate").steps.slice(0, 1), ...s]],
    ["release-taken-before-effect", "activate", without("take-release")],
    [
      "release-taken-before-effect",
      "activate",
      swapped("take-release", "activate-release-us-east"),
    ],
    ["each-acknowledged-and-proven", "activate", without("confirm-acknowledged")],
    ["each-acknowledged-and-proven", "activate", withRegions("confirm-acknowledged", ["us-east"])],
    ["each-acknowledged-and-proven", "activate", without("prove-release")],
    ["each-acknowledged-and-proven", "activate", without("bake-release")],
    [
      "each-acknowledged-and-proven",
      "activate",
      swapped("confirm-acknowledged-us-east", "prove-release-us-east"),
    ],
    ["serving-last", "activate", (s) => s, { serving: ["us-east"] }],
    ["activates-in-peace", "activate", (s) => s, { failed: ["ap-south"] }],
    ["recorded-last", "activate", without("record-release")],
    ["recorded-last", "rollback", swapped("record-release", "prove-release")],
    ["step-acts-somewhere", "rollback", withRegions("prove-release", [])],
  ];
  for (const [rule, kind, change, context = {}] of broken) {
    test(`${rule}: found in a broken ${kind}`, () => {
      const plan = planOf(kind);
      const found = lintRelease(
        { ...plan, steps: change(plan.steps) },
        { ...CONTEXT, ...context },
      ).map((finding) => finding.rule);
      assert.ok(found.includes(rule), `${rule} is not in ${found.join(", ")}`);
    });
  }

  test("every rule is shown to find something", () => {
    const shown = new Set(broken.map(([rule]) => rule));
    assert.deepEqual(
      RELEASE_RULES.map(({ rule }) => rule).filter((rule) => !shown.has(rule)),
      [],
    );
  });
});
