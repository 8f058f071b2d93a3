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

interface LastUnplanned {
  readonly endedAt: number;
  readonly restMs: number;
}

/** `cooldownMs`: the spec's least time between two unplanned moves that did open traffic. */
export function createMoves(clock: Clock, cooldownMs: number): Moves {
  const lastPlans = new Map<string, { readonly id: string; readonly failed: boolean }>();
  const unplanned = new Map<string, LastUnplanned>();

  function note(plan: Plan, state: PlanState, agoMs: number): void {
    lastPlans.set(plan.workflow, { id: plan.id, failed: state.status === "failed" });
    if (!isUnplanned(plan)) return;
    const restMs = hasMoved(plan, state) ? cooldownMs : Math.min(cooldownMs, RETRY_REST_MS);
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
    lastPlan: (subject) => lastPlans.get(subject)?.id ?? null,
    restOf(subject) {
      const last = unplanned.get(subject);
      const lastFailed = lastPlans.get(subject)?.failed ?? false;
      if (last === undefined) return { sinceLastMoveMs: null, cooldownMs, lastFailed };
      const sinceLastMoveMs = clock.monotonic() - last.endedAt;
      return { sinceLastMoveMs, cooldownMs: last.restMs, lastFailed };
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
