import { Stop } from "../../lib/stop.ts";
import type { Answer, Attempt, Call } from "../chain/call.ts";
import { apart } from "../chain/known.ts";
import type { Tools } from "../options.ts";

type HedgeTools = Pick<Tools, "clock" | "retries">;

/** Gives an answer, or `unanswered`, and ends what it began when the call's signal aborts. */
type Racer = (call: Call) => Promise<Answer> | Answer;

export interface Hedge {
  readonly first: Racer;
  readonly second: Racer;
  /** When the first is slow, in ms; null while nobody knows, and then it is not hedged. */
  readonly afterMs: number | null;
}

/**
 * Asks the second, too, when the first is slower than it mostly is; whoever answers first is told,
 * and the other one is cancelled. What that cost stands in the attempts. The second is asked anyway
 * when the first does not answer. A hedge is a retry like any other: a gateway out of retries waits.
 */
export async function hedged(tools: HedgeTools, call: Call, hedge: Hedge): Promise<Answer> {
  const first = start(call, hedge.first);
  const slow = hedge.afterMs !== null && (await isSlow(tools, first.done, hedge.afterMs));
  if (!slow || call.signal.aborted || !tools.retries.take(call.snapshot.reflex.retryShare)) {
    return afterwards(await first.done, () => hedge.second(call), call);
  }
  const second = start(call, hedge.second);
  const winner = await firstAnswered(first, second);
  await cancelled(winner === first ? second : first);
  const attempts = [...attemptsOf(await first.done), ...attemptsOf(await second.done)];
  const answer = await winner.done;
  return { ...answer, facts: { ...answer.facts, attempts } };
}

interface Run {
  readonly done: Promise<Answer>;
  readonly cancel: Stop;
}

function start(call: Call, racer: Racer): Run {
  const cancel = Stop.with(call.signal);
  // Apart: what the loser finds out is not true of the winner's answer.
  return { cancel, done: apart({ ...call, signal: cancel }, racer) };
}

function isSlow(tools: HedgeTools, done: Promise<Answer>, afterMs: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const callOff = tools.clock.after(afterMs, () => resolve(true));
    void done.then(() => resolve(false), reject).finally(callOff);
  });
}

async function afterwards(
  answer: Answer,
  next: () => Promise<Answer> | Answer,
  call: Call,
): Promise<Answer> {
  if (answer.kind !== "unanswered" || call.signal.aborted) return answer;
  const other = await next();
  const attempts = [...attemptsOf(answer), ...attemptsOf(other)];
  return { ...other, facts: { ...other.facts, attempts } };
}

/** The one that answers first; when neither does, the one that gave up last. */
async function firstAnswered(first: Run, second: Run): Promise<Run> {
  const settled = (run: Run) => run.done.then(({ kind }) => ({ run, won: kind !== "unanswered" }));
  const one = await Promise.race([settled(first), settled(second)]);
  if (one.won) return one.run;
  return one.run === first ? second : first;
}

/** Ends the loser. One that had begun to answer, too, holds a connection until its parts are left. */
async function cancelled(loser: Run): Promise<void> {
  loser.cancel.abort(new Error("cancelled: another answered first"));
  const answer = await loser.done;
  if (answer.kind === "stream") await answer.parts[Symbol.asyncIterator]().return?.();
}

function attemptsOf({ facts }: Answer): readonly Attempt[] {
  return facts.attempts ?? [];
}
