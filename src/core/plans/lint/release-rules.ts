import type { Plan } from "../../../model/plan.ts";
import type { ReleaseIntent } from "../../../model/release-intent.ts";
import { type Finding, type Placed, stepsOf, unless } from "./rule.ts";
import { STEP_RULES } from "./step-rules.ts";

/** What is true when a release plan is judged, read at one revision of the store. */
export interface ReleaseLintContext {
  readonly intent: ReleaseIntent;
  /** Every region of the estate. */
  readonly regions: readonly string[];
  /** Digests of the releases that the estate knows. */
  readonly known: readonly string[];
  /** Regions whose verdict is `failed`. */
  readonly failed: readonly string[];
  /** Regions that serve some workflow. */
  readonly serving: readonly string[];
}

interface ReleaseRule {
  readonly rule: string;
  readonly check: (plan: Plan, context: ReleaseLintContext) => string[];
}

/** All that can be wrong with a plan that changes the release. Closed, as the moves' list is. */
export const RELEASE_RULES: readonly ReleaseRule[] = [
  {
    rule: "release-epoch-is-next",
    check: (plan, { intent }) =>
      unless(
        plan.epoch === intent.epoch + 1,
        `the plan acts under epoch ${plan.epoch}, but the release is at ${intent.epoch}`,
      ),
  },
  {
    rule: "release-known",
    check: ({ release, decision }, { known }) => [
      ...unless(known.includes(release), `release ${release} is not known to the estate`),
      ...unless(decision.release === release, `the decision is about ${decision.release}`),
    ],
  },
  {
    // An activation of half an estate leaves two releases for good.
    rule: "activates-every-region-once",
    check: (plan, { regions }) => {
      const activated = stepsOf(plan, "activate-release").flatMap(({ step }) => step.regions);
      const twice = activated.filter((region, at) => activated.indexOf(region) !== at);
      return [
        ...regions
          .filter((region) => !activated.includes(region))
          .map((region) => `${region} would keep another release`),
        ...activated
          .filter((region) => !regions.includes(region))
          .map((region) => `${region} is no region of this estate`),
        ...twice.map((region) => `${region} is activated more than once`),
      ];
    },
  },
  {
    rule: "one-region-at-a-time",
    check: (plan) =>
      isRollback(plan)
        ? unless(
            stepsOf(plan, "activate-release").length === 1,
            "a rollback changes every region at once, in one step",
          )
        : stepsOf(plan, "activate-release")
            .filter(({ step }) => step.regions.length !== 1)
            .map(({ step }) => `${step.id} changes ${step.regions.length} regions at once`),
  },
  {
    // What is found out after the first region runs it was found out by its callers.
    rule: "verified-everywhere-first",
    check: (plan, { regions }) =>
      isRollback(plan)
        ? []
        : (["prefetch-release", "verify-release"] as const).flatMap((kind) => {
            const done = stepsOf(plan, kind)
              .filter(({ at }) => at < firstAt(plan, "take-release"))
              .flatMap(({ step }) => step.regions);
            return regions
              .filter((region) => !done.includes(region))
              .map((region) => `${kind} leaves out ${region}`);
          }),
  },
  {
    // Going back must not wait for whoever keeps artifacts: it may be what has failed.
    rule: "rollback-asks-nobody",
    check: (plan) =>
      isRollback(plan)
        ? stepsOf(plan, "prefetch-release", "verify-release", "bake-release").map(
            ({ step }) => `a rollback must not wait for ${step.id}`,
          )
        : [],
  },
  {
    rule: "release-taken-before-effect",
    check: (plan) => {
      const taken = stepsOf(plan, "take-release");
      if (taken.length !== 1) return [`the release is taken ${taken.length} times, not once`];
      return stepsOf(plan, "activate-release", "record-release")
        .filter(({ at }) => at < (taken[0]?.at ?? 0))
        .map(({ step }) => `${step.id} comes before the release is taken`);
    },
  },
  {
    rule: "each-acknowledged-and-proven",
    check: (plan, { regions }) =>
      eachActivation(plan, (one, next) => after(plan, one, next, regions)),
  },
  {
    // Callers of the serving region shall be the last to meet a release that turns out bad.
    rule: "serving-last",
    check: (plan, { serving }) => {
      if (isRollback(plan)) return [];
      const order = stepsOf(plan, "activate-release").flatMap(({ step }) => step.regions);
      const first = order.findIndex((region) => serving.includes(region));
      return order
        .slice(first === -1 ? order.length : first)
        .filter((region) => !serving.includes(region))
        .map((region) => `${region} serves nothing and comes after ${order[first]}, which does`);
    },
  },
  {
    // An activation beside an outage gives one fault two suspects.
    rule: "activates-in-peace",
    check: (plan, { failed }) =>
      isRollback(plan) ? [] : failed.map((region) => `${region} has failed: recover first`),
  },
  {
    rule: "recorded-last",
    check: (plan) => {
      const recorded = stepsOf(plan, "record-release");
      const last = recorded.length === 1 && recorded[0]?.at === plan.steps.length - 1;
      return unless(last, "the good release is not written down once, at the very end");
    },
  },
];

/** What is wrong with a plan that changes the release; empty when it may run. */
export function lintRelease(plan: Plan, context: ReleaseLintContext): Finding[] {
  const own = RELEASE_RULES.flatMap(({ rule, check }) =>
    check(plan, context).map((message) => ({ rule, message })),
  );
  const each = STEP_RULES.flatMap(({ rule, check }) =>
    check(plan).map((message) => ({ rule, message })),
  );
  return [...own, ...each];
}

function isRollback({ decision }: Plan): boolean {
  return decision.kind === "rollback";
}

function firstAt(plan: Plan, kind: "take-release"): number {
  return stepsOf(plan, kind)[0]?.at ?? -1;
}

function eachActivation(plan: Plan, check: (one: Placed, next: number) => string[]): string[] {
  const activations = stepsOf(plan, "activate-release");
  return activations.flatMap((one, i) => check(one, activations[i + 1]?.at ?? plan.steps.length));
}

/** What must follow an activation before the next one, in this order. */
function after(plan: Plan, one: Placed, next: number, regions: readonly string[]): string[] {
  const between = plan.steps.slice(one.at + 1, next);
  const confirmed = between.findIndex(
    ({ kind, regions: asked }) =>
      kind === "confirm-acknowledged" && regions.every((region) => asked.includes(region)),
  );
  const proven = between.findIndex(
    ({ kind, regions: asked }) =>
      kind === "prove-release" && one.step.regions.every((region) => asked.includes(region)),
  );
  const baked = between.findIndex(({ kind }) => kind === "bake-release");
  return [
    ...unless(confirmed !== -1, `nobody waits for every gateway after ${one.step.id}`),
    ...unless(
      proven > confirmed && proven !== -1,
      `no canary proves ${one.step.id} after the gateways have it`,
    ),
    ...unless(isRollback(plan) || baked > proven, `${one.step.id} is not baked before the next`),
  ];
}
