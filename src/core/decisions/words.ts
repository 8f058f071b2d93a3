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

/** Why what a person asked for is refused, in a sentence of its own. */
export function refusedBecause(asked: string, why: string): string {
  return `${asked} is refused: ${why}`;
}

/** The reason alone, for whoever says himself that it is refused, and what. */
export function whyRefused({ because, refused }: Pick<Decision, "because" | "refused">): string {
  const said = refused.find(({ alternative, why }) => because === refusedBecause(alternative, why));
  return said?.why ?? because;
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
