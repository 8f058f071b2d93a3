import { EVERY_WORKFLOW } from "../../model/decision.ts";
import { KEYS } from "../../model/keys.ts";
import type { Plan, PlanState, Step } from "../../model/plan.ts";
import type { Compare, Operation } from "../../ports/store.ts";
import type { ControllerDeps } from "../deps.ts";
import type { EngineView, Proof, StepContext } from "../steps/step.ts";
import { STEPS } from "../steps/steps.ts";
import { type Attempt, attemptUntil } from "./attempt.ts";
import { hasCode, leaseLost, stepFailed } from "./errors.ts";
import { indexIn, isPastReturn, keptOf, letGo, outcomeOf } from "./hold.ts";
import { begun, broken, isOver, proven, putBack } from "./journal.ts";
import type { Term } from "./leadership.ts";
import type { Moves } from "./moves.ts";
import type { Fact, Recorder } from "./record.ts";
import { type Held, readPlan, readPlanState, unchanged } from "./state.ts";

/** What one plan's lane works with. */
export interface LaneTools {
  readonly deps: ControllerDeps;
  readonly recorder: Recorder;
  readonly term: Term;
  /** Aborts at the term's end and when the controller stops. */
  readonly halt: AbortSignal;
  readonly moves: Moves;
  readonly engine: EngineView;
}

interface Lane extends LaneTools {
  readonly plan: Plan;
  readonly state: Held<PlanState>;
}

/**
 * Runs a plan from wherever its journal stands until it is over or the lane must halt. Between two
 * steps nothing is remembered: each turn reads the journal, so that going on after a crash, after a
 * lost answer of the store and after the step before are one and the same thing.
 *
 * Throws LEASE_LOST, and STORE_UNAVAILABLE or STORE_CONFLICT: then call it again.
 */
export async function runPlan(tools: LaneTools, planId: string): Promise<void> {
  const plan = await readPlan(tools.deps.store, planId);
  if (plan === null) throw stepFailed(`plan ${planId} is not in the store`, "never");
  while (!tools.halt.aborted) {
    const state = await readPlanState(tools.deps.store, planId);
    if (state === null) throw stepFailed(`plan ${planId} has no journal`, "never");
    if (isOver(state.value)) return tools.moves.ended(plan.value, state.value);
    const lane = { ...tools, plan: plan.value, state };
    if (state.value.status === "running") await stepForward(lane);
    else await stepBack(lane);
  }
}

/** Journal, effect, proof, journal. */
async function stepForward(lane: Lane): Promise<void> {
  const { plan, state, deps } = lane;
  const step = stepAt(plan, state.value.next);
  const started = begun(state.value, deps.clock.now());
  const again = (started.steps[started.next]?.attempts ?? 1) > 1;
  const journal = await write(lane, started, [
    stepFact(lane, step, `${step.id} ${again ? "is taken up again" : "begins"}: ${step.effect}`, {
      status: "started",
    }),
  ]);
  const running = { ...lane, state: journal };
  const outcome = await attemptUntil({
    clock: deps.clock,
    deadlineMs: step.deadlineMs,
    halt: lane.halt,
    work: (attempt) => takeStep(contextOf(running, step, attempt)),
  });
  if (outcome.kind === "proven") await recordProof(running, step, outcome.value);
  if (outcome.kind === "broken") await recordBreak(running, step, outcome.because);
}

async function takeStep(ctx: StepContext): Promise<Proof> {
  const runner = STEPS[ctx.step.kind];
  if (!(await runner.check(ctx))) await runner.apply(ctx);
  return runner.prove(ctx);
}

async function recordProof(lane: Lane, step: Step, proof: Proof): Promise<void> {
  const { plan, state, deps } = lane;
  const next = proven(state.value, deps.clock.now(), proof.text);
  const fact = stepFact(lane, step, proof.text, { status: "done", ...proof.data });
  const told: Fact = step.kind === "announce" ? { ...fact, kind: "announcement" } : fact;
  if (next.status !== "completed") {
    await write(lane, next, [told]);
    return;
  }
  const text = `plan ${plan.id} is completed: ${outcomeOf(plan)}`;
  await endPlan(lane, next, [told, planFact(plan, text, next)]);
}

/**
 * Before traffic is open, everything is put back. Behind that point nothing is: the old region may
 * be dead, and moving callers back into it would be a second outage. The store says on which side
 * the plan is, not the step's outcome: the write may have happened though its answer was lost.
 */
async function recordBreak(lane: Lane, step: Step, because: string): Promise<void> {
  const { plan, state, deps } = lane;
  const now = deps.clock.now();
  const reason = `${step.id} failed: ${because}`;
  const fact = stepFact(lane, step, reason, { status: "failed" });
  if (await isPastReturn(plan, deps.store)) {
    const text = `plan ${plan.id} failed behind the point of no return, ${keptOf(plan)}: ${reason}`;
    const next = broken(state.value, now, text, false);
    await endPlan(lane, next, [fact, planFact(plan, text, next)]);
    return;
  }
  await write(lane, broken(state.value, now, reason, true), [fact]);
}

/** Puts back one step; the one that broke first, since its effect may be half there. */
async function stepBack(lane: Lane): Promise<void> {
  const { plan, state, deps } = lane;
  const step = stepAt(plan, state.value.next);
  const outcome = await attemptUntil({
    clock: deps.clock,
    deadlineMs: step.deadlineMs,
    halt: lane.halt,
    work: (attempt) => STEPS[step.kind].undo(contextOf(lane, step, attempt)),
  });
  if (outcome.kind === "halted") return;
  // What cannot be put back is said, and the rest is put back all the same.
  const found = outcome.kind === "proven" ? outcome.value : `not put back: ${outcome.because}`;
  const next = putBack(state.value, deps.clock.now(), found);
  const fact = stepFact(lane, step, `${step.id} is put back: ${found}`, { status: "undone" });
  if (next.status !== "failed") {
    await write(lane, next, [fact]);
    return;
  }
  const text = `plan ${plan.id} failed and was put back: ${next.because}`;
  await endPlan(lane, next, [fact, planFact(plan, text, next)]);
}

/** The plan's end and the end of its hold are one write: no plan is left that nobody holds. */
async function endPlan(lane: Lane, next: PlanState, facts: readonly Fact[]): Promise<void> {
  const { compare, operations } = await letGo(lane.plan, lane.deps.store);
  await write(lane, next, facts, compare, operations);
}

async function write(
  lane: Lane,
  value: PlanState,
  facts: readonly Fact[],
  compare: readonly Compare[] = [],
  operations: readonly Operation[] = [],
): Promise<Held<PlanState>> {
  const key = KEYS.planState(lane.plan.id);
  const revision = await lane.recorder.commit(lane.term.fence, {
    compare: [unchanged(key, lane.state), ...compare],
    operations: [{ put: key, value }, ...operations],
    facts,
  });
  return { value, revision };
}

function contextOf(lane: Lane, step: Step, attempt: Attempt): StepContext {
  const { plan, deps, engine, recorder, term } = lane;
  const workflow = deps.spec.workflows[plan.workflow] ?? null;
  const isOfOne = plan.workflow !== EVERY_WORKFLOW && indexIn(plan) === null;
  if (workflow === null && isOfOne) {
    throw stepFailed(`${plan.workflow} is not in this controller's spec`, "never");
  }
  return {
    plan,
    step,
    workflow,
    deps,
    engine,
    timeLeft: attempt.timeLeft,
    elapsed: attempt.elapsed,
    async write(change) {
      if (!attempt.live()) throw leaseLost(`${step.id} was given up before this write`);
      const facts = change.facts.map((fact) => ({ workflow: plan.workflow, ...fact }));
      return recorder.commit(term.fence, { ...change, facts });
    },
  };
}

function stepAt(plan: Plan, index: number): Step {
  const step = plan.steps[index];
  if (step === undefined) throw stepFailed(`plan ${plan.id} has no step ${index}`, "never");
  return step;
}

function stepFact({ plan }: Lane, step: Step, text: string, data: Record<string, unknown>): Fact {
  return {
    kind: "step",
    workflow: plan.workflow,
    planId: plan.id,
    text,
    data: { step: step.id, kind: step.kind, ...data },
  };
}

function planFact(plan: Plan, text: string, state: PlanState): Fact {
  const data = { status: state.status, decision: plan.decision.kind };
  return { kind: "plan", workflow: plan.workflow, planId: plan.id, text, data };
}

/** Whether the lane can go on by itself: the world was in the way, not the plan. */
export function isPassing(error: unknown): boolean {
  return hasCode(error, "STORE_UNAVAILABLE") || hasCode(error, "STORE_CONFLICT");
}
