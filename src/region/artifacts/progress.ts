/** Bytes that have moved, and how fast: over the last seconds, since networks change their mind. */
export class RateMeter {
  readonly #now: () => number;
  readonly #windowMs: number;
  #marks: { readonly at: number; readonly bytes: number }[] = [];
  #bytes = 0;

  /** `now`: milliseconds on a clock that never goes back. */
  constructor(now: () => number, windowMs = 10_000) {
    this.#now = now;
    this.#windowMs = windowMs;
    this.#marks.push({ at: now(), bytes: 0 });
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    const at = this.#now();
    const last = this.#marks.at(-1);
    // A mark for each chunk would cost more than the chunk.
    if (last !== undefined && at - last.at < this.#windowMs / 20) return;
    this.#marks.push({ at, bytes: this.#bytes });
    const start = this.#marks.findLastIndex((mark) => at - mark.at >= this.#windowMs);
    if (start > 0) this.#marks.splice(0, start);
  }

  /** Bytes a second; null before there is anything to tell by. */
  get rate(): number | null {
    const [first] = this.#marks;
    if (first === undefined) return null;
    const ms = this.#now() - first.at;
    const bytes = this.#bytes - first.bytes;
    return ms < 1 || bytes === 0 ? null : (bytes * 1_000) / ms;
  }
}

/** Time until the rest has come at this rate, in ms; null when nobody can say. */
export function remainingMs(missingBytes: number, rate: number | null): number | null {
  if (missingBytes === 0) return 0;
  return rate === null || rate <= 0 ? null : Math.ceil((missingBytes * 1_000) / rate);
}
