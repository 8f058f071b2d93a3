import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chainEntry } from "../core/evidence/chain.ts";
import type { Evidence } from "../model/evidence.ts";
import type { Verdict } from "../model/verdict.ts";
import { run, WORKFLOW, withStep } from "./findings.fixture.ts";
import {
  hasEnded,
  marksOf,
  type PlanRun,
  planAfter,
  provenAt,
  refusalOf,
} from "./recovery-marks.ts";

const FAULT_AT = 1_000;

describe("the plan of a move", () => {
  const runAt = (id: string, createdAt: number, over: Parameters<typeof run>[0] = {}) =>
    run({ ...over, plan: { id, createdAt, ...over.plan } });
  const journalOf = (...runs: PlanRun[]) => ({
    plans: runs.map(({ plan }) => plan),
    states: runs.map(({ state }) => state).toReversed(),
  });
  const found = (...runs: PlanRun[]) =>
    planAfter(journalOf(...runs), WORKFLOW, ["failover"], FAULT_AT)?.plan.id ?? null;

  test("is the one made since, of the workflow and of the kind, with its own journal", () => {
    const wanted = runAt("wanted", 1_500);
    const others = [
      runAt("too-early", 999),
      runAt("other-workflow", 1_600, { plan: { workflow: "other" } }),
      runAt("other-kind", 1_700, { kind: "failback" }),
    ];
    const journal = journalOf(...others, wanted);
    assert.deepEqual(planAfter(journal, WORKFLOW, ["failover"], FAULT_AT), wanted);
    assert.equal(
      planAfter(journal, WORKFLOW, ["failback", "switchover"], FAULT_AT)?.plan.id,
      "other-kind",
    );
  });

  test("may be made in the very millisecond of the fault", () => {
    assert.deepEqual([found(runAt("p", 1_000)), found(runAt("p", 999))], ["p", null]);
  });

  test("is the last of several, whatever the order in which the store lists them", () => {
    const [first, last] = [runAt("first", 1_500), runAt("last", 1_600)];
    assert.deepEqual([found(first, last), found(last, first)], ["last", "last"]);
  });

  test("is not there before its journal is, and the journal of another is not taken", () => {
    const { plans, states } = journalOf(runAt("p", 1_500));
    const foreign = states.map((state) => ({ ...state, planId: "other" }));
    assert.equal(planAfter({ plans, states: [] }, WORKFLOW, ["failover"], 0), null);
    assert.equal(planAfter({ plans, states: foreign }, WORKFLOW, ["failover"], 0), null);
  });

  test("leaves the journal that it was given in its order", () => {
    const journal = journalOf(runAt("b", 1_600), runAt("a", 1_500));
    planAfter(journal, WORKFLOW, ["failover"], 0);
    assert.deepEqual(
      journal.plans.map(({ id }) => id),
      ["b", "a"],
    );
  });
});

test("a plan has ended when it is completed or failed, not while it runs or is undone", () => {
  const ended = (["running", "undoing", "completed", "failed"] as const).filter((status) =>
    hasEnded(run({ state: { status } })),
  );
  assert.deepEqual(ended, ["completed", "failed"]);
});

test("a step is proven when it is done; of two of a kind the later one counts", () => {
  assert.equal(provenAt(run({}), "prove-readiness"), 2_000);
  assert.equal(provenAt(run({}), "freeze-index"), null);
  for (const status of ["pending", "started", "failed", "undone"] as const)
    assert.equal(
      provenAt(withStep(run({}), "prove-readiness", { status }), "prove-readiness"),
      null,
    );
  const { plan, state } = run({});
  const again = { id: "again", status: "done", startedAt: 1, endedAt: 2_700 } as const;
  const twice: PlanRun = {
    plan: {
      ...plan,
      steps: plan.steps.flatMap((step) =>
        step.kind === "prove-readiness" ? [step, { ...step, id: "again" }] : [step],
      ),
    },
    state: { ...state, steps: [...state.steps, { ...again, evidence: "", attempts: 1 }] },
  };
  assert.equal(provenAt(twice, "prove-readiness"), 2_700);
});

describe("the marks of a recovery", () => {
  const failed: Verdict = {
    domain: "region-outage",
    region: "eu-west",
    health: "failed",
    because: "3 observers agree",
    witnesses: [],
    failingForMs: 4_000,
  };

  test("are the verdict from the record, the plan, and the proven steps", () => {
    assert.deepEqual(marksOf(run({}), FAULT_AT, [said(1_200, failed)]), {
      faultAt: FAULT_AT,
      verdictAt: 1_200,
      planAt: 1_500,
      provenAt: 2_000,
      openedAt: 3_000,
      trafficProvenAt: 4_000,
    });
  });

  const passedOver: readonly (readonly [string, Evidence])[] = [
    ["from before the fault", said(999, failed)],
    ["of another region", said(1_100, { ...failed, region: "us-east" })],
    ["that is only degraded", said(1_100, { ...failed, health: "degraded" })],
    ["of an unknown health", said(1_100, { ...failed, health: "unknown" })],
    ["of another version", said(1_100, { ...failed, colour: "red" })],
    ["in another kind of entry", said(1_100, failed, "decision")],
  ];
  for (const [what, entry] of passedOver) {
    test(`pass over a verdict ${what}`, () => {
      const marks = marksOf(run({}), FAULT_AT, [entry, said(1_300, failed), said(1_400, failed)]);
      assert.equal(marks?.verdictAt, 1_300);
    });
  }

  test("take the plan's own moment when the record has no verdict", () => {
    assert.equal(marksOf(run({}), FAULT_AT, [])?.verdictAt, 1_500);
  });

  for (const id of ["prove-readiness", "open-traffic", "prove-traffic"] as const) {
    test(`are none when ${id} was not proven: there is no time to state`, () => {
      const unproven = withStep(run({}), id, { status: "failed" });
      assert.equal(marksOf(unproven, FAULT_AT, [said(1_200, failed)]), null);
      assert.equal(marksOf(withStep(run({}), id, { endedAt: null }), FAULT_AT, []), null);
    });
  }
});

test("a refusal is the record's answer to this request, and not the plan that takes it up", () => {
  const request = { request: { id: "r1" } };
  const answer = (over: Partial<Evidence>) => ({
    ...said(1, null),
    kind: "request" as const,
    text: "no",
    data: request,
    ...over,
  });
  assert.equal(refusalOf([answer({})], "r1"), "no");
  assert.equal(refusalOf([answer({})], "r2"), null);
  assert.equal(refusalOf([answer({ planId: "p1" })], "r1"), null);
  assert.equal(refusalOf([answer({ kind: "decision" })], "r1"), null);
  assert.equal(refusalOf([answer({ data: {} })], "r1"), null);
  assert.equal(refusalOf([], "r1"), null);
});

function said(at: number, verdict: unknown, kind: Evidence["kind"] = "verdict"): Evidence {
  return chainEntry(null, { at, kind, workflow: null, planId: null, text: "-", data: { verdict } });
}
