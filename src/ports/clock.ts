/** Time as a parameter. */
export interface Clock {
  /** Wall clock, ms since 1970. For people and records only: it may jump. */
  now(): number;
  /** Milliseconds on a clock that never goes back. Everything that waits or compares uses this. */
  monotonic(): number;
  /** Resolves after `ms`, or as soon as `signal` aborts. Never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
