import { performance } from "node:perf_hooks";
import type { StopSignal } from "../../lib/stop.ts";
import type { Clock } from "../../ports/clock.ts";

/** setTimeout counts in 32 bits: a longer wait would overflow and fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

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
  return {
    now: () => Date.now(),
    monotonic,
    sleep: (ms, signal) => sleep(monotonic, ms, signal),
    after: (ms, run) => after(monotonic, ms, run),
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

function after(monotonic: () => number, ms: number, run: () => void): () => void {
  const until = monotonic() + Math.max(0, ms);
  const fire = (): void => {
    const left = until - monotonic();
    if (left > 0) timer = setTimeout(fire, Math.min(shared(left), LONGEST_TIMER_MS));
    else run();
  };
  let timer = setTimeout(fire, Math.min(shared(ms), LONGEST_TIMER_MS));
  return () => clearTimeout(timer);
}

/**
 * Node keeps a list of timers for each number of milliseconds. Bounds that follow what was measured
 * are a different number in each request; rounded up, they meet in few lists.
 */
function shared(ms: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(Math.max(1, ms))) - 5);
  return Math.ceil(ms / step) * step;
}
