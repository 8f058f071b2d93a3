import type { Ownership } from "../../../model/intent.ts";
import type { Plan, StepKind } from "../../../model/plan.ts";
import { type Finding, stepsOf, unless } from "./rule.ts";
import { STEP_RULES } from "./step-rules.ts";

/** What is true when a plan that moves an index alone is judged, read at one revision of the store. */
export interface IndexLintContext {
  readonly ownership: Ownership;
  /** Plan that moves this index alone already; null when none does. */
  readonly heldBy: string | null;
  /** Every region of the estate. */
  readonly regions: readonly string[];
  /** Regions whose verdict is `failed`. */
  readonly failed: readonly string[];
}

interface IndexRule {
  readonly rule: string;
  readonly check: (plan: Plan, context: IndexLintContext) => string[];
}

const ALLOWED: readonly StepKind[] = [
  "prove-index",
  "freeze-index",
  "catch-up-index",
  "promote-index",
];

/** All that can be wrong with a plan that moves an index alone. Closed, as the moves' list is. */
export const INDEX_MOVE_RULES: readonly IndexRule[] = [
  {
    // An older plan that comes late would give the index to who lost it since.
    rule: "index-epoch-is-next",
    check: (plan, { ownership: { index, epoch } }) =>
      unless(
        plan.epoch === epoch + 1,
        `the plan acts under epoch ${plan.epoch}, but ${index} is at ${epoch}`,
      ),
  },
  {
    rule: "index-is-free",
    check: (plan, { heldBy, ownership: { index } }) =>
      unless(heldBy === null || heldBy === plan.id, `${index} is being moved by plan ${heldBy}`),
  },
  {
    rule: "index-agrees",
    check: ({ decision, steps }, { ownership: { index } }) => [
      ...unless(decision.index?.name === index, `the decision is not about ${index}`),
      ...steps
        .filter((step) => step.index !== index)
        .map((step) => `${step.id} is about ${step.index ?? "no index"}, not ${index}`),
    ],
  },
  {
    rule: "leaves-its-owner",
    check: ({ decision: { from } }, { ownership: { index, region } }) =>
      unless(
        from.length === 1 && from[0] === region,
        `${index} is ${region}'s, and the plan takes it from ${from.join(", ") || "nobody"}`,
      ),
  },
  {
    rule: "one-living-taker",
    check: ({ decision: { from, to } }, { regions, failed }) => [
      ...unless(to.length === 1, `${to.length} regions would take it over, not one`),
      ...to.filter((region) => !regions.includes(region)).map((one) => `${one} is no region here`),
      ...to.filter((region) => failed.includes(region)).map((one) => `${one} has failed`),
      ...to.filter((region) => from.includes(region)).map((one) => `${one} owns it already`),
    ],
  },
  {
    // Whoever moves traffic does so under a workflow's epoch, which this plan has not taken.
    rule: "moves-no-traffic",
    check: ({ steps }) =>
      steps
        .filter(({ kind }) => !ALLOWED.includes(kind))
        .map(({ id }) => `${id} does more than to move an index`),
  },
  {
    // A damaged copy that is written from would be the source of every other one.
    rule: "taker-proven-first",
    check: (plan) => {
      const [first] = plan.steps;
      const { to } = plan.decision;
      const isProof = first?.kind === "prove-index" && first.regions.join() === to.join();
      return unless(isProof, `${to.join(", ")} is not proven before anything else`);
    },
  },
  {
    rule: "promotes-once-and-last",
    check: (plan) => {
      const { to } = plan.decision;
      const promotions = stepsOf(plan, "promote-index");
      const [only] = promotions;
      const isLast = only?.at === plan.steps.length - 1;
      const isRight = promotions.length === 1 && only?.step.regions.join() === to.join();
      return unless(isLast && isRight, `${to.join(", ")} is not promoted once, at the very end`);
    },
  },
  {
    // What the owner takes after the copy was level, and before it stops, would be lost in silence.
    rule: "drained-as-said",
    check: (plan) => {
      const places = ["freeze-index", "catch-up-index"] as const;
      const [frozen, level] = places.map((kind) => stepsOf(plan, kind));
      const both = frozen?.length === 1 && level?.length === 1;
      const none = frozen?.length === 0 && level?.length === 0;
      const inOrder = both && (frozen[0]?.at ?? 0) < (level[0]?.at ?? 0);
      const said = plan.decision.index?.drained === true;
      return unless(
        said ? inOrder : none,
        said
          ? "the decision promises that nothing is lost, but the owner is not frozen and then drained"
          : "the owner is frozen or drained, which the decision does not say",
      );
    },
  },
  {
    // Draining asks the owner for its last change: a dead one makes it wait in vain.
    rule: "freezes-a-living-owner",
    check: (plan, { ownership, failed }) =>
      stepsOf(plan, "freeze-index").flatMap(({ step }) =>
        unless(
          step.regions.join() === ownership.region && !failed.includes(ownership.region),
          `${step.id} freezes it in ${step.regions.join(", ")}, which has failed or does not own it`,
        ),
      ),
  },
  {
    rule: "the-taker-catches-up",
    check: (plan) =>
      stepsOf(plan, "catch-up-index").flatMap(({ step }) =>
        unless(
          step.regions.join() === plan.decision.to.join(),
          `${step.id} levels ${step.regions.join(", ")}, which does not take over`,
        ),
      ),
  },
  ...STEP_RULES,
];

/** What is wrong with such a plan; empty when it may run. Shares no code with the planner. */
export function lintIndexMove(plan: Plan, context: IndexLintContext): Finding[] {
  return INDEX_MOVE_RULES.flatMap(({ rule, check }) =>
    check(plan, context).map((message) => ({ rule, message })),
  );
}
