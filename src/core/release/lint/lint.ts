import { contextBudget } from "./context-budget.ts";
import { declaredVariables } from "./declared-variables.ts";
import { doubledContent } from "./doubled-content.ts";
import { indexEmbedding } from "./index-embedding.ts";
import { references } from "./references.ts";
import type { LintInput, ReleaseFinding, ReleaseRule } from "./rule.ts";
import { sizeDelta } from "./size-delta.ts";

/** What a release may not be, beyond the shape of its files. A new rule is a file and a line here. */
const RULES: readonly ReleaseRule[] = [
  declaredVariables,
  contextBudget,
  doubledContent,
  references,
  indexEmbedding,
  sizeDelta,
];

/** Everything that is wrong with a release, by all rules. Empty: it may be built and signed. */
export function lintRelease(input: LintInput): ReleaseFinding[] {
  return RULES.flatMap((rule) => rule(input));
}
