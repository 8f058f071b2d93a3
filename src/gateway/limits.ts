import type { Clock } from "../ports/clock.ts";

/** Rate limits, by name. Names are tenants and workflows of snapshots: a caller cannot make one. */
export interface Limits {
  /** Takes `cost` requests out of the name's bucket, or nothing when it holds fewer. */
  take(name: string, perMinute: number, cost: number): Taken;
}

export interface Taken {
  readonly ok: boolean;
  readonly remaining: number;
  /** Until one more request is allowed, in ms; 0 when one is. */
  readonly nextMs: number;
  /** Until the bucket is full, in ms. */
  readonly fullMs: number;
}

const MINUTE_MS = 60_000;

/**
 * A bucket of one minute's requests: a burst may use them all, then they refill evenly. Its whole
 * state is one number, the monotonic ms at which it is full again, because one number can be
 * compared and swapped between threads as one step; tokens and the time that they were counted at
 * could not. A release that changes the limit leaves a bucket as full as it was, in parts of it.
 */
export function draw(fullAt: number, now: number, perMinute: number, cost: number) {
  const eachMs = MINUTE_MS / perMinute;
  // What a burst's additions may have lost: it must not turn the last allowed one away.
  const lostMs = Math.min(eachMs / 2, now * Number.EPSILON * perMinute);
  const lackMs = Math.min(MINUTE_MS, Math.max(0, fullAt - now));
  // Nothing is always to be had: who was admitted once is not judged again.
  const ok = cost === 0 || lackMs + cost * eachMs <= MINUTE_MS + lostMs;
  const leftMs = ok ? Math.min(MINUTE_MS, lackMs + cost * eachMs) : lackMs;
  const taken: Taken = {
    ok,
    remaining: Math.min(perMinute, Math.floor((MINUTE_MS - leftMs + lostMs) / eachMs)),
    nextMs: Math.max(0, leftMs + eachMs - MINUTE_MS),
    fullMs: leftMs,
  };
  return { taken, fullAt: ok && cost > 0 ? now + lackMs + cost * eachMs : fullAt };
}

/** The limits of a gateway of one thread. */
export class LocalLimits implements Limits {
  readonly #clock: Clock;
  readonly #fullAt = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take(name: string, perMinute: number, cost: number): Taken {
    const before = this.#fullAt.get(name) ?? 0;
    const { taken, fullAt } = draw(before, this.#clock.monotonic(), perMinute, cost);
    this.#fullAt.set(name, fullAt);
    return taken;
  }
}
