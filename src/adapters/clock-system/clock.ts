import type { Clock } from "../../ports/clock.ts";

/** setTimeout counts in 32 bits: a longer wait would overflow and fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * The machine's clocks.
 *
 * `monotonic()` is process.hrtime, which is CLOCK_MONOTONIC on Linux (and its like elsewhere): it
 * counts from the boot of the machine, not from the start of the process, so every process of one
 * machine reads the same value. The leases of the SQLite store rest on that. performance.now()
 * would not do, since it starts at zero in each process.
 */
export function createSystemClock(): Clock {
  return { now: () => Date.now(), monotonic, sleep };
}

function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  const until = monotonic() + Math.max(0, ms);
  // At least one timer even for 0 ms: a loop that sleeps 0 must still let sockets be served.
  do {
    if (signal?.aborted) return;
    await oneTimer(Math.min(until - monotonic(), LONGEST_TIMER_MS), signal);
  } while (monotonic() < until);
}

function oneTimer(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      // Otherwise a signal that lives as long as the process would gather a listener a sleep.
      signal?.removeEventListener("abort", done);
      resolve();
    };
    // Rounded up: a timer of 0.4 ms would fire early, and "never early" is what callers count on.
    const timer = setTimeout(done, Math.max(0, Math.ceil(ms)));
    signal?.addEventListener("abort", done, { once: true });
  });
}
