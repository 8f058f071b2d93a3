import { TideoverError } from "../../lib/errors.ts";
import type { Plan, Step } from "../../model/plan.ts";
import type { ReleasePlanInput } from "./release-input.ts";
import {
  activateRelease,
  bakeRelease,
  confirmRelease,
  prefetchRelease,
  proveRelease,
  recordRelease,
  takeRelease,
  verifyRelease,
} from "./release-steps.ts";

/**
 * The plan that activates a release, or rolls one back. The same input gives the same plan. Throws
 * PLAN_INVALID for a decision that does neither.
 *
 * Safety argument of an activation, in the order of its steps (lint/release-rules.ts checks each of
 * them again, independently): nothing is changed before every region has the release and has
 * verified it by itself; nothing is changed before the epoch is raised; one region is changed at a
 * time, acknowledged by every gateway, proven by a canary and baked before the next; and it is a
 * good one only when all of that is done. Until then it is put back, whole.
 *
 * A rollback asks nobody for anything: every region has the last good release at hand. It changes
 * all regions in one write, and is never put back itself.
 */
export function releasePlanFor(input: ReleasePlanInput): Plan {
  const { decision, intent, id, parent, now } = input;
  const release = releaseIn(input);
  return {
    id,
    parent,
    decision,
    workflow: decision.workflow,
    epoch: intent.epoch + 1,
    release,
    steps: stepsOf(input),
    createdAt: now,
  };
}

function stepsOf(input: ReleasePlanInput): Step[] {
  const { kind, to } = input.decision;
  if (to.length === 0) throw invalid(input, "names no region");
  if (kind === "activate") return activationSteps(input);
  if (kind === "rollback") return rollbackSteps(input);
  throw invalid(input, "changes no release");
}

function activationSteps(input: ReleasePlanInput): Step[] {
  return [
    prefetchRelease(input),
    verifyRelease(input),
    takeRelease(input),
    ...input.decision.to.flatMap((region) => [
      activateRelease(input, [region], `-${region}`),
      confirmRelease(input, `-${region}`),
      proveRelease(input, [region], `-${region}`),
      bakeRelease(input, region),
    ]),
    recordRelease(input),
  ];
}

function rollbackSteps(input: ReleasePlanInput): Step[] {
  const { to } = input.decision;
  return [
    takeRelease(input),
    activateRelease(input, to, ""),
    confirmRelease(input, ""),
    proveRelease(input, to, ""),
    recordRelease(input),
  ];
}

function releaseIn(input: ReleasePlanInput): string {
  const { release } = input.decision;
  if (release === undefined) throw invalid(input, "names no release");
  return release;
}

function invalid({ decision, id }: ReleasePlanInput, why: string): TideoverError {
  return new TideoverError(`plan ${id}: the decision \`${decision.kind}\` ${why}`, {
    code: "PLAN_INVALID",
    next: "Make release plans of an activation or a rollback only.",
  });
}
