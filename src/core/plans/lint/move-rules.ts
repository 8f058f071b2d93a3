import type { Rule } from "./rule.ts";
import { isPlanned, stepsOf, unless } from "./rule.ts";

/** Rules about what is decided: which regions leave, which take over, by whose authority. */
export const MOVE_RULES: readonly Rule[] = [
  {
    // An older plan that comes late would undo a newer one; a skipped number hides one.
    rule: "epoch-is-next",
    check: (plan, { intent }) =>
      unless(
        plan.epoch === intent.epoch + 1,
        `the plan acts under epoch ${plan.epoch}, but ${intent.workflow} is at ${intent.epoch}, so it must be ${intent.epoch + 1}`,
      ),
  },
  {
    rule: "workflow-agrees",
    check: (plan, { intent }) =>
      unless(
        plan.workflow === intent.workflow && plan.decision.workflow === intent.workflow,
        `the plan is for ${plan.workflow} and its decision for ${plan.decision.workflow}, but the intent is of ${intent.workflow}`,
      ),
  },
  {
    rule: "workflow-is-free",
    check: (plan, { intent }) =>
      unless(
        intent.movingBy === null || intent.movingBy === plan.id,
        `${intent.workflow} is being moved by plan ${intent.movingBy} already`,
      ),
  },
  {
    rule: "decision-moves",
    check: (plan) =>
      unless(
        plan.decision.kind === "failover" || isPlanned(plan),
        `a decision to ${plan.decision.kind} needs no plan that moves traffic`,
      ),
  },
  {
    // The last serving region is never removed.
    rule: "to-not-empty",
    check: ({ decision }) =>
      unless(decision.to.length > 0, `nobody would serve ${decision.workflow} afterwards`),
  },
  {
    rule: "to-not-failed",
    check: ({ decision }, { failed }) =>
      decision.to
        .filter((region) => failed.includes(region))
        .map((region) => `${region} shall serve ${decision.workflow} but has failed`),
  },
  {
    rule: "regions-known",
    check: ({ decision, steps }, { regions }) => {
      const named = [...decision.from, ...decision.to, ...steps.flatMap((step) => step.regions)];
      return [...new Set(named)]
        .filter((region) => !regions.includes(region))
        .map((region) => `${region} is no region of this estate`);
    },
  },
  {
    rule: "leaves-or-stays",
    check: ({ decision }) =>
      decision.from
        .filter((region) => decision.to.includes(region))
        .map((region) => `${region} would both leave and serve`),
  },
  {
    // A decision made from an older intent would silently drop a region that serves by now.
    rule: "serving-accounted",
    check: ({ decision }, { intent }) => [
      ...decision.from
        .filter((region) => !intent.serving.includes(region))
        .map((region) => `${region} shall leave but does not serve ${intent.workflow}`),
      ...intent.serving
        .filter((region) => !decision.from.includes(region) && !decision.to.includes(region))
        .map((region) => `${region} serves ${intent.workflow} and would vanish without leaving`),
    ],
  },
  {
    // Draining asks the old region for its last change: a dead one makes it wait for ever.
    rule: "drained-region-lives",
    check: (plan, { failed }) => {
      const drained = stepsOf(plan, "freeze-index").flatMap(({ step }) => step.regions);
      const needed = isPlanned(plan) ? [...plan.decision.from, ...drained] : drained;
      return [...new Set(needed)]
        .filter((region) => failed.includes(region))
        .map((region) => `${region} would be drained but has failed`);
    },
  },
];
