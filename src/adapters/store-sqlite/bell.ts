import type { Clock } from "../../ports/clock.ts";

/** Wakes one waiter. A ring while nobody waits is kept, so that none is lost in between. */
export class Bell {
  #rung = false;
  #asleep: AbortController | undefined;

  ring(): void {
    this.#rung = true;
    this.#asleep?.abort();
  }

  /** Resolves after `ms`, or as soon as it is rung. */
  async wait(clock: Clock, ms: number): Promise<void> {
    if (!this.#rung) {
      this.#asleep = new AbortController();
      await clock.sleep(ms, this.#asleep.signal);
      this.#asleep = undefined;
    }
    this.#rung = false;
  }
}
