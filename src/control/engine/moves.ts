import { KEYS } from "../../model/keys.ts";
import { type Plan, type PlanState, planSchema, planStateSchema } from "../../model/plan.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Store } from "../../ports/store.ts";
import { isOver } from "./journal.ts";
import type { Rest } from "./think.ts";

/** What is known of each workflow's last plan: its successor's parent, and the rest after it. */
export interface Moves {
  /** Once a term: what earlier leaders did. */
  load(store: Store): Promise<void>;
  ended(plan: Plan, state: PlanState): void;
  lastPlan(workflow: string): string | null;
  restOf(workflow: string): Rest;
}

/** Rest after an unplanned plan that never opened traffic: it may be tried again soon. */
const RETRY_REST_MS = 5_000;

interface LastUnplanned {
  readonly endedAt: number;
  readonly restMs: number;
}

/** `cooldownMs`: the spec's least time between two unplanned moves that did open traffic. */
export function createMoves(clock: Clock, cooldownMs: number): Moves {
  const lastPlans = new Map<string, string>();
  const unplanned = new Map<string, LastUnplanned>();

  function note(plan: Plan, state: PlanState, agoMs: number): void {
    lastPlans.set(plan.workflow, plan.id);
    if (plan.decision.kind !== "failover") return;
    const restMs = hasOpened(plan, state) ? cooldownMs : Math.min(cooldownMs, RETRY_REST_MS);
    unplanned.set(plan.workflow, { endedAt: clock.monotonic() - agoMs, restMs });
  }

  return {
    async load(store) {
      lastPlans.clear();
      unplanned.clear();
      for (const { plan, state } of await overPlans(store)) {
        note(plan, state, agoByWallClock(state, clock));
      }
    },
    ended: (plan, state) => note(plan, state, 0),
    lastPlan: (workflow) => lastPlans.get(workflow) ?? null,
    restOf(workflow) {
      const last = unplanned.get(workflow);
      if (last === undefined) return { sinceLastMoveMs: null, cooldownMs };
      return { sinceLastMoveMs: clock.monotonic() - last.endedAt, cooldownMs: last.restMs };
    },
  };
}

function hasOpened(plan: Plan, state: PlanState): boolean {
  const at = plan.steps.findIndex(({ kind }) => kind === "open-traffic");
  return state.steps[at]?.status === "done";
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
