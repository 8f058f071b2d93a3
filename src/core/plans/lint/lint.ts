import type { Plan } from "../../../model/plan.ts";
import { INDEX_RULES } from "./index-rules.ts";
import { MOVE_RULES } from "./move-rules.ts";
import { ORDER_RULES } from "./order-rules.ts";
import type { Finding, LintContext, Rule } from "./rule.ts";
import { STEP_RULES } from "./step-rules.ts";

export type { Finding, LintContext } from "./rule.ts";

/** All that can be wrong with a plan. Closed: a plan that passes these is run without a thought. */
export const RULES: readonly Rule[] = [
  ...MOVE_RULES,
  ...STEP_RULES,
  ...ORDER_RULES,
  ...INDEX_RULES,
];

/**
 * What is wrong with a plan, in the light of what is true now; empty when it may run. Independent of
 * the planner on purpose (it shares no code with it), so that one mistake is not made twice.
 */
export function lint(plan: Plan, context: LintContext): Finding[] {
  return RULES.flatMap(({ rule, check }) =>
    check(plan, context).map((message) => ({ rule, message })),
  );
}
