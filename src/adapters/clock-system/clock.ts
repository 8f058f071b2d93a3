import { performance } from "node:perf_hooks";
import type { StopSignal } from "../../lib/stop.ts";
import type { Clock } from "../../ports/clock.ts";
import { Bounds, LONGEST_TIMER_MS } from "./bounds.ts";

/**
 * The machine's clocks.
 *
 * `monotonic()` counts from the boot of the machine, not from the start of the process (it is
 * CLOCK_MONOTONIC on Linux, and its like elsewhere), so every process of one machine reads the same
 * value. The leases of the SQLite store rest on that. `performance.now()` is the same clock, but
 * starts at zero in each process; it is read because process.hrtime costs five times as much.
 */
export function createSystemClock(): Clock {
  const bootToStart = startOfProcess();
  const monotonic = (): number => bootToStart + performance.now();
  const bounds = new Bounds(monotonic);
  return {
    now: () => Date.now(),
    monotonic,
    sleep: (ms, signal) => sleep(monotonic, ms, signal),
    after: (ms, run) => bounds.after(ms, run),
  };
}

/** Where `performance.now()` is zero, in ms since the boot. */
function startOfProcess(): number {
  let best = Number.NEGATIVE_INFINITY;
  // The two clocks are read one after the other; the pair with the least between them is the truest.
  for (let count = 0; count < 16; count++) {
    best = Math.max(best, Number(process.hrtime.bigint()) / 1e6 - performance.now());
  }
  return best;
}

async function sleep(
  monotonic: () => number,
  ms: number,
  signal: StopSignal | undefined,
): Promise<void> {
  const until = monotonic() + Math.max(0, ms);
  // At least one timer even for 0 ms: a loop that sleeps 0 must still let sockets be served.
  do {
    if (signal?.aborted) return;
    await oneTimer(Math.min(until - monotonic(), LONGEST_TIMER_MS), signal);
  } while (monotonic() < until);
}

function oneTimer(ms: number, signal: StopSignal | undefined): Promise<void> {
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
