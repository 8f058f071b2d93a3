import { TideoverError } from "../../lib/errors.ts";
import type { Decision } from "../../model/decision.ts";
import type { Ownership } from "../../model/intent.ts";
import type { Plan, Step, StepKind } from "../../model/plan.ts";
import type { DetectionSpec } from "../../model/spec.ts";

export interface IndexPlanInput {
  /** A `move-index`. */
  readonly decision: Decision;
  readonly ownership: Ownership;
  readonly detection: DetectionSpec;
  /** Records of the copy that takes over: proving it reads each. */
  readonly records: number;
  readonly id: string;
  /** Plan that last moved this index alone; null for the first. */
  readonly parent: string | null;
  /** Wall clock, for people. */
  readonly now: number;
}

/**
 * The plan that gives an index another owner and moves no traffic. The same input gives the same
 * plan. Throws PLAN_INVALID for a decision that does no such thing.
 *
 * Safety argument, in the order of the steps (lint/index-move-rules.ts checks each of these again,
 * independently): nothing is changed before the copy that takes over has passed the acceptance gate;
 * the owner stops before its last change is fetched, so that nothing comes after it; the copy is
 * level, by count and digest, before it is written from. What it fetches after its proof is applied
 * entry by entry, each with the digest that must come of it, so that no second proof need keep the
 * pipeline waiting. An owner that cannot be asked is not drained: the decision says what that loses.
 */
export function indexPlanFor(input: IndexPlanInput): Plan {
  const { decision, ownership, id, parent, now } = input;
  return {
    id,
    parent,
    decision,
    workflow: decision.workflow,
    epoch: ownership.epoch + 1,
    release: NO_RELEASE,
    steps: stepsOf(input),
    createdAt: now,
  };
}

/** The plan is about no release: every region keeps its own. */
const NO_RELEASE = "none";

function stepsOf(input: IndexPlanInput): Step[] {
  const { kind, index, to } = input.decision;
  if (kind !== "move-index" || index === undefined) throw invalid(input, "moves no index");
  if (to.length !== 1) throw invalid(input, "names no one region that takes over");
  return [
    proveIndex(input),
    ...(index.drained ? [freezeIndex(input), catchUpIndex(input)] : []),
    promoteIndex(input),
  ];
}

/** Shortest deadlines, in ms; proving and fetching take longer, the more records there are. */
const LEAST_DEADLINE_MS: Readonly<Partial<Record<StepKind, number>>> = {
  "prove-index": 60_000,
  "freeze-index": 10_000,
  "catch-up-index": 60_000,
  "promote-index": 15_000,
};
/** Records that are read and searched in a second by the slowest engine that is measured. */
const PROVEN_PER_MS = 5;
/** A step asks several things in turn; each may take a probe's whole time-out. */
const PROBES_PER_STEP = 10;

type Sentences = Pick<Step, "precondition" | "effect" | "proof" | "undo">;

function proveIndex(input: IndexPlanInput): Step {
  const { index, taker } = namesIn(input);
  const made = step(input, "prove-index", taker, {
    precondition: `${taker}'s agent answers, and its copy of ${index} is whole as far as is known.`,
    effect: "None: it only looks.",
    proof: `${taker}'s copy of ${index} passes the acceptance gate: every record is what was written, counts, digests, searches, canaries and settings are right.`,
    undo: "none: nothing was changed",
  });
  const reading = input.records / PROVEN_PER_MS;
  return { ...made, deadlineMs: Math.ceil(made.deadlineMs + reading) };
}

function freezeIndex(input: IndexPlanInput): Step {
  const { index, owner } = namesIn(input);
  return step(input, "freeze-index", owner, {
    precondition: `${owner} owns index ${index} under epoch ${input.ownership.epoch} and its agent answers.`,
    effect: `${owner} takes no more writes to ${index}; its pipeline waits.`,
    proof: `${owner}'s agent says that ${index} is frozen, and at which change.`,
    undo: `Thaw ${index} in ${owner} under a newer epoch; its pipeline goes on.`,
  });
}

function catchUpIndex(input: IndexPlanInput): Step {
  const { index, owner, taker } = namesIn(input);
  return step(input, "catch-up-index", taker, {
    precondition: `${index} is frozen in ${owner}, so that its end does not move.`,
    effect: `${taker} applies every change of ${index} that it does not have yet.`,
    proof: `${index} has the same last change, count and digest in ${taker} and in ${owner}.`,
    undo: "none: a replica may have every change",
  });
}

function promoteIndex(input: IndexPlanInput): Step {
  const { index, owner, taker } = namesIn(input);
  const { drained = false, loss = null } = input.decision.index ?? {};
  return step(input, "promote-index", taker, {
    precondition: drained
      ? `${taker} has every change of ${index}, and ${owner} takes no more.`
      : `${owner} cannot be asked for its last change; ${loss === null ? `${taker} has all that ${owner} was known to have` : loss}.`,
    effect: `${taker} owns ${index} under a newer epoch and takes writes; ${owner} is refused. No traffic moves: who answers goes on answering from its own copy.`,
    proof: `${taker}'s agent says that it owns ${index}, and from which change on. ${owner}'s copy is a replica from here on, and repaired as one.`,
    undo: "none: the point of no return; another owner is another move",
  });
}

function step(
  { detection, decision }: IndexPlanInput,
  kind: StepKind,
  region: string,
  sentences: Sentences,
): Step {
  const index = decision.index?.name ?? "";
  return {
    id: `${kind}-${index}`,
    kind,
    regions: [region],
    index,
    ...sentences,
    deadlineMs: Math.max(LEAST_DEADLINE_MS[kind] ?? 0, PROBES_PER_STEP * detection.timeout),
  };
}

function namesIn({ decision, ownership }: IndexPlanInput) {
  return { index: ownership.index, owner: ownership.region, taker: decision.to[0] ?? "" };
}

function invalid({ decision, id }: IndexPlanInput, why: string): TideoverError {
  return new TideoverError(`plan ${id}: the decision \`${decision.kind}\` ${why}`, {
    code: "PLAN_INVALID",
    next: "Make such plans of a move-index only.",
  });
}
