import type { Decision } from "../../model/decision.ts";
import type { FailureDomain } from "../../model/domain.ts";
import type { DecisionInput } from "./input.ts";

export type Refusal = Decision["refused"][number];

/** Nothing is done, and why. */
export function hold(
  input: DecisionInput,
  because: string,
  more: { readonly domain?: FailureDomain; readonly refused?: readonly Refusal[] } = {},
): Decision {
  return {
    kind: "hold",
    workflow: input.workflow,
    domain: more.domain ?? null,
    from: [],
    to: [],
    because,
    refused: [...(more.refused ?? [])],
  };
}

/** `failover from eu-west to us-east`, for the list of what was refused. */
export function described({ kind, from, to }: Pick<Decision, "kind" | "from" | "to">): string {
  const source = from.length === 0 ? "" : ` from ${list(from)}`;
  return `${kind}${source} to ${list(to)}`;
}

export function list(words: readonly string[]): string {
  const last = words.at(-1);
  if (words.length <= 1 || last === undefined) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${last}`;
}

export function serve(regions: readonly string[]): string {
  return `${list(regions)} ${regions.length === 1 ? "serves" : "serve"}`;
}
