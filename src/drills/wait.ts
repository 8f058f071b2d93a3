import { messageOf, TideoverError } from "../lib/errors.ts";
import type { Clock } from "../ports/clock.ts";

const POLL_MS = 100;

/**
 * Asks again and again until the answer is not null, and gives it. Throws DRILL_REFUSED with the
 * last reason when the time is over, INTERRUPTED when the signal aborts. An `ask` that throws is an
 * answer that is not there yet, since controllers and regions die on purpose here; but an error
 * that says that no retry can help is passed on.
 */
export async function until<Answer>(
  what: string,
  ask: () => Promise<Answer | null>,
  options: { readonly clock: Clock; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<Answer> {
  const { clock, timeoutMs, signal } = options;
  const end = clock.monotonic() + timeoutMs;
  let last = "";
  while (clock.monotonic() < end) {
    if (signal.aborted) throw interrupted(what);
    try {
      const answer = await ask();
      if (answer !== null) return answer;
    } catch (error) {
      if (error instanceof TideoverError && error.retry === "never") throw error;
      last = ` (${messageOf(error)})`;
    }
    await clock.sleep(POLL_MS, signal);
  }
  throw new TideoverError(`waited ${timeoutMs / 1_000} s in vain for ${what}${last}`, {
    code: "DRILL_REFUSED",
    next: "`tideover status` says what the estate is waiting for.",
  });
}

export function interrupted(what: string): TideoverError {
  return new TideoverError(`interrupted while waiting for ${what}`, { code: "INTERRUPTED" });
}
