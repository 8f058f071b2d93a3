import { KEYS } from "../../model/keys.ts";
import { type Plan, type PlanState, planSchema, planStateSchema } from "../../model/plan.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Store } from "../../ports/store.ts";
import { isOver } from "./journal.ts";
import type { Rest } from "./think.ts";

/** What is known of the last plan of each workflow, and of each index that was moved alone: its successor's parent, and the rest after it. */
export interface Moves {
  /** Once a term: what earlier leaders did. */
  load(store: Store): Promise<void>;
  ended(plan: Plan, state: PlanState): void;
  /** `subject`: a plan's `workflow`. */
  lastPlan(subject: string): string | null;
  restOf(subject: string): Rest;
}

/** Rest after an unplanned plan that never opened traffic: it may be tried again soon. */
const RETRY_REST_MS = 5_000;

/** An owner that could not be drained is tried again after so long: it may be mended by then. */
const DRAIN_AGAIN_MS = 600_000;

interface LastUnplanned {
  readonly endedAt: number;
  readonly restMs: number;
}

/** `cooldownMs`: the spec's least time between two unplanned moves that did open traffic. */
export function createMoves(clock: Clock, cooldownMs: number): Moves {
  const lastPlans = new Map<string, string>();
  /** When the last plan of an index failed at draining its owner (monotonic ms). */
  const undrained = new Map<string, number>();
  const unplanned = new Map<string, LastUnplanned>();

  function note(plan: Plan, state: PlanState, agoMs: number): void {
    lastPlans.set(plan.workflow, plan.id);
    if (failedToDrain(plan, state)) undrained.set(plan.workflow, clock.monotonic() - agoMs);
    else undrained.delete(plan.workflow);
    if (!isUnplanned(plan)) return;
    const restMs = hasMoved(plan, state) ? cooldownMs : Math.min(cooldownMs, RETRY_REST_MS);
    unplanned.set(plan.workflow, { endedAt: clock.monotonic() - agoMs, restMs });
  }

  return {
    async load(store) {
      lastPlans.clear();
      undrained.clear();
      unplanned.clear();
      for (const { plan, state } of await overPlans(store)) {
        note(plan, state, agoByWallClock(state, clock));
      }
    },
    ended: (plan, state) => note(plan, state, 0),
    lastPlan: (subject) => lastPlans.get(subject) ?? null,
    restOf(subject) {
      const last = unplanned.get(subject);
      const now = clock.monotonic();
      const at = undrained.get(subject);
      const drainFailed = at !== undefined && now - at < DRAIN_AGAIN_MS;
      if (last === undefined) return { sinceLastMoveMs: null, cooldownMs, drainFailed };
      return { sinceLastMoveMs: now - last.endedAt, cooldownMs: last.restMs, drainFailed };
    },
  };
}

/** A person's move of an index names no failure domain. */
function isUnplanned({ decision: { kind, domain } }: Plan): boolean {
  return kind === "failover" || (kind === "move-index" && domain !== null);
}

function hasMoved(plan: Plan, state: PlanState): boolean {
  const last = plan.decision.kind === "move-index" ? "promote-index" : "open-traffic";
  const at = plan.steps.findIndex(({ kind }) => kind === last);
  return state.steps[at]?.status === "done";
}

function failedToDrain({ decision, steps }: Plan, state: PlanState): boolean {
  if (decision.kind !== "move-index") return false;
  return state.steps.some(({ status }, at) => {
    const kind = steps[at]?.kind;
    return status === "failed" && (kind === "freeze-index" || kind === "catch-up-index");
  });
}

/** Oldest first. By epoch, since that only grows; the wall clock decides between equals only. */
async function overPlans(store: Store): Promise<{ plan: Plan; state: PlanState }[]> {
  const plans = (await store.list(KEYS.plans)).map(({ value }) => planSchema.parse(value));
  const states = (await store.list(KEYS.planStates)).map(({ value }) =>
    planStateSchema.parse(value),
  );
  const byPlan = new Map(states.map((state) => [state.planId, state]));
  return plans
    .toSorted((a, b) => a.epoch - b.epoch || a.createdAt - b.createdAt)
    .flatMap((plan) => {
      const state = byPlan.get(plan.id);
      return state && isOver(state) ? [{ plan, state }] : [];
    });
}

/**
 * The one place where a wall clock is asked for an interval, since monotonic clocks mean nothing to
 * another process. Clamped at 0: a clock that was set back makes the rest longer by at most one
 * cool-down; one that was set forward can only end a rest early, and the verdict must still hold.
 */
function agoByWallClock(state: PlanState, clock: Clock): number {
  const ended = Math.max(0, ...state.steps.map(({ endedAt }) => endedAt ?? 0));
  return Math.max(0, clock.now() - ended);
}
