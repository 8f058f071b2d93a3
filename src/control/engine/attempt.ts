import { messageOf, TideoverError } from "../../lib/errors.ts";
import { formatDuration } from "../../model/units.ts";
import type { Clock } from "../../ports/clock.ts";
import { hasCode, stepFailed } from "./errors.ts";

/** What an attempt may know of its own time. */
export interface Attempt {
  /** Ms until the deadline, at least 1. */
  timeLeft(): number;
  /** Ms since this process took the step up: a step that is taken up again begins anew. */
  elapsed(): number;
  /** false once it was given up: its writes must not happen any more. */
  live(): boolean;
}

export type Outcome<T> =
  | { readonly kind: "proven"; readonly value: T }
  | { readonly kind: "broken"; readonly because: string }
  /** The controller is stopping or leads no more; nothing is known of the step. */
  | { readonly kind: "halted" };

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Tries until it succeeds, cannot succeed, or its time is over. LEASE_LOST and STORE_UNAVAILABLE are
 * thrown on: they say nothing about the step, and a step is not broken because the store was away.
 */
export async function attemptUntil<T>(options: {
  readonly clock: Clock;
  readonly deadlineMs: number;
  readonly halt: AbortSignal;
  readonly work: (attempt: Attempt) => Promise<T>;
}): Promise<Outcome<T>> {
  const { clock, deadlineMs, halt, work } = options;
  const from = clock.monotonic();
  const until = from + deadlineMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return { kind: "proven", value: await oneAttempt(clock, { from, until }, work) };
    } catch (error) {
      if (hasCode(error, "LEASE_LOST") || hasCode(error, "STORE_UNAVAILABLE")) throw error;
      if (isFinal(error)) return { kind: "broken", because: messageOf(error) };
      if (clock.monotonic() + pause >= until) {
        return {
          kind: "broken",
          because: `${messageOf(error)} (tried for ${formatDuration(deadlineMs)})`,
        };
      }
    }
    if (halt.aborted) return { kind: "halted" };
    await clock.sleep(pause, halt);
    if (halt.aborted) return { kind: "halted" };
  }
}

/** Errors of no class of ours may be a passing fault of the world; the deadline bounds them too. */
function isFinal(error: unknown): boolean {
  return error instanceof TideoverError && error.retry === "never";
}

/**
 * A port that hangs beyond its own time-out must not hold a plan for ever. The attempt goes on
 * behind our back then, so it is told that it is over, and its writes are refused.
 */
async function oneAttempt<T>(
  clock: Clock,
  { from, until }: { readonly from: number; readonly until: number },
  work: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const timeLeft = () => Math.max(1, until - clock.monotonic());
  const tooLate = clock.sleep(timeLeft() + GRACE_MS, done.signal).then((): never => {
    throw stepFailed("there was no answer in time", "later");
  });
  // Lost races end here: after `done`, nobody else would look at this rejection.
  tooLate.catch(() => undefined);
  try {
    const elapsed = () => clock.monotonic() - from;
    const live = () => !done.signal.aborted;
    return await Promise.race([work({ timeLeft, elapsed, live }), tooLate]);
  } finally {
    done.abort();
  }
}

/** Ports bound their own calls by `timeLeft`; they shall be the first to say so, with the reason. */
const GRACE_MS = 250;
