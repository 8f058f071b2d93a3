import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlanState } from "../../model/plan.ts";
import { begun, broken, isOver, proven, putBack } from "./journal.ts";

test("a step that is begun again keeps its first start and counts its attempts", () => {
  const once = begun(fresh(), 1_000);
  const twice = begun(once, 5_000);
  assert.deepEqual(statusOf(twice), ["started", "pending", "pending"]);
  assert.equal(twice.steps[0]?.startedAt, 1_000);
  assert.equal(twice.steps[0]?.attempts, 2);
});

test("the last proof completes the plan", () => {
  let state = fresh();
  for (const at of [1, 2, 3]) state = proven(begun(state, at), at, `proof ${at}`);
  assert.equal(state.status, "completed");
  assert.equal(isOver(state), true);
  assert.deepEqual(
    state.steps.map(({ evidence }) => evidence),
    ["proof 1", "proof 2", "proof 3"],
  );
});

test("what broke is put back first, then what was done, in reverse; pending steps are not", () => {
  const second = begun(proven(begun(fresh(), 1), 1, "done"), 2);
  let state = broken(second, 3, "it did not answer", true);
  assert.deepEqual([state.status, state.next], ["undoing", 1]);
  state = putBack(state, 4, "half of it");
  assert.deepEqual([state.status, state.next], ["undoing", 0]);
  state = putBack(state, 5, "all of it");
  assert.deepEqual([state.status, isOver(state)], ["failed", true]);
  assert.deepEqual(statusOf(state), ["undone", "failed", "pending"]);
  assert.equal(state.steps[1]?.evidence, "it did not answer; put back: half of it");
  assert.equal(state.because, "it did not answer");
});

test("behind the point of no return nothing is put back", () => {
  const state = broken(begun(fresh(), 1), 2, "no answer", false);
  assert.equal(isOver(state), true);
  assert.deepEqual(statusOf(state), ["failed", "pending", "pending"]);
});

function fresh(): PlanState {
  const step = {
    status: "pending" as const,
    startedAt: null,
    endedAt: null,
    evidence: "",
    attempts: 0,
  };
  const steps = ["a", "b", "c"].map((id) => ({ id, ...step }));
  return { planId: "plan-1", status: "running", next: 0, steps, because: "" };
}

function statusOf(state: PlanState): string[] {
  return state.steps.map(({ status }) => status);
}
