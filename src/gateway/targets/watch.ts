import type { Clock } from "../../ports/clock.ts";

/**
 * Aborts an exchange whose upstream began to answer and then says nothing for too long. What counts
 * is what an answer is made of: a drip of single bytes is the silence that it is for a reader. Only
 * time spent waiting for the upstream counts: a caller that reads slowly is nobody's stall.
 */
export class Watch {
  readonly #clock: Clock;
  readonly #cut: AbortController;
  readonly #stallMs: number;
  readonly #over = new AbortController();
  #quietMs = 0;
  #longestMs = 0;
  #waitingSince: number | null = null;
  #running = false;

  constructor(clock: Clock, cut: AbortController, stallMs: number) {
    this.#clock = clock;
    this.#cut = cut;
    this.#stallMs = stallMs;
  }

  /** The longest pause so far, in ms. */
  get longestMs(): number {
    return this.#longestMs;
  }

  /** It began to answer. Until then the bound on its first word is somebody else's. */
  begin(): void {
    if (this.#running || this.#over.signal.aborted) return;
    this.#running = true;
    this.#quietMs = 0;
    if (this.#waitingSince !== null) this.#waitingSince = this.#clock.monotonic();
    void this.#run();
  }

  end(): void {
    this.#over.abort();
  }

  /** The upstream is being read. */
  waiting(): void {
    this.#waitingSince = this.#clock.monotonic();
  }

  /** What was waited for is here. */
  got(): void {
    this.#quietMs = this.#quiet();
    this.#waitingSince = null;
  }

  /** It brought something that counts. */
  progress(): void {
    if (this.#running) this.#longestMs = Math.max(this.#longestMs, this.#quietMs);
    this.#quietMs = 0;
  }

  #quiet(): number {
    const since = this.#waitingSince;
    return this.#quietMs + (since === null ? 0 : this.#clock.monotonic() - since);
  }

  /** One timer, however many events: it wakes when a silence could have lasted too long, and looks. */
  async #run(): Promise<void> {
    for (;;) {
      const left = this.#stallMs - this.#quiet();
      if (left <= 0) {
        this.#cut.abort(new Error(`it stalled: nothing for ${Math.round(this.#stallMs)} ms`));
        return;
      }
      await this.#clock.sleep(left, this.#over.signal);
      if (this.#over.signal.aborted) return;
    }
  }
}

/** The body as it is, with each wait for it seen by the watch, which ends with it. */
export function watched(
  body: AsyncIterable<Uint8Array>,
  watch: Watch,
): AsyncIterable<Uint8Array, undefined> {
  const pieces = body[Symbol.asyncIterator]();
  // By hand: a generator around each stream would cost one more turn of the loop for each event.
  const iterator: AsyncIterator<Uint8Array, undefined> = {
    async next() {
      watch.waiting();
      try {
        const piece = await pieces.next();
        watch.got();
        if (piece.done !== true) return piece;
        watch.end();
        return { done: true, value: undefined };
      } catch (error) {
        watch.end();
        throw error;
      }
    },
    async return() {
      watch.end();
      await pieces.return?.();
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
