import type { Ownership } from "../../model/intent.ts";
import type { Step, StepKind } from "../../model/plan.ts";
import { formatDuration } from "../../model/units.ts";
import { leavesWhole, type PlanInput } from "./input.ts";

/** A plan's steps, one function a kind: what it acts on, and its sentences for 3 a.m. */

/**
 * Shortest deadlines, in ms. Generous on purpose: a step that cannot be proven in its time undoes
 * the plan, and a slow recovery is better than none. Moving records takes longest.
 */
const LEAST_DEADLINE_MS: Readonly<Partial<Record<StepKind, number>>> = {
  "prove-readiness": 30_000,
  "take-ownership": 10_000,
  "freeze-index": 10_000,
  "catch-up-index": 60_000,
  "promote-index": 15_000,
  "open-traffic": 10_000,
  "confirm-acknowledged": 15_000,
  "prove-traffic": 15_000,
  announce: 10_000,
};
const USUAL_DEADLINE_MS = 15_000;
/** A step asks several things in turn; each may take a probe's whole time-out. */
const PROBES_PER_STEP = 10;

type Sentences = Pick<Step, "precondition" | "effect" | "proof" | "undo">;

export function proveReadiness(input: PlanInput, id = "prove-readiness"): Step {
  const { to, workflow } = input.decision;
  return step(
    input,
    "prove-readiness",
    { id, regions: to },
    {
      precondition: `${names(to)} can be asked through the data path.`,
      effect: "None: it only asks.",
      proof: `Every required check of ${workflow} passes in ${names(to)}: model, release ${input.release}, index, tenants, audit, rate limit, golden questions.`,
      undo: "none: nothing was changed",
    },
  );
}

/** After the drain the copy must be level, not merely fresh: what is missing now is lost for good. */
export function reproveReadiness(input: PlanInput): Step {
  const again = proveReadiness(input, "reprove-readiness");
  const { to, workflow } = input.decision;
  return {
    ...again,
    precondition: `${names(to)} has every change of the drained index.`,
    proof: `Every required check of ${workflow} passes in ${names(to)} again, with the index level with its owner.`,
  };
}

export function takeOwnership(input: PlanInput): Step {
  const { workflow, to } = input.decision;
  const { epoch } = input.intent;
  return step(
    input,
    "take-ownership",
    { regions: to },
    {
      precondition: `${workflow} is at epoch ${epoch} and held by this plan alone.`,
      effect: `Raise the epoch of ${workflow} from ${epoch} to ${epoch + 1}; whoever acts under ${epoch} is refused from here on.`,
      proof: `The store says that ${workflow} is at epoch ${epoch + 1}.`,
      undo: `Let go of ${workflow}; ${names(input.intent.serving)} goes on serving. The epoch stays ${epoch + 1}: somebody may have seen it.`,
    },
  );
}

export function freezeIndex(input: PlanInput, { index, region, epoch }: Ownership): Step {
  return step(
    input,
    "freeze-index",
    { regions: [region], index },
    {
      precondition: `${region} owns index ${index} under epoch ${epoch} and its agent answers.`,
      effect: `${region} takes no more writes to ${index}; its pipeline waits.`,
      proof: `${region}'s agent says that ${index} is frozen, and at which change.`,
      undo: `Thaw ${index} in ${region} under a newer epoch; its pipeline goes on.`,
    },
  );
}

export function catchUpIndex(input: PlanInput, { index, region }: Ownership): Step {
  const to = takerOf(input);
  return step(
    input,
    "catch-up-index",
    { regions: [to], index },
    {
      precondition: `${index} is frozen in ${region}, so that its end does not move.`,
      effect: `${to} applies every change of ${index} that it does not have yet.`,
      proof: `${index} has the same last change, count and digest in ${to} and in ${region}.`,
      undo: "none: a replica may have every change",
    },
  );
}

export function promoteIndex(input: PlanInput, ownership: Ownership): Step {
  const { index, region, epoch } = ownership;
  const to = takerOf(input);
  const lost = !leavesWhole(input.decision);
  return step(
    input,
    "promote-index",
    { regions: [to], index },
    {
      precondition: lost
        ? `${region}, which owned ${index} under epoch ${epoch}, has failed or is given up; ${to} has applied what was shipped (rpo ${formatDuration(input.spec.rpo)}).`
        : `${to} has every change of ${index}, and ${region} takes no more.`,
      effect: `${to} owns ${index} under a newer epoch and takes writes; ${region} is refused.`,
      proof: `${to}'s agent says that it owns ${index}, and from which change on.`,
      undo: lost
        ? `none: ${index} stays with ${to}, since ${region} cannot take it back unproven`
        : `Drain ${index} back to ${region} under a newer epoch; if ${region} cannot be made level, ${to} keeps it.`,
    },
  );
}

export function openTraffic(input: PlanInput): Step {
  const { workflow, to, from } = input.decision;
  const leaves = from.length === 0 ? "" : `, and ${names(from)} does not`;
  return step(
    input,
    "open-traffic",
    { regions: to },
    {
      precondition: `${names(to)} is proven ready and ${workflow} is at epoch ${input.intent.epoch + 1}.`,
      effect: `Publish a snapshot in which ${names(to)} serves ${workflow}${leaves}.`,
      proof: `The store's newest snapshot says that ${names(to)} serves ${workflow} under epoch ${input.intent.epoch + 1}.`,
      undo: "none: the point of no return; callers may have answers from here, so going back is a move of its own with its own proof",
    },
  );
}

export function confirmAcknowledged(input: PlanInput): Step {
  const regions = acknowledging(input);
  return step(
    input,
    "confirm-acknowledged",
    { regions },
    {
      precondition: "The snapshot is published.",
      effect: `Offer the snapshot to the gateways of ${names(regions)} until each has it.`,
      proof: `The gateways of ${names(regions)} say that they serve this snapshot or a newer one.`,
      undo: "none: an acknowledgement changes nothing",
    },
  );
}

/**
 * A failover does not wait for the regions that it gives up: they may be dead, and they are fenced by the
 * epoch when they come back. A planned move does: there, both sides are alive and must agree.
 */
function acknowledging({ decision, spec, intent, failed = [] }: PlanInput): string[] {
  const { kind, from, to } = decision;
  const all = [...new Set([...to, ...from, spec.primary, ...spec.standbys, ...intent.serving])];
  const dead = leavesWhole(decision) ? failed : [...from, ...failed];
  const wanted = kind === "failover" ? all : [...from, ...to];
  return wanted.filter((region) => to.includes(region) || !dead.includes(region));
}

export function proveTraffic(input: PlanInput): Step {
  const { workflow, to } = input.decision;
  return step(
    input,
    "prove-traffic",
    { regions: [takerOf(input)] },
    {
      precondition: "Every living gateway serves the snapshot.",
      effect: "None: it asks as a caller would.",
      proof: `A canary for ${workflow} is answered by ${names(to)} with release ${input.release} under epoch ${input.intent.epoch + 1}.`,
      undo: "none: nothing was changed",
    },
  );
}

export function announce(input: PlanInput): Step {
  const { workflow, to } = input.decision;
  const { channel, message } = input.spec.customers;
  return step(
    input,
    "announce",
    { regions: to },
    {
      precondition: `Traffic of ${workflow} is proven in ${names(to)}.`,
      effect: `Tell customers on ${channel}: "${message}"`,
      proof: `${channel} has taken the message.`,
      undo: "none: what was said cannot be unsaid; a later move says what changed",
    },
  );
}

function step(
  input: PlanInput,
  kind: StepKind,
  about: { readonly id?: string; readonly regions: readonly string[]; readonly index?: string },
  sentences: Sentences,
): Step {
  const index = about.index ?? null;
  const probing = PROBES_PER_STEP * input.detection.timeout;
  // A canary is a real request: it may take as long as the workflow allows one to take.
  const request = kind === "prove-traffic" ? input.spec.deadline : 0;
  return {
    id: about.id ?? (index === null ? kind : `${kind}-${index}`),
    kind,
    regions: [...about.regions],
    index,
    ...sentences,
    deadlineMs: Math.max(LEAST_DEADLINE_MS[kind] ?? USUAL_DEADLINE_MS, probing, request),
  };
}

/** The region that takes over what only one region can have. */
function takerOf({ decision }: PlanInput): string {
  // planFor refuses a decision without a region to go to before any step is made.
  return decision.to[0] ?? "";
}

function names(regions: readonly string[]): string {
  const last = regions.at(-1);
  if (regions.length <= 1 || last === undefined) return regions.join("");
  return `${regions.slice(0, -1).join(", ")} and ${last}`;
}
