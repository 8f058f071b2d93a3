import type { Step, StepKind } from "../../model/plan.ts";
import { lastGood } from "../../model/release-intent.ts";
import { formatDuration } from "../../model/units.ts";
import type { ReleasePlanInput } from "./release-input.ts";

/** A release plan's steps, one function a kind, with their sentences for 3 a.m. */

/**
 * Shortest deadlines, in ms. Prefetching moves weights of many gigabytes. Activating waits for a
 * failover that has precedence, and for the operator who may have to decide it.
 */
const LEAST_DEADLINE_MS: Readonly<Partial<Record<StepKind, number>>> = {
  "prefetch-release": 6 * 3_600_000,
  "verify-release": 600_000,
  "activate-release": 600_000,
  "prove-release": 30_000,
};
const USUAL_DEADLINE_MS = 15_000;
/** A step asks several things in turn; each may take a probe's whole time-out. */
const PROBES_PER_STEP = 10;
/** See ReleasePlanInput. */
const PAUSE_MS = 3_600_000;

type Sentences = Pick<Step, "precondition" | "effect" | "proof" | "undo">;

export function prefetchRelease(input: ReleasePlanInput): Step {
  const { to } = input.decision;
  return step(input, "prefetch-release", to, "", {
    precondition: `The agents of ${names(to)} answer, and the release can be had from where artifacts are kept.`,
    effect: `${names(to)} ${to.length === 1 ? "copies what it lacks" : "copy what they lack"} of ${short(input)}; what is there stays.`,
    proof: `The agents of ${names(to)} say that the release is there, whole.`,
    undo: "none: a copy that nobody serves from harms nobody",
  });
}

export function verifyRelease(input: ReleasePlanInput): Step {
  const { to } = input.decision;
  return step(input, "verify-release", to, "", {
    precondition: `${names(to)} ${to.length === 1 ? "has" : "have"} the release at hand.`,
    effect: "None: it only looks.",
    proof: `Each agent of ${names(to)} has verified by itself, with its region's own trust root, that the signature and every digest of ${short(input)} hold.`,
    undo: "none: nothing was changed",
  });
}

export function takeRelease(input: ReleasePlanInput): Step {
  const { to } = input.decision;
  const { epoch } = input.intent;
  return step(input, "take-release", to, "", {
    precondition: `The release is at epoch ${epoch} and held by this plan alone.`,
    effect: `Raise the release's epoch from ${epoch} to ${epoch + 1}; whoever acts under ${epoch} is refused from here on.`,
    proof: `The store says that the release is at epoch ${epoch + 1}.`,
    undo: `Let go of the release. The epoch stays ${epoch + 1}: somebody may have seen it.`,
  });
}

export function activateRelease(
  input: ReleasePlanInput,
  regions: readonly string[],
  suffix: string,
): Step {
  const rollback = input.decision.kind === "rollback";
  return step(input, "activate-release", regions, suffix, {
    precondition: rollback
      ? `The release is at epoch ${input.intent.epoch + 1}. Nobody need be asked: every region has it at hand.`
      : `No workflow is moving, and no failed region serves one: a failover goes first.`,
    effect: `Publish a snapshot in which ${served(input, regions)}.`,
    proof: `The store's newest snapshot says that ${served(input, regions)} under epoch ${input.intent.epoch + 1}.`,
    undo: rollback
      ? "none: what was left is bad; another release is another activation"
      : `Publish a snapshot in which every region serves ${lastGood(input.intent).slice(0, 19)} again, all at once.`,
  });
}

export function confirmRelease(input: ReleasePlanInput, suffix: string): Step {
  const { to } = input.decision;
  return step(input, "confirm-acknowledged", to, suffix, {
    precondition: "The snapshot is published.",
    effect: `Offer the snapshot to the gateways of ${names(to)} until each has it.`,
    proof: `Every gateway of ${names(to)} that is alive says which number it serves, and since when: this snapshot's or a newer one's.`,
    undo: "none: an acknowledgement changes nothing",
  });
}

export function proveRelease(
  input: ReleasePlanInput,
  regions: readonly string[],
  suffix: string,
): Step {
  return step(input, "prove-release", regions, suffix, {
    precondition: "Every living gateway serves the snapshot.",
    effect: "None: it asks as a caller would.",
    proof: `A canary for each workflow is answered by ${names(regions)} with release ${short(input)}.`,
    undo: "none: nothing was changed",
  });
}

export function bakeRelease(input: ReleasePlanInput, region: string): Step {
  const { bakeMs, pauseMs = PAUSE_MS } = input;
  const made = step(input, "bake-release", [region], `-${region}`, {
    precondition: `${region} answers with ${short(input)}.`,
    effect: `None: watch ${region} for ${formatDuration(bakeMs)}.`,
    proof: `For ${formatDuration(bakeMs)} nobody found ${short(input)} to be bad, and its canary analysis passed; or a person said to go on.`,
    undo: "none: nothing was changed",
  });
  return { ...made, waitMs: bakeMs, deadlineMs: Math.max(made.deadlineMs, bakeMs + pauseMs) };
}

export function recordRelease(input: ReleasePlanInput): Step {
  return step(input, "record-release", input.decision.to, "", {
    precondition: `Every living region answers with ${short(input)}.`,
    effect: `Write down that ${short(input)} is the last good release.`,
    proof: "The store says so.",
    undo: "none: it is written last, when all else is proven",
  });
}

function step(
  input: ReleasePlanInput,
  kind: StepKind,
  regions: readonly string[],
  suffix: string,
  sentences: Sentences,
): Step {
  const probing = PROBES_PER_STEP * input.detection.timeout;
  return {
    id: `${kind}${suffix}`,
    kind,
    regions: [...regions],
    index: null,
    ...sentences,
    deadlineMs: Math.max(LEAST_DEADLINE_MS[kind] ?? USUAL_DEADLINE_MS, probing),
  };
}

function served(input: ReleasePlanInput, regions: readonly string[]): string {
  return `${names(regions)} ${regions.length === 1 ? "serves" : "serve"} ${short(input)}`;
}

function short({ decision }: ReleasePlanInput): string {
  return (decision.release ?? "").slice(0, 19);
}

function names(regions: readonly string[]): string {
  const last = regions.at(-1);
  if (regions.length <= 1 || last === undefined) return regions.join("");
  return `${regions.slice(0, -1).join(", ")} and ${last}`;
}
