import type { Decision } from "../../model/decision.ts";
import type { FailureDomain } from "../../model/domain.ts";
import { capacityReason, hasLostCapacity } from "./capacity.ts";
import { damageReason, isDamaged } from "./damage.ts";
import type { DecisionInput } from "./input.ts";
import { candidatesOf, isFailed, sorted, whyHealth } from "./regions.ts";
import { hold, list } from "./words.ts";

/**
 * The move out of `leaving`, or a hold when there is nowhere to go.
 *
 * Safety argument. `to` is never empty, never holds a failed region, nor one that is known to be
 * unready: it is made only from regions without objection, and a hold is the answer when there are
 * none. Whoever serves already is preferred, so that an active-active workflow keeps its living
 * regions and no traffic moves that need not; only when none of them is left is another region
 * opened, the spec's first. A region that serves but is known to be unready leaves as well: it
 * would go on giving wrong answers under a new plan's name.
 */
export function failoverFrom(
  input: DecisionInput,
  leaving: readonly string[],
  reason: string,
  domain: FailureDomain = "region-outage",
): Decision {
  const all = candidatesOf(input);
  const candidates = all.filter((region) => !leaving.includes(region));
  if (all.every((region) => isFailed(input, region))) {
    return hold(input, everythingFailed(all), { domain });
  }
  if (all.every((region) => isDamaged(input, region))) {
    return hold(input, everythingDamaged(input, all), { domain });
  }
  if (all.every((region) => hasLostCapacity(input, region))) {
    return hold(input, everythingWithoutModels(input, all), { domain });
  }
  const { open, refused } = sorted(input, candidates);
  const to = stayOrTakeOver(input, open);
  const refusals = refused.map(({ region, why }) => ({
    alternative: `failover to ${region}`,
    why,
  }));
  if (to.length === 0) {
    return hold(input, nowhereToGo(input, leaving, refused), {
      domain,
      refused: refusals,
    });
  }
  return {
    kind: "failover",
    workflow: input.workflow,
    domain,
    from: input.intent.serving.filter((region) => !to.includes(region)),
    to,
    because: `${reason}; ${chosen(input, to)}`,
    refused: refusals,
  };
}

function stayOrTakeOver({ intent, spec }: DecisionInput, open: readonly string[]): string[] {
  const staying = intent.serving.filter((region) => open.includes(region));
  if (staying.length === 0) return open.slice(0, 1);
  return spec.pattern === "active-active" ? staying : staying.slice(0, 1);
}

function chosen(input: DecisionInput, to: readonly string[]): string {
  if (to.every((region) => input.intent.serving.includes(region))) {
    return `${list(to)} ${to.length === 1 ? "stays" : "stay"}`;
  }
  const judged = to.every((region) => input.readiness.some((one) => one.region === region));
  return judged
    ? `${list(to)} is the first region that is ready`
    : `${list(to)} is the first region that nothing speaks against`;
}

function everythingFailed(candidates: readonly string[]): string {
  return candidates.length === 1
    ? `${candidates[0]} has failed and no other region may serve: nobody evacuates to nowhere`
    : `${list(candidates)} all look failed: if every region is bad, nobody evacuates`;
}

/** What is bad everywhere came from one source, and moving traffic to another bad copy cures nothing. */
function everythingDamaged(input: DecisionInput, all: readonly string[]): string {
  const index = input.spec.retrieval?.index ?? "the index";
  return `every copy of ${index} is bad, so that no move cures it: restore ${index} from a snapshot, or build it anew (${damageReason(input, all)})`;
}

function everythingWithoutModels(input: DecisionInput, all: readonly string[]): string {
  return `no region that may serve ${input.workflow} has a model that answers, so that no move cures it (${capacityReason(input, all)})`;
}

function nowhereToGo(
  input: DecisionInput,
  leaving: readonly string[],
  refused: readonly { region: string; why: string }[],
): string {
  const why = refused.map((one) => one.why).join("; ");
  const none = why === "" ? `no other region may serve ${input.workflow}` : why;
  return `${list(leaving)} cannot be left: ${none}`;
}

export function outageOf(input: DecisionInput, failed: readonly string[]): string {
  return `region outage of ${failed.map((region) => `${region} (${whyHealth(input, region)})`).join(", ")}`;
}
