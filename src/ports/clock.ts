import type { StopSignal } from "../lib/stop.ts";

/** Time as a parameter. */
export interface Clock {
  /** Wall clock, ms since 1970. For people and records only: it may jump. */
  now(): number;
  /** Milliseconds on a clock that never goes back. Everything that waits or compares uses this. */
  monotonic(): number;
  /** Resolves after `ms`, or as soon as `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: StopSignal): Promise<void>;
  /**
   * Calls `run` after `ms`, unless the returned function is called first. Never early, and late by
   * up to a thirtieth: for bounds that nearly always are called off, which a request has several of.
   */
  after(ms: number, run: () => void): () => void;
}
