import type { WorkflowSpec } from "../../model/spec.ts";
import type { Verdict } from "../../model/verdict.ts";
import type { DecisionInput } from "./input.ts";

/** What the verdicts on indexes mean for one workflow. */

type About = Pick<DecisionInput, "spec" | "verdicts">;

/** Whether the workflow is of use only with its index. */
export function needsIndex({ retrieval, optional }: WorkflowSpec): boolean {
  return retrieval?.required === true && !optional.includes("index");
}

/**
 * Why the workflow cannot be answered from this region's copy of its index; null when it can be, or
 * when it can do without. Only `failed` counts: a copy in doubt is looked at first.
 */
export function damageOf(about: About, region: string): string | null {
  if (!needsIndex(about.spec)) return null;
  const found = corruptionOf(about, region);
  return found?.health === "failed" ? found.because : null;
}

export function isDamaged(about: About, region: string): boolean {
  return damageOf(about, region) !== null;
}

export function damageReason(about: About, damaged: readonly string[]): string {
  const why = damaged.map((region) => damageOf(about, region) ?? region).join(", ");
  return `index corruption: ${why}`;
}

/** What is wrong with the index and moves nothing, as clauses for the sentence of a decision at rest. */
export function indexTroubles(input: DecisionInput): string[] {
  const { intent, spec, verdicts } = input;
  const index = spec.retrieval?.index;
  if (index === undefined) return [];
  const doubts = intent.serving.flatMap((region) => {
    const found = corruptionOf(input, region);
    if (found === undefined) return [];
    if (found.health === "failed") return [`${found.because}: ${goesOn(input)}`];
    return found.health === "degraded"
      ? [`a copy is in doubt, and looked at: ${found.because}`]
      : [];
  });
  const stale = verdicts
    .filter((one) => one.domain === "stale-data" && one.index === index && isIll(one))
    .map(({ because }) => `${because}, so that ${STALE_CURES[staleOf(spec)]}, and nothing moves`);
  return [...doubts, ...stale];
}

const STALE_CURES = {
  label: "answers say how old their documents are",
  "no-retrieval": "answers are given without documents",
  refuse: "requests are refused",
} as const;

function staleOf({ retrieval }: WorkflowSpec) {
  return retrieval?.stale ?? "label";
}

function goesOn({ workflow }: DecisionInput): string {
  return `${workflow} goes on without documents there, which is no reason to move it`;
}

function isIll({ health }: Verdict): boolean {
  return health === "degraded" || health === "failed";
}

function corruptionOf({ spec, verdicts }: About, region: string): Verdict | undefined {
  return verdicts.find(
    (one) =>
      one.domain === "index-corruption" &&
      one.region === region &&
      one.index === spec.retrieval?.index,
  );
}
