import type { Plan, PlanState } from "../../model/plan.ts";

/**
 * The journal of a plan as pure steps from one state to the next. It is written before each effect
 * and after each proof, so that whoever leads next knows which effects may have happened.
 */
type StepState = PlanState["steps"][number];

export function firstState(plan: Plan): PlanState {
  return {
    planId: plan.id,
    status: "running",
    next: 0,
    steps: plan.steps.map(({ id }) => ({
      id,
      status: "pending",
      startedAt: null,
      endedAt: null,
      evidence: "",
      attempts: 0,
    })),
    because: plan.decision.because,
  };
}

/** Before the effect. `startedAt` stays that of the first attempt: recovery time counts from there. */
export function begun(state: PlanState, at: number): PlanState {
  return withStep(state, state.next, ({ startedAt, attempts }) => ({
    status: "started",
    startedAt: startedAt ?? at,
    attempts: attempts + 1,
  }));
}

/** After the proof. With the last step, the plan is completed. */
export function proven(state: PlanState, at: number, evidence: string): PlanState {
  const done = withStep(state, state.next, () => ({ status: "done", endedAt: at, evidence }));
  const next = state.next + 1;
  return { ...done, next, status: next === state.steps.length ? "completed" : "running" };
}

/** The step could not be proven in its time. `undo` false: behind the point of no return. */
export function broken(state: PlanState, at: number, because: string, undo: boolean): PlanState {
  const failed = withStep(state, state.next, () => ({
    status: "failed",
    endedAt: at,
    evidence: because,
  }));
  return { ...failed, status: undo ? "undoing" : "failed", because };
}

/**
 * One step was put back; `next` goes down with each. The step that broke stays `failed`, with the
 * reason before what its undo found, so that the report shows where the plan broke.
 */
export function putBack(state: PlanState, at: number, evidence: string): PlanState {
  const undone = withStep(state, state.next, (step) =>
    step.status === "failed"
      ? { evidence: `${step.evidence}; put back: ${evidence}` }
      : { status: "undone", endedAt: at, evidence },
  );
  if (state.next === 0) return { ...undone, status: "failed" };
  return { ...undone, next: state.next - 1 };
}

export function isOver(state: PlanState): boolean {
  return state.status === "completed" || state.status === "failed";
}

function withStep(
  state: PlanState,
  index: number,
  change: (step: StepState) => Partial<StepState>,
): PlanState {
  const steps = state.steps.map((step, at) => (at === index ? { ...step, ...change(step) } : step));
  return { ...state, steps };
}
