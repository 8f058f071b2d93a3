import type { Decision } from "../../model/decision.ts";
import type { FailureDomain } from "../../model/domain.ts";
import { formatDuration } from "../../model/units.ts";
import { capacityReason, capacityTroubles, hasLostCapacity } from "./capacity.ts";
import { damageReason, indexTroubles, isDamaged } from "./damage.ts";
import { failoverFrom, outageOf } from "./failover.ts";
import type { DecisionInput } from "./input.ts";
import { healthOf, isFailed, whyHealth } from "./regions.ts";
import { described, hold, list, serve } from "./words.ts";

/**
 * What the controller does by itself: a failover out of regions that have failed, whose models answer
 * nobody, or that cannot answer the workflow from their copy of its index, if the spec lets it. All
 * are left in one move: a cure of one of them that opened the other would be none.
 */
export function answerFaults(input: DecisionInput): Decision {
  const { serving } = input.intent;
  const failed = serving.filter((region) => isFailed(input, region));
  const alive = serving.filter((region) => !failed.includes(region));
  const damaged = alive.filter((region) => isDamaged(input, region));
  const lost = alive.filter(
    (region) => !damaged.includes(region) && hasLostCapacity(input, region),
  );
  const leaving = [...failed, ...damaged, ...lost];
  const domain = domainOf(failed, damaged);
  if (leaving.length === 0) return hold(input, atRest(input));
  const reason = [
    ...(failed.length > 0 ? [outageOf(input, failed)] : []),
    ...(damaged.length > 0 ? [damageReason(input, damaged)] : []),
    ...(lost.length > 0 ? [capacityReason(input, lost)] : []),
  ].join("; ");
  const move = failoverFrom(input, leaving, reason, domain);
  if (move.kind === "hold") return move;
  const veto = vetoOf(input, domain);
  if (veto === null) return move;
  return hold(input, `${reason}: ${veto}`, {
    domain,
    refused: [{ alternative: described(move), why: veto }, ...move.refused],
  });
}

/**
 * The domain that decides how the move is made: of a dead region nothing can be fetched, from a bad
 * copy nothing may be; a region that only lost its models gives its index away whole.
 */
function domainOf(failed: readonly string[], damaged: readonly string[]): FailureDomain {
  if (failed.length > 0) return "region-outage";
  return damaged.length > 0 ? "index-corruption" : "capacity-loss";
}

/** Who may move this workflow now, and when: the first reason against it; null when there is none. */
function vetoOf(input: DecisionInput, domain: FailureDomain): string | null {
  const { spec, workflow } = input;
  const { declare } = spec;
  if (!declare.signals.includes(domain)) {
    return `declare.signals of ${workflow} does not list ${domain}`;
  }
  // Before the person: what a person could not order either should not look like their turn.
  const dependency = dependencyVeto(input);
  if (dependency !== null) return dependency;
  if (declare.by === "person") {
    return `wait for ${declare.who}: run \`tideover failover ${workflow}\``;
  }
  return cooldownVeto(input);
}

/** Moving before what it depends on would open a workflow that cannot answer. */
export function dependencyVeto({ workflow, unsettledDependencies }: DecisionInput): string | null {
  if (unsettledDependencies.length === 0) return null;
  const verb = unsettledDependencies.length === 1 ? "has" : "have";
  return `${workflow} depends on ${list(unsettledDependencies)}, which ${verb} not settled`;
}

/** Two unplanned moves in a row are more likely to be a flapping observer than two disasters. */
function cooldownVeto({ sinceLastMoveMs, cooldownMs }: DecisionInput): string | null {
  if (sinceLastMoveMs === null || sinceLastMoveMs >= cooldownMs) return null;
  const left = formatDuration(cooldownMs - sinceLastMoveMs);
  return `the last unplanned move ended ${formatDuration(sinceLastMoveMs)} ago, and the next may start in ${left}`;
}

function atRest(input: DecisionInput): string {
  const { serving } = input.intent;
  const troubled = serving.filter((region) => healthOf(input, region) !== "healthy");
  const are = serving.length === 1 ? "is" : "are";
  const troubles = [
    ...troubled.map((region) => trouble(input, region)),
    ...capacityTroubles(input),
    ...indexTroubles(input),
  ];
  if (troubles.length === 0) return `${serve(serving)} and ${are} healthy`;
  return `${serve(serving)}, and ${troubles.join("; ")}`;
}

function trouble(input: DecisionInput, region: string): string {
  const why = whyHealth(input, region);
  return healthOf(input, region) === "unknown"
    ? `the state of ${region} is unknown, which is no reason to move: ${why}`
    : `${region} is degraded: ${why}`;
}
