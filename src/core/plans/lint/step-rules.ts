import type { Plan, Step } from "../../../model/plan.ts";
import { unless } from "./rule.ts";

/** Rules about each step by itself, whatever the plan is for. */
export const STEP_RULES: readonly {
  readonly rule: string;
  readonly check: (plan: Plan) => string[];
}[] = [
  {
    // The journal finds a step by its id after a crash.
    rule: "step-ids-unique",
    check: ({ steps }) => {
      const ids = steps.map(({ id }) => id);
      const doubled = ids.filter((id, at) => ids.indexOf(id) !== at);
      return [...new Set(doubled)].map((id) => `more than one step is called ${id}`);
    },
  },
  {
    rule: "step-acts-somewhere",
    check: eachStep(({ regions }) => regions.length > 0, "names no region to act on"),
  },
  {
    // A step without a way back must say so and why: `none` with the reason is an answer.
    rule: "step-undo-stated",
    check: eachStep(({ undo }) => undo.trim() !== "", "does not say what puts it back"),
  },
  {
    rule: "step-sentences-stated",
    check: eachStep(
      ({ precondition, effect, proof }) =>
        [precondition, effect, proof].every((sentence) => sentence.trim() !== ""),
      "does not say its precondition, its effect and its proof",
    ),
  },
  {
    // A step that may wait for ever holds its workflow for ever.
    rule: "step-deadline-positive",
    check: eachStep(
      ({ deadlineMs }) => Number.isFinite(deadlineMs) && deadlineMs > 0,
      "has no deadline",
    ),
  },
];

function eachStep(holds: (step: Step) => boolean, complaint: string): (plan: Plan) => string[] {
  return ({ steps }) =>
    steps.flatMap((step) => unless(holds(step), `step ${step.id} ${complaint}`));
}
