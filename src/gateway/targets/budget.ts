import type { Clock } from "../../ports/clock.ts";

/** So much of the past counts: long enough to save up for a target's sudden death under load. */
export const WINDOW_S = 10;
/** Retries per second that are always allowed: a share of hardly any traffic would be none. */
const FLOOR_PER_S = 10;

export interface Traffic {
  /** In the window. */
  readonly requests: number;
  readonly retries: number;
}

/** What a gateway may retry, over all of its requests. */
export interface Retries {
  /** A request came that was not tried before. */
  earned(): void;
  /** Takes one retry from what was earned, for this share of it; false when there is none. */
  take(share: number): boolean;
  traffic(): Traffic;
}

/**
 * Whether the gateway as a whole may do one more retry. Retries that only follow failures multiply
 * the load exactly when it is hardest to bear; as a share of traffic they cannot.
 */
export function mayRetry({ requests, retries }: Traffic, share: number): boolean {
  return retries < requests * share + FLOOR_PER_S * WINDOW_S;
}

interface Second extends Traffic {
  readonly at: number;
}

/** A token bucket whose tokens are requests of the last seconds, each worth a share of a retry. */
export class RetryBudget implements Retries {
  readonly #clock: Clock;
  #seconds: Second[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  earned(): void {
    this.#add({ requests: 1, retries: 0 });
  }

  take(share: number): boolean {
    const allowed = mayRetry(this.traffic(), share);
    if (allowed) this.#add({ requests: 0, retries: 1 });
    return allowed;
  }

  traffic(): Traffic {
    const oldest = this.#now() - WINDOW_S;
    this.#seconds = this.#seconds.filter(({ at }) => at > oldest);
    const sum = (pick: (second: Second) => number): number =>
      this.#seconds.reduce((total, second) => total + pick(second), 0);
    return { requests: sum(({ requests }) => requests), retries: sum(({ retries }) => retries) };
  }

  #add({ requests, retries }: Traffic): void {
    const at = this.#now();
    const last = this.#seconds.at(-1);
    if (last === undefined || last.at !== at) {
      // The oldest go as new ones come, or a gateway that never retries would keep every second.
      this.#seconds = [...this.#seconds.slice(-WINDOW_S), { at, requests, retries }];
      return;
    }
    const added = { at, requests: last.requests + requests, retries: last.retries + retries };
    this.#seconds[this.#seconds.length - 1] = added;
  }

  #now(): number {
    return Math.floor(this.#clock.monotonic() / 1_000);
  }
}
