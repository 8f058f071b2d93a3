import type { Ownership } from "../../../model/intent.ts";
import type { Plan, StepKind } from "../../../model/plan.ts";
import type { LintContext, Rule } from "./rule.ts";
import { isPlanned, openedAt, stepsOf, unless } from "./rule.ts";

const INDEX_STEPS: readonly StepKind[] = ["freeze-index", "catch-up-index", "promote-index"];

/** Rules about the state that moves with the traffic: whose pipeline writes an index, and when. */
export const INDEX_RULES: readonly Rule[] = [
  {
    rule: "index-known",
    check: (plan, { ownerships }) =>
      stepsOf(plan, ...INDEX_STEPS)
        .filter(({ step }) => !ownerships.some(({ index }) => index === step.index))
        .map(({ step }) => `${step.id} is about ${step.index ?? "no index"}, which nobody owns`),
  },
  {
    // Traffic that moves without its pipeline is answered from an index that grows stale.
    rule: "index-promoted-before-open",
    check: (plan, context) =>
      leavingIndexes(plan, context)
        .filter(({ index }) => !(placeOf(plan, "promote-index", index) < openedAt(plan)))
        .map(
          ({ index, region }) =>
            `${region} writes ${index} and leaves, but nobody takes ${index} over before traffic opens`,
        ),
  },
  {
    rule: "index-follows-traffic",
    check: ({ decision, steps }) =>
      steps
        .filter(({ kind }) => kind === "catch-up-index" || kind === "promote-index")
        .flatMap(({ id, regions }) =>
          regions
            .filter((region) => decision.to.length > 0 && !decision.to.includes(region))
            .map((region) => `${id} gives the index to ${region}, which shall not serve`),
        ),
  },
  {
    // Freezing anybody else's copy stops a pipeline that this plan never starts again.
    rule: "freezes-leaving-owner",
    check: (plan, { ownerships }) =>
      stepsOf(plan, "freeze-index").flatMap(({ step }) => {
        const owner = ownerships.find(({ index }) => index === step.index)?.region;
        // An index that nobody owns is another rule's finding.
        if (owner === undefined) return [];
        const right = step.regions.every((region) => region === owner);
        return unless(
          right && plan.decision.from.includes(owner),
          `${step.id} freezes ${step.index} in ${step.regions.join(", ")}, but ${owner} owns it and must be the one that leaves`,
        );
      }),
  },
  {
    // What the owner accepts after the copy was level, and before it stops, would be lost.
    rule: "drained-in-order",
    check: (plan, context) =>
      drainedIndexes(plan, context)
        .filter((index) => !isDrainedInOrder(plan, index))
        .map((index) => `${index} is not frozen, then caught up, then promoted`),
  },
  {
    // Catching up changes what the region answers from: the earlier proof was of another state.
    rule: "reproven-after-catch-up",
    check: (plan) =>
      stepsOf(plan, "catch-up-index")
        .filter(({ step, at }) => {
          const limit = Math.min(placeOf(plan, "promote-index", step.index), openedAt(plan));
          return !stepsOf(plan, "prove-readiness").some(
            (proof) =>
              proof.at > at &&
              proof.at < limit &&
              step.regions.every((region) => proof.step.regions.includes(region)),
          );
        })
        .map(({ step }) => `${step.regions.join(", ")} is not proven ready again after ${step.id}`),
  },
];

/** Indexes of this workflow whose writing region stops serving. */
function leavingIndexes(plan: Plan, { ownerships, index }: LintContext): Ownership[] {
  const named = plan.steps.map((step) => step.index);
  const ours = index === undefined ? named : [index, ...named];
  return ownerships.filter(
    (owned) => ours.includes(owned.index) && plan.decision.from.includes(owned.region),
  );
}

/** What must be drained: everything in a planned move, and whatever is frozen in any. */
function drainedIndexes(plan: Plan, context: LintContext): string[] {
  const frozen = stepsOf(plan, "freeze-index").flatMap(({ step }) => step.index ?? []);
  const leaving = leavingIndexes(plan, context)
    .map(({ index }) => index)
    .filter((index) => isPlanned(plan) && placeOf(plan, "promote-index", index) < Infinity);
  return [...new Set([...frozen, ...leaving])];
}

function isDrainedInOrder(plan: Plan, index: string): boolean {
  const frozen = placeOf(plan, "freeze-index", index);
  const level = placeOf(plan, "catch-up-index", index);
  const promoted = placeOf(plan, "promote-index", index);
  // No promotion at all is index-promoted-before-open's finding.
  return frozen < level && (level < promoted || promoted === Infinity) && level < Infinity;
}

/** Place of the first such step; Infinity when there is none. */
function placeOf(plan: Plan, kind: StepKind, index: string | null): number {
  return (
    stepsOf(plan, kind).find(({ step }) => step.index === index)?.at ?? Number.POSITIVE_INFINITY
  );
}
