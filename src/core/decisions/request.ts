import type { Decision } from "../../model/decision.ts";
import type { FailureDomain } from "../../model/domain.ts";
import type { OperatorRequest } from "../../model/request.ts";
import { capacityReason, hasLostCapacity } from "./capacity.ts";
import { failoverFrom, outageOf } from "./failover.ts";
import { dependencyVeto } from "./faults.ts";
import type { DecisionInput } from "./input.ts";
import { candidatesOf, healthOf, isFailed, objectionTo, sorted, whyHealth } from "./regions.ts";
import { hold, list, refusedBecause, serve } from "./words.ts";

/**
 * What a person asked for: the move, or a hold that says what stands against it.
 *
 * A person may declare a disaster that no verdict confirms, and need not wait for a cool-down. What
 * nobody can order is a move to a region that has failed or is known to be unready, to a region
 * that the workflow does not name, or ahead of what the workflow depends on.
 */
export function answerRequest(input: DecisionInput, request: OperatorRequest): Decision {
  const asked = `${request.kind} of ${input.workflow} asked by ${request.by}`;
  const objection = unknownTarget(input, request) ?? dependencyVeto(input);
  if (objection !== null) return refusal(input, asked, objection);
  return request.kind === "failover"
    ? declared(input, request, asked)
    : planned(input, request, asked);
}

function refusal(input: DecisionInput, asked: string, why: string): Decision {
  return hold(input, refusedBecause(asked, why), { refused: [{ alternative: asked, why }] });
}

function unknownTarget(input: DecisionInput, { to }: OperatorRequest): string | null {
  const candidates = candidatesOf(input);
  if (to === null || candidates.includes(to)) return null;
  return `${to} is no region of ${input.workflow}; it may be served by ${list(candidates)}`;
}

/** An unplanned move declared by a person: of what failed, else out of whatever serves. */
function declared(input: DecisionInput, request: OperatorRequest, asked: string): Decision {
  if (request.to !== null) return declaredTo(input, request.to, asked);
  const { serving } = input.intent;
  const failed = serving.filter((region) => isFailed(input, region));
  if (failed.length > 0) return failoverFrom(input, failed, `${asked}: ${outageOf(input, failed)}`);
  const lost = serving.filter((region) => hasLostCapacity(input, region));
  if (lost.length > 0) {
    const reason = `${asked}: ${capacityReason(input, lost)}`;
    return failoverFrom(input, lost, reason, "capacity-loss");
  }
  // Which of several living regions is meant is not the controller's to guess.
  if (serving.length > 1) {
    const why = `${serve(serving)} and none of them has failed; name the region that shall serve`;
    return refusal(input, asked, why);
  }
  return failoverFrom(input, serving, `${asked}: ${list(serving)} is declared failed`);
}

function declaredTo(input: DecisionInput, to: string, asked: string): Decision {
  const from = input.intent.serving.filter((region) => region !== to);
  if (from.length === 0) return refusal(input, asked, `${to} serves ${input.workflow} already`);
  const objection = objectionTo(input, to);
  if (objection !== null) return refusal(input, asked, objection);
  const { reason, domain } = whatFailed(input, from);
  return {
    kind: "failover",
    workflow: input.workflow,
    domain,
    from,
    to: [to],
    because: `${asked}: ${reason}; ${to} was named`,
    refused: [],
  };
}

function whatFailed(
  input: DecisionInput,
  from: readonly string[],
): { readonly reason: string; readonly domain: FailureDomain } {
  const failed = from.filter((region) => isFailed(input, region));
  if (failed.length > 0) return { reason: outageOf(input, failed), domain: "region-outage" };
  if (from.every((region) => hasLostCapacity(input, region))) {
    return { reason: capacityReason(input, from), domain: "capacity-loss" };
  }
  return { reason: `${list(from)} is declared failed`, domain: "region-outage" };
}

/** A planned move: nothing is lost, so the regions that are left must live to be drained. */
function planned(input: DecisionInput, request: OperatorRequest, asked: string): Decision {
  const target = request.to ?? defaultTarget(input, request);
  if (target === null) return refusal(input, asked, noTarget(input));
  const { to, from } = plannedRegions(input, target);
  const objection =
    alreadyServing(input, target) ??
    objectionTo(input, target) ??
    sourceObjection(input, from, to) ??
    sorted(input, to).refused[0]?.why ??
    null;
  if (objection !== null) return refusal(input, asked, objection);
  return {
    kind: target === input.spec.primary ? "failback" : "switchover",
    workflow: input.workflow,
    domain: null,
    from,
    to,
    because: `${asked}: ${from.length === 0 ? `${target} joins ${list(input.intent.serving)}` : `${target} takes over from ${list(from)}`}`,
    refused: [],
  };
}

function defaultTarget(input: DecisionInput, { kind }: OperatorRequest): string | null {
  if (kind === "failback") return input.spec.primary;
  return sorted(input, others(input)).open[0] ?? null;
}

function others(input: DecisionInput): string[] {
  return candidatesOf(input).filter((region) => !input.intent.serving.includes(region));
}

function noTarget(input: DecisionInput): string {
  const reasons = sorted(input, others(input)).refused.map(({ why }) => why);
  return reasons.length > 0 ? reasons.join("; ") : `${input.workflow} has no other region`;
}

/**
 * Active-passive: one region takes over from the others. Active-active: a region that left comes
 * back beside those that serve, in the spec's order; it would be no recovery to send them away.
 */
function plannedRegions(input: DecisionInput, target: string) {
  const { serving } = input.intent;
  if (input.spec.pattern === "active-passive") {
    return { to: [target], from: serving.filter((region) => region !== target) };
  }
  const together = candidatesOf(input).filter(
    (region) => region === target || serving.includes(region),
  );
  return { to: together, from: [] as string[] };
}

function alreadyServing({ intent, workflow }: DecisionInput, target: string): string | null {
  return intent.serving.includes(target) ? `${target} serves ${workflow} already` : null;
}

/** Draining asks the old region to stop writing and to hand over its last change: it must live. */
function sourceObjection(
  input: DecisionInput,
  from: readonly string[],
  to: readonly string[],
): string | null {
  const staying = to.filter((region) => input.intent.serving.includes(region));
  const absent = [...from, ...staying].find((region) =>
    ["failed", "unknown"].includes(healthOf(input, region)),
  );
  if (absent === undefined) return null;
  return `a planned move needs ${absent}, which serves now, alive, but its state is ${healthOf(input, absent)} (${whyHealth(input, absent)}): use \`tideover failover ${input.workflow}\` if it is lost`;
}
