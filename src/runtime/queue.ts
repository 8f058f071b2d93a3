/**
 * At most `limit` holders at a time; the others wait in the order they came. A real server batches
 * a bounded number of requests and queues the rest, and callers see that as waiting, not as errors.
 */
export class Slots {
  readonly #limit: number;
  #running = 0;
  /** The waiting ones, oldest first. */
  readonly #queue: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Resolves to true with a slot held, to be given back once by `release`; to false on abort. */
  async acquire(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    if (this.#running < this.#limit) {
      this.#running += 1;
      return true;
    }
    return await new Promise((resolve) => {
      const leave = (): void => {
        // A caller who hung up must not be given a slot that nobody would give back.
        this.#queue.splice(this.#queue.indexOf(enter), 1);
        resolve(false);
      };
      const enter = (): void => {
        signal.removeEventListener("abort", leave);
        resolve(true);
      };
      this.#queue.push(enter);
      signal.addEventListener("abort", leave, { once: true });
    });
  }

  release(): void {
    const next = this.#queue.shift();
    // The slot passes on directly, so that a newcomer cannot slip in before the oldest waiter.
    if (next === undefined) this.#running -= 1;
    else next();
  }
}
