import type { Clock } from "../../ports/clock.ts";
import { mayRetry, type Retries, type Traffic, WINDOW_S } from "../targets/budget.ts";
import { locked, release } from "./lock.ts";

/** A lock and, for each second of the window: which second it is, requests, retries. */
const LOCK_BYTES = 8;
const FIELDS = 3;
const BYTES = 8;

export function sharedBudgetMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(LOCK_BYTES + WINDOW_S * FIELDS * BYTES);
}

/** Frees what a thread that ended still holds of a budget. */
export function releaseBudget(memory: SharedArrayBuffer, ended: number): void {
  release(new Int32Array(memory, 0, 1), 0, ended);
}

/** What all threads of a gateway may retry together: `RetryBudget` over shared memory. */
export class SharedBudget implements Retries {
  readonly #clock: Clock;
  readonly #me: number;
  readonly #lock: Int32Array<SharedArrayBuffer>;
  readonly #seconds: Float64Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer, me: number, clock: Clock) {
    this.#clock = clock;
    this.#me = me;
    this.#lock = new Int32Array(memory, 0, 1);
    this.#seconds = new Float64Array(memory, LOCK_BYTES);
  }

  earned(): void {
    this.#locked(() => this.#add(1, 0));
  }

  take(share: number): boolean {
    return this.#locked(() => {
      const allowed = mayRetry(this.#sum(), share);
      if (allowed) this.#add(0, 1);
      return allowed;
    });
  }

  traffic(): Traffic {
    return this.#locked(() => this.#sum());
  }

  #locked<T>(work: () => T): T {
    return locked(this.#lock, 0, this.#me, work);
  }

  #sum(): Traffic {
    const oldest = this.#now() - WINDOW_S;
    let [requests, retries] = [0, 0];
    for (let at = 0; at < this.#seconds.length; at += FIELDS) {
      if ((this.#seconds[at] ?? 0) <= oldest) continue;
      requests += this.#seconds[at + 1] ?? 0;
      retries += this.#seconds[at + 2] ?? 0;
    }
    return { requests, retries };
  }

  #add(requests: number, retries: number): void {
    const second = this.#now();
    const at = (second % WINDOW_S) * FIELDS;
    const fresh = this.#seconds[at] !== second;
    const before = fresh ? [0, 0] : [this.#seconds[at + 1] ?? 0, this.#seconds[at + 2] ?? 0];
    this.#seconds[at + 1] = (before[0] ?? 0) + requests;
    this.#seconds[at + 2] = (before[1] ?? 0) + retries;
    this.#seconds[at] = second;
  }

  #now(): number {
    return Math.floor(this.#clock.monotonic() / 1_000);
  }
}
