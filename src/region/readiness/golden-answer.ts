import type { GoldenQuestion } from "../../model/golden.ts";
import type { WorkflowName } from "../../model/ids.ts";
import type { WorkflowSpec } from "../../model/spec.ts";
import type { World } from "../world.ts";
import { WITHOUT_RETRIEVAL } from "./check.ts";
import type { Observed } from "./observe-answer.ts";

/** How a golden question was answered, and what that says. */
export interface ObservedAnswer extends Observed {
  readonly question: GoldenQuestion;
}

interface Expected {
  /** false: the workflow has no index, so sources are not looked at. */
  readonly retrieval: boolean;
}

/** Keeps what a golden question's answer says of the release, for whatever reason it was asked. */
export function noteAnswer(
  world: World,
  workflow: WorkflowName,
  spec: WorkflowSpec,
  answer: ObservedAnswer,
): void {
  // The release that answered, by its own word: the region may have got another one meanwhile.
  const release = answer.release ?? world.gateway?.release;
  if (release === undefined) return;
  const outcome = outcomeOf({ retrieval: spec.retrieval !== undefined }, answer);
  const now = world.options.clock.monotonic();
  world.goldenBook.note({ workflow, release }, answer.question.id, outcome, now);
}

/**
 * What an answer says of the release that gave it. Nothing, when nobody answered, when the index was
 * left out, or when there is no record of what was put before the model: those have other causes.
 */
export function outcomeOf(
  expected: Expected,
  answer: ObservedAnswer,
): "right" | "wrong" | "unanswered" {
  const { text, failure, mode, sources } = answer;
  if (failure !== null || text === null || mode === WITHOUT_RETRIEVAL) return "unanswered";
  if (expected.retrieval && sources === null) return "unanswered";
  return faultOf(expected, answer) === null ? "right" : "wrong";
}

/** Why an answer is no right one; null when it is. */
export function faultOf(expected: Expected, answer: ObservedAnswer): string | null {
  const { question, sources, text, failure } = answer;
  if (failure !== null || text === null) return `not answered: ${failure}`;
  if (expected.retrieval) {
    if (sources === null) return "there is no audit record of it";
    if (!question.documents.some((document) => sources.includes(document))) {
      return `none of ${question.documents.join(", ")} is among the sources ${sources.join(", ") || "(none)"}`;
    }
  }
  return flat(text).includes(flat(question.answer))
    ? null
    : `"${question.answer}" is not in the answer`;
}

function flat(text: string): string {
  return text.replace(/\s+/g, " ").trim().toLowerCase();
}

/** Nothing can be answered rightly out of an index that waits for its first documents. */
export async function isIndexEmpty(world: World, { retrieval }: WorkflowSpec): Promise<boolean> {
  const local = retrieval === undefined ? undefined : world.indexes.get(retrieval.index);
  return local !== undefined && (await local.store.position()).count === 0;
}
