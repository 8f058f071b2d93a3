/** Sorting for each request would cost more than the request: so many new values may be unseen. */
const STALE_AFTER = 8;

/** The newest values of one measure, and where their quantiles lie. */
export class Distribution {
  readonly #values: Float64Array;
  #count = 0;
  #sorted = new Float64Array(0);
  #unseen = 0;

  constructor(size = 128) {
    this.#values = new Float64Array(size);
  }

  /** How many values are held. */
  get count(): number {
    return Math.min(this.#count, this.#values.length);
  }

  add(value: number): void {
    this.#values[this.#count % this.#values.length] = value;
    this.#count += 1;
    this.#unseen += 1;
  }

  clear(): void {
    this.#count = 0;
    this.#sorted = new Float64Array(0);
    this.#unseen = 0;
  }

  /** The value that a share of `q` of all values does not exceed; null with fewer than `least`. */
  quantile(q: number, least: number): number | null {
    if (this.count < least || this.count === 0) return null;
    if (this.#unseen >= STALE_AFTER || this.#sorted.length === 0) {
      this.#sorted = this.#values.slice(0, this.count).sort();
      this.#unseen = 0;
    }
    const rank = Math.ceil(q * this.#sorted.length) - 1;
    return this.#sorted[Math.max(0, rank)] ?? null;
  }
}
