import type { Clock } from "../../ports/clock.ts";

/** The pace of a stream is taken over so long, */
const STRETCH_MS = 1_000;
/** or over so many events of one that ends sooner. */
const LEAST_EVENTS = 4;

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
  /** When it was last heard of or read again. */
  #since = 0;
  #isPaused = false;
  #longestMs = 0;
  #callOff: (() => void) | null = null;
  /** The stretch that the pace is taken of, while there is one: when it began, and its events. */
  #hasStretch = false;
  #stretchFrom = 0;
  #events = 0;
  readonly #paced: ((ms: number) => void) | undefined;
  #state: "before" | "running" | "over" = "before";

  /**
   * `stalled` is called once at most, with what to say of it; `paced` each second or so, with how
   * many ms lay between two events.
   */
  constructor(
    clock: Clock,
    stallMs: number,
    stalled: (because: Error) => void,
    paced?: (ms: number) => void,
  ) {
    this.#clock = clock;
    this.#stallMs = stallMs;
    this.#stalled = stalled;
    this.#paced = paced;
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
    this.#beginStretch(this.#since);
    this.#callOff = this.#clock.after(this.#stallMs, () => this.#look());
  }

  end(): void {
    this.#state = "over";
    this.#callOff?.();
    this.#callOff = null;
  }

  /** It is whole: the last stretch may be too short for a second, and counts all the same. */
  whole(): void {
    if (this.#state === "running" && this.#events >= LEAST_EVENTS) this.#tellPace();
  }

  /** It brought something that counts: so many events. */
  progress(events = 1): void {
    if (this.#state !== "running") return;
    const now = this.#clock.monotonic();
    this.#longestMs = Math.max(this.#longestMs, this.#quiet(now));
    this.#quietMs = 0;
    this.#since = now;
    this.#beat(now, events);
  }

  /** Nothing is read of it until `resume`. */
  pause(): void {
    this.#quietMs = this.#quiet(this.#clock.monotonic());
    this.#isPaused = true;
    this.#hasStretch = false;
  }

  resume(): void {
    this.#isPaused = false;
    this.#since = this.#clock.monotonic();
  }

  #beat(now: number, events: number): void {
    if (!this.#hasStretch) {
      // Read again after a pause: what had piled up meanwhile came at no pace of its own.
      this.#beginStretch(now);
      return;
    }
    this.#events += events;
    if (now - this.#stretchFrom >= STRETCH_MS) this.#tellPace();
  }

  #tellPace(): void {
    const now = this.#clock.monotonic();
    if (this.#hasStretch) this.#paced?.((now - this.#stretchFrom) / this.#events);
    this.#beginStretch(now);
  }

  #beginStretch(now: number): void {
    this.#hasStretch = true;
    this.#stretchFrom = now;
    this.#events = 0;
  }

  #quiet(now: number): number {
    return this.#quietMs + (this.#isPaused ? 0 : now - this.#since);
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
