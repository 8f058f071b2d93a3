import { parentPort, workerData } from "node:worker_threads";
import type { Place } from "../../ledger/connection.ts";
import { faultOf } from "../../lib/fault.ts";
import type { Asked, Told } from "./thread.ts";

/** The other end of a `Thread`: answers every question of its parent by `work`. */
export function answerParent<Question, Answer>(
  prepare: (place: Place) => (question: Question) => Answer,
): void {
  const place: Place = workerData;
  const work = prepare(place);
  parentPort?.on("message", (asked: Asked<Question>) => {
    parentPort?.postMessage(answerOf(asked, work));
  });
}

function answerOf<Question, Answer>(
  { id, question }: Asked<Question>,
  work: (question: Question) => Answer,
): Told<Answer> {
  try {
    return { id, answer: work(question) };
  } catch (error) {
    return { id, fault: faultOf(error) };
  }
}
