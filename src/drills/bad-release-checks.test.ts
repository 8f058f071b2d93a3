import assert from "node:assert/strict";
import { test } from "node:test";
import type { Evidence } from "../model/evidence.ts";
import type { Plan, PlanState, StepKind } from "../model/plan.ts";
import {
  type BadReleaseFindings,
  badReleaseChecks,
  badReleaseSplit,
  firstActivated,
} from "./bad-release-checks.ts";
import type { Outcome } from "./load.ts";
import type { PlanRun } from "./recovery-marks.ts";

const GOOD = `sha256:${"0".repeat(64)}`;
const BAD = `sha256:${"1".repeat(64)}`;

/** Steps that ended at these moments. */
function run(
  kind: "activate" | "rollback",
  at: number,
  ends: readonly [StepKind, number][],
): PlanRun {
  const steps = ends.map(([step], index) => ({
    ...{ id: `${step}-${index}`, kind: step, regions: ["us-east"], index: null },
    ...{ precondition: "", effect: "", proof: "", undo: "", deadlineMs: 1 },
  }));
  const release = kind === "activate" ? BAD : GOOD;
  const plan: Plan = {
    ...{ id: `${kind}-1`, parent: null, workflow: "*", epoch: 3, release, steps, createdAt: at },
    decision: {
      ...{ kind, workflow: "*", domain: null, from: [], to: ["us-east"], release },
      ...{ because: "it is bad", refused: [] },
    },
  };
  const state: PlanState = {
    ...{ planId: plan.id, status: "completed", next: steps.length, because: "done" },
    steps: ends.map(([step, endedAt], index) => ({
      ...{ id: `${step}-${index}`, status: "done", startedAt: at, endedAt, evidence: "" },
      attempts: 1,
    })),
  };
  return { plan, state };
}

function verdictAt(at: number, release: string): Evidence {
  const verdict = {
    ...{ domain: "bad-release", region: "us-east", health: "failed", release },
    ...{ because: "12 were lost", witnesses: [], failingForMs: 1 },
  };
  return {
    ...{ seq: 1, at, kind: "verdict", workflow: null, planId: null, text: "" },
    ...{ data: { verdict }, previous: "", hash: "" },
  };
}

function outcome(over: Partial<Outcome> = {}): Outcome {
  return {
    question: { tenant: "acme", workflow: "search", text: "?", expected: null },
    ...{ streamed: false, sentAt: 100, endedAt: 200, result: "succeeded", detail: "", right: true },
    ...{ requestId: "r1", region: "eu-west", release: GOOD, mode: "normal" },
    ...over,
  };
}

const ACTIVATION = run("activate", 1_000, [
  ["take-release", 1_100],
  ["activate-release", 1_500],
]);
const ROLLBACK = run("rollback", 5_100, [
  ["take-release", 5_200],
  ["activate-release", 5_300],
  ["confirm-acknowledged", 5_400],
  ["prove-release", 6_000],
]);
const SPLIT = badReleaseSplit({
  ...{ activation: ACTIVATION, rollback: ROLLBACK, bad: BAD },
  evidence: [verdictAt(2_000, GOOD), verdictAt(5_000, BAD)],
});

const SOUND: BadReleaseFindings = {
  ...{ split: SPLIT, rtoMs: 10_000, bad: BAD, good: GOOD, rollback: ROLLBACK },
  evidence: [verdictAt(5_000, BAD)],
  epochs: [{ workflow: "search", before: 1, after: 1 }],
  outcomes: [outcome(), outcome({ release: BAD, right: false, sentAt: 5_000 })],
  after: {
    ...{ estate: "test", epoch: 3, lastGood: GOOD, good: [GOOD], changing: null },
    ...{ because: null, snapshot: 4, known: [] },
    regions: [
      {
        ...{ region: "us-east", intended: GOOD, since: 0, lastError: null, golden: [] },
        ...{ differs: [], because: "it serves what it shall" },
        serves: { digest: GOOD, digestForMs: 1, number: 4, numberForMs: 1 },
      },
    ],
  },
  plans: [ACTIVATION.plan, ROLLBACK.plan],
};

const failing = (over: Partial<BadReleaseFindings>): string[] =>
  badReleaseChecks({ ...SOUND, ...over })
    .filter(({ pass }) => !pass)
    .map(({ name }) => name);

test("the time runs from the first region that had it to the last proof, the verdict on it between", () => {
  assert.deepEqual(SPLIT, {
    ...{ detectMs: 3_500, decideMs: 100, verifyMs: 100, openMs: 100, propagateMs: 700 },
    totalMs: 4_500,
  });
});

test("a bad release that was found, rolled back in time and hurt nobody passes every check", () => {
  assert.deepEqual(failing({}), []);
});

test("each thing that can go wrong fails its own check", () => {
  const moved = { ...ACTIVATION.plan, decision: { ...ACTIVATION.plan.decision, kind: "failover" } };
  const [region] = SOUND.after.regions;
  assert.ok(region);
  const table: [over: Partial<BadReleaseFindings>, check: string][] = [
    [{ evidence: [verdictAt(1, GOOD)] }, "found bad by its own domain"],
    [{ rtoMs: 4_000 }, "rolled back within RTO"],
    [{ good: BAD }, "rolled back by plan, whole"],
    [
      { plans: [{ ...moved, decision: { ...moved.decision, kind: "failover" } }] },
      "nobody was evacuated",
    ],
    [{ epochs: [{ workflow: "search", before: 1, after: 2 }] }, "nobody was evacuated"],
    [{ outcomes: [outcome({ result: "failed" })] }, "every caller was answered"],
    [{ outcomes: [] }, "every caller was answered"],
    [
      { outcomes: [outcome({ release: BAD, sentAt: 5_500 })] },
      "no answer of the bad release after the rollback",
    ],
    [
      { after: { ...SOUND.after, regions: [{ ...region, serves: null }] } },
      "every gateway serves the good release",
    ],
  ];
  for (const [over, check] of table) assert.ok(failing(over).includes(check), check);
});

test("the fault is where and when the first region had it, and not when it was asked for", () => {
  const first = firstActivated(ACTIVATION);
  assert.deepEqual(first?.region, "us-east");
  assert.ok((first?.at ?? 0) > ACTIVATION.plan.createdAt);
  assert.equal(SPLIT.totalMs, 6_000 - (first?.at ?? 0));
  assert.equal(firstActivated(null), null);
  assert.equal(firstActivated(run("activate", 1, [["prefetch-release", 2]])), null);
});
