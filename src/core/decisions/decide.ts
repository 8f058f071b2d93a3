import type { Decision } from "../../model/decision.ts";
import { answerFaults } from "./faults.ts";
import type { DecisionInput } from "./input.ts";
import { answerRequest } from "./request.ts";
import { hold } from "./words.ts";

export type { DecisionInput } from "./input.ts";

/**
 * What to do about one workflow: always an answer, always with one sentence saying why, and a
 * `hold` when nothing is to be done.
 *
 * Safety argument, for every input whatever:
 * - A move has a `to` that is not empty, so the last serving region is never removed.
 * - No region with the verdict `failed` is in `to`, nor one whose latest readiness says no, nor one
 *   whose models answer nobody, or whose copy of the index is bad where the workflow needs it.
 * - Without a person, only the verdict `failed` moves anything: never `unknown`, never `degraded`.
 * - One move at a time: while a plan holds the workflow, nothing else is decided.
 * - If every region that may serve is bad, or its models, or every copy of the index, nobody
 *   evacuates.
 * - Stale data moves nothing, whoever is late.
 */
export function decide(input: DecisionInput): Decision {
  const { movingBy } = input.intent;
  if (movingBy !== null) return hold(input, `plan ${movingBy} is under way`);
  const request = input.request?.workflow === input.workflow ? input.request : null;
  if (request === null) return answerFaults(input);
  const answer = answerRequest(input, request);
  return answer.kind === "hold" ? despiteRefusal(input, answer) : answer;
}

/** A request that had to be refused must not stand in the way of a fault's own answer. */
function despiteRefusal(input: DecisionInput, refused: Decision): Decision {
  const own = answerFaults(input);
  if (own.kind === "hold") return refused;
  return { ...own, refused: [...refused.refused, ...own.refused] };
}
