import type { Clock } from "../../ports/clock.ts";

/**
 * Says when an upstream that began to answer has been silent for too long. What counts is what an
 * answer is made of: a drip of single bytes is the silence that it is for a reader. Time in which
 * nothing is read of it does not count: a caller that reads slowly is nobody's stall.
 */
export class Watch {
  readonly #clock: Clock;
  readonly #stallMs: number;
  readonly #stalled: (because: Error) => void;
  /** Silence before `#since`. */
  #quietMs = 0;
  /** When it was last heard of or read again; null while nothing is read of it. */
  #since: number | null = null;
  #longestMs = 0;
  #callOff: (() => void) | null = null;
  #state: "before" | "running" | "over" = "before";

  /** `stalled` is called once at most, with what to say of it. */
  constructor(clock: Clock, stallMs: number, stalled: (because: Error) => void) {
    this.#clock = clock;
    this.#stallMs = stallMs;
    this.#stalled = stalled;
  }

  /** The longest pause so far, in ms. */
  get longestMs(): number {
    return this.#longestMs;
  }

  /** It began to answer. Until then the bound on its first word is somebody else's. */
  begin(): void {
    if (this.#state !== "before") return;
    this.#state = "running";
    this.#since = this.#clock.monotonic();
    this.#callOff = this.#clock.after(this.#stallMs, () => this.#look());
  }

  end(): void {
    this.#state = "over";
    this.#callOff?.();
    this.#callOff = null;
  }

  /** It brought something that counts. */
  progress(): void {
    if (this.#state !== "running") return;
    const now = this.#clock.monotonic();
    this.#longestMs = Math.max(this.#longestMs, this.#quiet(now));
    this.#quietMs = 0;
    if (this.#since !== null) this.#since = now;
  }

  /** Nothing is read of it until `resume`. */
  pause(): void {
    this.#quietMs = this.#quiet(this.#clock.monotonic());
    this.#since = null;
  }

  resume(): void {
    this.#since = this.#clock.monotonic();
  }

  #quiet(now: number): number {
    return this.#quietMs + (this.#since === null ? 0 : now - this.#since);
  }

  /** One timer, however many events: it wakes when a silence could have lasted too long, and looks. */
  #look(): void {
    const left = this.#stallMs - this.#quiet(this.#clock.monotonic());
    if (left > 0) {
      // A millisecond at least: a paused one would be looked at again and again meanwhile.
      this.#callOff = this.#clock.after(Math.max(1, left), () => this.#look());
      return;
    }
    this.end();
    this.#stalled(new Error(`it stalled: nothing for ${Math.round(this.#stallMs)} ms`));
  }
}
