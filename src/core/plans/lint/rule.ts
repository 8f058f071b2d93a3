import type { Intent, Ownership } from "../../../model/intent.ts";
import type { Plan, Step, StepKind } from "../../../model/plan.ts";

/** One thing that is wrong with a plan: which rule says so, and one sentence with the names. */
export interface Finding {
  readonly rule: string;
  readonly message: string;
}

/** What is true when the plan is judged, read at one revision of the store. */
export interface LintContext {
  readonly intent: Intent;
  readonly ownerships: readonly Ownership[];
  /** Every region of the estate. */
  readonly regions: readonly string[];
  /** Regions whose verdict is `failed`. */
  readonly failed: readonly string[];
  /**
   * The workflow's retrieval index; null when it retrieves nothing. Left out: only indexes that
   * the plan itself names can be judged, and one that was forgotten altogether is not noticed.
   */
  readonly index?: string | null;
}

/** A rule: its name, and the sentences that say where a plan breaks it. */
export interface Rule {
  readonly rule: string;
  readonly check: (plan: Plan, context: LintContext) => string[];
}

/** A step and its place in the plan. */
export interface Placed {
  readonly step: Step;
  readonly at: number;
}

export function stepsOf(plan: Plan, ...kinds: readonly StepKind[]): Placed[] {
  return plan.steps
    .map((step, at) => ({ step, at }))
    .filter(({ step }) => kinds.includes(step.kind));
}

/** Where traffic opens. The plan's end when it never does: then everything is before it. */
export function openedAt(plan: Plan): number {
  return stepsOf(plan, "open-traffic")[0]?.at ?? plan.steps.length;
}

/** The complaint, if it is one. */
export function unless(holds: boolean, complaint: string): string[] {
  return holds ? [] : [complaint];
}

export function isPlanned({ decision }: Plan): boolean {
  return decision.kind === "switchover" || decision.kind === "failback";
}
