import { setImmediate } from "node:timers/promises";
import type { StopSignal } from "../lib/stop.ts";
import type { Clock } from "../ports/clock.ts";
import { afterBy } from "./after.ts";

/** More wake-ups than this in one `advance` is a loop that sleeps 0 ms, not a scenario. */
const MOST_WAKES = 1_000_000;

interface Sleeper {
  readonly due: number;
  readonly order: number;
  readonly wake: () => void;
}

/**
 * Virtual time. Nothing passes unless a test says so: `advance` wakes the sleepers in the order of
 * their due times (equal ones in the order in which they lay down), and lets everything that a
 * wake-up sets off run to its next wait before the time moves on, so that a run can be repeated.
 */
export class SimClock implements Clock {
  #monotonic = 0;
  #wallOffset: number;
  #order = 0;
  #sleepers: Sleeper[] = [];

  /** `startOfWall`: what `now()` shows first, in ms since 1970. */
  constructor(startOfWall = Date.UTC(2026, 0, 1)) {
    this.#wallOffset = startOfWall;
  }

  now(): number {
    return this.#wallOffset + this.#monotonic;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  /** Moves the wall clock alone, forwards or back, as an NTP step or an operator does. */
  jumpWall(ms: number): void {
    this.#wallOffset += ms;
  }

  /** How many wait now. A test that expects a loop to have gone to sleep looks here. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal?: StopSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        signal?.removeEventListener("abort", done);
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        resolve();
      };
      const due = this.#monotonic + Math.max(0, ms);
      const sleeper: Sleeper = { due, order: this.#order++, wake: done };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", done, { once: true });
    });
  }

  after(ms: number, run: () => void): () => void {
    return afterBy((time, signal) => this.sleep(time, signal))(ms, run);
  }

  /** Lets `ms` pass. Resolves when all that it set off waits for something again. */
  async advance(ms: number): Promise<void> {
    const until = this.#monotonic + ms;
    await this.settle();
    for (let wakes = 0; ; wakes++) {
      if (wakes > MOST_WAKES) throw new Error(`${MOST_WAKES} wake-ups within ${ms} ms`);
      const next = this.#earliest();
      if (next === undefined || next.due > until) break;
      this.#monotonic = Math.max(this.#monotonic, next.due);
      next.wake();
      await this.settle();
    }
    this.#monotonic = Math.max(this.#monotonic, until);
  }

  /**
   * Lets time pass, sleeper by sleeper, until `work` settles, and gives its value. Throws when it
   * has not within `limitMs` of virtual time, or when nobody is asleep who could ever end it.
   */
  async run<T>(work: Promise<T>, limitMs: number): Promise<T> {
    let settled = false;
    const done = () => {
      settled = true;
    };
    work.then(done, done);
    const until = this.#monotonic + limitMs;
    for (await this.settle(); !settled; ) {
      const next = this.#earliest();
      if (next === undefined) throw new Error("the work waits, and nobody is asleep to end that");
      if (next.due > until) throw new Error(`the work was not done within ${limitMs} ms`);
      await this.advance(next.due - this.#monotonic);
    }
    return work;
  }

  /** Lets everything that can run without time passing run. */
  async settle(): Promise<void> {
    // One turn of the event loop empties the whole microtask queue, however deep the chains.
    await setImmediate();
  }

  #earliest(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of this.#sleepers) {
      const earlier =
        first === undefined ||
        sleeper.due < first.due ||
        (sleeper.due === first.due && sleeper.order < first.order);
      if (earlier) first = sleeper;
    }
    return first;
  }
}
