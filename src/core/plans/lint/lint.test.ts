import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { INTENT, OWNERSHIP } from "../../../../test/support/core-values.ts";
import type { Plan, Step, StepKind } from "../../../model/plan.ts";
import type { PlanInput } from "../input.ts";
import { planFor } from "../plan.ts";
import { decision, inputWith } from "../plans.fixture.ts";
import { type LintContext, lint, RULES } from "./lint.ts";

const REGIONS = ["eu-west", "us-east", "ap-south"];

function contextOf(input: PlanInput, over: Partial<LintContext> = {}): LintContext {
  const { intent, ownerships, failed = [] } = input;
  return { intent, ownerships, regions: REGIONS, failed, index: "handbook", ...over };
}

/** Any legal move: out of some serving regions, to some living ones, with the index anywhere. */
const legalInput: fc.Arbitrary<PlanInput> = fc
  .record({
    kind: fc.constantFrom("failover", "switchover", "failback"),
    serving: fc.subarray(REGIONS, { minLength: 1 }),
    to: fc.shuffledSubarray(REGIONS, { minLength: 1 }),
    owner: fc.constantFrom(...REGIONS),
    epoch: fc.integer({ min: 1, max: 1_000 }),
    dead: fc.subarray(REGIONS),
  })
  .map(({ kind, serving, to, owner, epoch, dead }) => {
    const from = serving.filter((region) => !to.includes(region));
    const spared = kind === "failover" ? to : [...from, ...to];
    return inputWith({
      decision: decision(kind as "failover", from, to),
      intent: { ...INTENT, serving, epoch },
      ownerships: [{ ...OWNERSHIP, region: owner }],
      failed: dead.filter((region) => !spared.includes(region)),
    });
  });

test("the plan of any legal decision lints clean", () => {
  fc.assert(
    fc.property(legalInput, (input) => {
      assert.deepEqual(lint(planFor(input), contextOf(input)), []);
    }),
    { numRuns: 500 },
  );
});

/** One way to spoil a plan or the world it was made for, and the one rule that must notice. */
interface Spoiling {
  readonly rule: string;
  readonly how: string;
  readonly spoil: (plan: Plan) => Plan;
  readonly context?: Partial<LintContext>;
  /** Needs a drained index: tried on planned moves only. */
  readonly planned?: true;
}

function without(kind: StepKind, id: string = kind): (plan: Plan) => Plan {
  return (plan) => ({
    ...plan,
    steps: plan.steps.filter((step) => step.kind !== kind || (step.id !== id && id !== "*")),
  });
}

function change(kind: StepKind, over: Partial<Step>): (plan: Plan) => Plan {
  return (plan) => ({
    ...plan,
    steps: plan.steps.map((step) => (step.kind === kind ? { ...step, ...over } : step)),
  });
}

/** Puts the first step of a kind right before the first step of another (or at the end). */
function move(kind: StepKind, before: StepKind | "end"): (plan: Plan) => Plan {
  return (plan) => {
    const moved = plan.steps.filter((step) => step.kind === kind).slice(0, 1);
    const rest = plan.steps.filter((step) => !moved.includes(step));
    const found = rest.findIndex((step) => step.kind === before);
    const at = found === -1 ? rest.length : found;
    return { ...plan, steps: [...rest.slice(0, at), ...moved, ...rest.slice(at)] };
  };
}

function decide(over: Partial<Plan["decision"]>): (plan: Plan) => Plan {
  return (plan) => ({ ...plan, decision: { ...plan.decision, ...over } });
}

function double(kind: StepKind): (plan: Plan) => Plan {
  return (plan) => ({
    ...plan,
    steps: plan.steps.flatMap((step) =>
      step.kind === kind ? [step, { ...step, id: `${step.id}-2` }] : [step],
    ),
  });
}

const unspoilt = (plan: Plan): Plan => plan;
const EU_ONLY = { ...INTENT, serving: ["eu-west"] };

const SPOILINGS: readonly Spoiling[] = [
  { rule: "epoch-is-next", how: "an old epoch", spoil: (plan) => ({ ...plan, epoch: 7 }) },
  { rule: "epoch-is-next", how: "a skipped epoch", spoil: (plan) => ({ ...plan, epoch: 9 }) },
  {
    rule: "epoch-is-next",
    how: "the intent moved on",
    spoil: unspoilt,
    context: { intent: { ...EU_ONLY, epoch: 8 } },
  },
  {
    rule: "workflow-agrees",
    how: "another workflow's plan",
    spoil: (plan) => ({ ...plan, workflow: "search" }),
  },
  {
    rule: "workflow-agrees",
    how: "another workflow's decision",
    spoil: decide({ workflow: "search" }),
  },
  {
    rule: "workflow-is-free",
    how: "another plan holds it",
    spoil: unspoilt,
    context: { intent: { ...EU_ONLY, movingBy: "p0" } },
  },
  { rule: "decision-moves", how: "a decision to hold", spoil: decide({ kind: "hold" }) },
  { rule: "to-not-empty", how: "nobody serves afterwards", spoil: decide({ to: [] }) },
  {
    rule: "to-not-failed",
    how: "the target failed",
    spoil: unspoilt,
    context: { failed: ["us-east"] },
  },
  {
    rule: "regions-known",
    how: "a region left the spec",
    spoil: unspoilt,
    context: { regions: ["us-east", "ap-south"] },
  },
  {
    rule: "leaves-or-stays",
    how: "a region leaves and stays",
    spoil: decide({ from: ["eu-west", "us-east"] }),
    context: { intent: { ...EU_ONLY, serving: ["eu-west", "us-east"] } },
  },
  {
    rule: "serving-accounted",
    how: "a region serves by now",
    spoil: unspoilt,
    context: { intent: { ...EU_ONLY, serving: ["eu-west", "ap-south"] } },
  },
  {
    rule: "serving-accounted",
    how: "one leaves that does not serve",
    spoil: decide({ from: ["eu-west", "ap-south"] }),
  },
  {
    rule: "drained-region-lives",
    how: "the drained region died",
    spoil: unspoilt,
    context: { failed: ["eu-west"] },
    planned: true,
  },
  {
    rule: "step-ids-unique",
    how: "two steps of one name",
    spoil: change("announce", { id: "open-traffic" }),
  },
  {
    rule: "step-acts-somewhere",
    how: "a step without a region",
    spoil: change("announce", { regions: [] }),
  },
  {
    rule: "step-acts-somewhere",
    how: "opening nowhere",
    spoil: change("open-traffic", { regions: [] }),
  },
  { rule: "step-undo-stated", how: "no undo", spoil: change("promote-index", { undo: "  " }) },
  { rule: "step-sentences-stated", how: "no proof", spoil: change("open-traffic", { proof: "" }) },
  {
    rule: "step-sentences-stated",
    how: "no precondition",
    spoil: change("open-traffic", { precondition: "" }),
  },
  { rule: "step-sentences-stated", how: "no effect", spoil: change("announce", { effect: "" }) },
  {
    rule: "step-deadline-positive",
    how: "no deadline",
    spoil: change("prove-traffic", { deadlineMs: 0 }),
  },
  {
    rule: "step-deadline-positive",
    how: "an endless deadline",
    spoil: change("prove-traffic", { deadlineMs: Number.POSITIVE_INFINITY }),
  },
  {
    rule: "ready-before-effect",
    how: "readiness is not proven",
    spoil: without("prove-readiness"),
  },
  {
    rule: "ready-before-effect",
    how: "proven too late",
    spoil: move("prove-readiness", "open-traffic"),
  },
  {
    rule: "ready-before-effect",
    how: "another region is proven",
    spoil: (plan) => ({
      ...plan,
      steps: plan.steps.map((step) =>
        step.id === "prove-readiness" ? { ...step, regions: ["eu-west"] } : step,
      ),
    }),
  },
  {
    rule: "ownership-before-effect",
    how: "ownership is not taken",
    spoil: without("take-ownership"),
  },
  { rule: "ownership-before-effect", how: "taken twice", spoil: double("take-ownership") },
  {
    rule: "ownership-before-effect",
    how: "taken too late",
    spoil: move("take-ownership", "open-traffic"),
  },
  { rule: "open-once", how: "traffic is never opened", spoil: without("open-traffic") },
  { rule: "open-once", how: "traffic is opened twice", spoil: double("open-traffic") },
  {
    rule: "opens-exactly-to",
    how: "one region too many is opened",
    spoil: change("open-traffic", { regions: ["us-east", "ap-south"] }),
  },
  {
    rule: "opens-exactly-to",
    how: "the old region is opened",
    spoil: change("open-traffic", { regions: ["eu-west"] }),
  },
  {
    rule: "acknowledged-after-open",
    how: "nobody waits for the gateways",
    spoil: without("confirm-acknowledged"),
  },
  {
    rule: "acknowledged-after-open",
    how: "asked before it is open",
    spoil: move("confirm-acknowledged", "open-traffic"),
  },
  {
    rule: "acknowledged-after-open",
    how: "only the old region is asked",
    spoil: change("confirm-acknowledged", { regions: ["eu-west"] }),
  },
  { rule: "traffic-proven-after-open", how: "no canary", spoil: without("prove-traffic") },
  {
    rule: "traffic-proven-after-open",
    how: "a canary before it is open",
    spoil: move("prove-traffic", "open-traffic"),
  },
  {
    rule: "traffic-proven-after-open",
    how: "a canary before the gateways know",
    spoil: move("prove-traffic", "confirm-acknowledged"),
  },
  { rule: "announce-last", how: "customers are not told", spoil: without("announce") },
  {
    rule: "announce-last",
    how: "told before it is proven",
    spoil: move("announce", "prove-traffic"),
  },
  { rule: "announce-last", how: "told twice", spoil: double("announce") },
  {
    rule: "index-known",
    how: "a stray index",
    spoil: (plan) => ({
      ...plan,
      steps: plan.steps.flatMap((step) =>
        step.kind === "promote-index" ? [step, { ...step, id: "stray", index: "attic" }] : [step],
      ),
    }),
  },
  {
    rule: "index-known",
    how: "no index named",
    spoil: (plan) => ({
      ...plan,
      steps: plan.steps.flatMap((step) =>
        step.kind === "promote-index" ? [step, { ...step, id: "stray", index: null }] : [step],
      ),
    }),
  },
  {
    rule: "index-promoted-before-open",
    how: "the index is left behind",
    spoil: without("promote-index", "*"),
  },
  {
    rule: "index-promoted-before-open",
    how: "all its steps are forgotten",
    spoil: (plan) => ({ ...plan, steps: plan.steps.filter(({ index }) => index === null) }),
  },
  {
    rule: "index-promoted-before-open",
    how: "promoted after traffic",
    spoil: move("promote-index", "confirm-acknowledged"),
  },
  {
    rule: "index-follows-traffic",
    how: "promoted elsewhere",
    spoil: change("promote-index", { regions: ["ap-south"] }),
  },
  {
    rule: "freezes-leaving-owner",
    how: "another region is frozen",
    spoil: change("freeze-index", { regions: ["us-east"] }),
    planned: true,
  },
  {
    rule: "drained-in-order",
    how: "not frozen",
    spoil: without("freeze-index", "*"),
    planned: true,
  },
  {
    rule: "drained-in-order",
    how: "not caught up",
    spoil: without("catch-up-index", "*"),
    planned: true,
  },
  {
    rule: "drained-in-order",
    how: "caught up before the freeze",
    spoil: move("catch-up-index", "freeze-index"),
    planned: true,
  },
  {
    rule: "reproven-after-catch-up",
    how: "not proven again",
    spoil: without("prove-readiness", "reprove-readiness"),
    planned: true,
  },
];

for (const { rule, how, spoil, context, planned } of SPOILINGS) {
  test(`${rule}: ${how}`, () => {
    const kinds = planned ? (["switchover"] as const) : (["failover", "switchover"] as const);
    for (const kind of kinds) {
      const input = inputWith({ decision: decision(kind, ["eu-west"], ["us-east"]) });
      const found = lint(spoil(planFor(input)), contextOf(input, context));
      assert.deepEqual([...new Set(found.map((finding) => finding.rule))], [rule], kind);
      assert.ok(
        found.every(({ message }) => message.length > 10 && !message.includes("undefined")),
      );
    }
  });
}

test("the list is closed: every rule has a spoiling that it alone finds", () => {
  const rules = RULES.map(({ rule }) => rule);
  assert.equal(new Set(rules).size, rules.length);
  assert.deepEqual(new Set(SPOILINGS.map(({ rule }) => rule)), new Set(rules));
});

test("a failover that freezes a dead region is found out", () => {
  const planned = inputWith({ decision: decision("switchover", ["eu-west"], ["us-east"]) });
  const plan = decide({ kind: "failover" })(planFor(planned));
  const found = lint(plan, contextOf(planned, { failed: ["eu-west"] }));
  assert.deepEqual(
    found.map(({ rule }) => rule),
    ["drained-region-lives"],
  );
});

test("any two steps swapped are found out, unless they only ask or are independent", () => {
  const input = inputWith({ decision: decision("switchover", ["eu-west"], ["us-east"]) });
  const plan = planFor(input);
  for (let at = 0; at + 1 < plan.steps.length; at += 1) {
    const steps = [...plan.steps];
    const [one, two] = steps.splice(at, 2);
    assert.ok(one && two);
    steps.splice(at, 0, two, one);
    const found = lint({ ...plan, steps }, contextOf(input));
    assert.ok(found.length > 0, `${one.id} and ${two.id} swapped`);
  }
});
