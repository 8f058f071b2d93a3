import type { Plan, StepKind } from "../../../model/plan.ts";
import type { Rule } from "./rule.ts";
import { openedAt, stepsOf, unless } from "./rule.ts";

/** Steps that change the world; the others only ask. */
const EFFECTS: readonly StepKind[] = [
  "take-ownership",
  "freeze-index",
  "catch-up-index",
  "promote-index",
  "open-traffic",
  "announce",
];
const FENCED_EFFECTS = EFFECTS.filter((kind) => kind !== "take-ownership");

/** Rules about the order of a plan: prove, fence, open once, prove again, tell. */
export const ORDER_RULES: readonly Rule[] = [
  {
    // No region opens to traffic unproven, and nothing is disturbed for one that cannot serve.
    rule: "ready-before-effect",
    check: (plan) => {
      const first = stepsOf(plan, ...EFFECTS)[0];
      const limit = first?.at ?? plan.steps.length;
      const proven = stepsOf(plan, "prove-readiness")
        .filter(({ at }) => at < limit)
        .flatMap(({ step }) => step.regions);
      return plan.decision.to
        .filter((region) => !proven.includes(region))
        .map((region) => `${region} is not proven ready before ${first?.step.id ?? "the end"}`);
    },
  },
  {
    // Without the epoch raised first, an older actor's effect could land after this plan's.
    rule: "ownership-before-effect",
    check: (plan) => {
      const taken = stepsOf(plan, "take-ownership");
      if (taken.length !== 1) return [`ownership is taken ${taken.length} times, not once`];
      return stepsOf(plan, ...FENCED_EFFECTS)
        .filter(({ at }) => at < (taken[0]?.at ?? 0))
        .map(({ step }) => `${step.id} comes before ownership is taken`);
    },
  },
  {
    rule: "open-once",
    check: (plan) => {
      const count = stepsOf(plan, "open-traffic").length;
      return unless(count === 1, `traffic is opened ${count} times, not once`);
    },
  },
  {
    rule: "opens-exactly-to",
    check: (plan) =>
      stepsOf(plan, "open-traffic")
        // No region at all is another rule's finding, on either side.
        .filter(({ step }) => step.regions.length > 0 && plan.decision.to.length > 0)
        .filter(({ step }) => !sameRegions(step.regions, plan.decision.to))
        .map(
          ({ step }) =>
            `${step.id} opens ${step.regions.join(", ")}, but the decision says ${plan.decision.to.join(", ")}`,
        ),
  },
  {
    rule: "acknowledged-after-open",
    check: (plan) => {
      const confirmed = afterOpen(plan, "confirm-acknowledged").flatMap(({ step }) => step.regions);
      return plan.decision.to
        .filter((region) => isOpened(plan) && !confirmed.includes(region))
        .map((region) => `nobody waits for ${region}'s gateway to serve the opening snapshot`);
    },
  },
  {
    // Before every gateway has the snapshot, a canary may be answered by the old region.
    rule: "traffic-proven-after-open",
    check: (plan) => {
      const acknowledged = stepsOf(plan, "confirm-acknowledged").at(-1)?.at ?? -1;
      const proofs = afterOpen(plan, "prove-traffic").filter(({ at }) => at > acknowledged);
      return unless(
        !isOpened(plan) || proofs.length > 0,
        "no canary proves the traffic after the gateways have the opening snapshot",
      );
    },
  },
  {
    // Customers are told what is proven, not what is hoped for.
    rule: "announce-last",
    check: (plan) => {
      const announced = stepsOf(plan, "announce");
      const last = announced.length === 1 && announced[0]?.at === plan.steps.length - 1;
      return unless(last, "customers are not told once, at the very end");
    },
  },
];

function isOpened(plan: Plan): boolean {
  return openedAt(plan) < plan.steps.length;
}

function afterOpen(plan: Plan, kind: StepKind) {
  return stepsOf(plan, kind).filter(({ at }) => at > openedAt(plan));
}

function sameRegions(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((region) => b.includes(region));
}
