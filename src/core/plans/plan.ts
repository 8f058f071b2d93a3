import { TideoverError } from "../../lib/errors.ts";
import type { Ownership } from "../../model/intent.ts";
import type { Plan, Step } from "../../model/plan.ts";
import { leavesWhole, type PlanInput } from "./input.ts";
import {
  announce,
  catchUpIndex,
  confirmAcknowledged,
  freezeIndex,
  openTraffic,
  promoteIndex,
  proveReadiness,
  proveTraffic,
  reproveReadiness,
  takeOwnership,
} from "./steps.ts";

export type { PlanInput } from "./input.ts";

/**
 * The plan that carries out a move. The same input gives the same plan, so the runbook can print
 * what the controller would run. Throws PLAN_INVALID for a decision that moves nothing.
 *
 * Safety argument, in the order of the steps (lint/ checks each of these again, independently):
 * nothing is changed before the region that takes over is proven; nothing is changed before the
 * epoch is raised, so that an older actor cannot undo it; state moves before traffic; traffic is
 * opened once, to proven regions only; and nobody is told before it is proven to work.
 */
export function planFor(input: PlanInput): Plan {
  const { decision, intent } = input;
  const steps = stepsOf(input);
  return {
    id: input.id,
    parent: input.parent,
    decision,
    workflow: decision.workflow,
    epoch: intent.epoch + 1,
    release: input.release,
    steps,
    createdAt: input.now,
  };
}

function stepsOf(input: PlanInput): Step[] {
  const { kind, to } = input.decision;
  if (to.length === 0) throw invalid(input, "names no region that shall serve");
  if (kind === "failover" && !leavesWhole(input.decision)) return failoverSteps(input);
  if (kind === "failover" || kind === "switchover" || kind === "failback") {
    return plannedSteps(input);
  }
  throw invalid(input, "moves nothing");
}

/** The old region is given up: what it did not ship is lost, within the rpo. */
function failoverSteps(input: PlanInput): Step[] {
  const index = leavingIndex(input);
  return [
    proveReadiness(input),
    takeOwnership(input),
    ...(index === null ? [] : [promoteIndex(input, index)]),
    ...opening(input),
  ];
}

/** Both sides live: the index is drained first, so that nothing is lost. */
function plannedSteps(input: PlanInput): Step[] {
  const index = leavingIndex(input);
  return [
    proveReadiness(input),
    takeOwnership(input),
    ...(index === null ? [] : drain(input, index)),
    ...opening(input),
  ];
}

function drain(input: PlanInput, index: Ownership): Step[] {
  return [
    freezeIndex(input, index),
    catchUpIndex(input, index),
    reproveReadiness(input),
    promoteIndex(input, index),
  ];
}

function opening(input: PlanInput): Step[] {
  return [openTraffic(input), confirmAcknowledged(input), proveTraffic(input), announce(input)];
}

/** The workflow's retrieval index, when the region that writes it is one of those that leave. */
function leavingIndex({ decision, spec, ownerships }: PlanInput): Ownership | null {
  const owned = ownerships.find(({ index }) => index === spec.retrieval?.index);
  return owned !== undefined && decision.from.includes(owned.region) ? owned : null;
}

function invalid({ decision, id }: PlanInput, why: string): TideoverError {
  return new TideoverError(
    `plan ${id}: the decision \`${decision.kind}\` of ${decision.workflow} ${why}`,
    {
      code: "PLAN_INVALID",
      next: "Make plans of a failover, a switchover or a failback only.",
    },
  );
}
