/** Sorting for each request would cost more than the request: so many new values may be unseen. */
const STALE_AFTER = 8;

/** So many of the newest values count. */
export const NEWEST = 128;

/** The newest values of one measure, and where their quantiles lie. */
export class Distribution {
  readonly #values: Float64Array;
  /** One number: how many values came since the last `clear`. */
  readonly #count: Float64Array;
  #sorted = new Float64Array(0);
  #countAtSort = 0;

  /** Keeps its values in `values` and their count in `count`, which threads may share. */
  constructor(
    values: Float64Array = new Float64Array(NEWEST),
    count: Float64Array = new Float64Array(1),
  ) {
    this.#values = values;
    this.#count = count;
  }

  /** How many values are held. */
  get count(): number {
    return Math.min(this.#total, this.#values.length);
  }

  add(value: number): void {
    this.#values[this.#total % this.#values.length] = value;
    this.#count[0] = this.#total + 1;
  }

  clear(): void {
    this.#count[0] = 0;
    this.#sorted = new Float64Array(0);
    this.#countAtSort = 0;
  }

  /** The value that a share of `q` of all values does not exceed; null with fewer than `least`. */
  quantile(q: number, least: number): number | null {
    const total = this.#total;
    if (this.count < least || total === 0) return null;
    const unseen = total - this.#countAtSort;
    // Fewer than at the last time: another thread has cleared it.
    if (unseen >= STALE_AFTER || unseen < 0 || this.#sorted.length === 0) {
      this.#sorted = this.#values.slice(0, this.count).sort();
      this.#countAtSort = total;
    }
    const rank = Math.ceil(q * this.#sorted.length) - 1;
    return this.#sorted[Math.max(0, rank)] ?? null;
  }

  /** The median of the newest `most` values; null while there are none. Not remembered. */
  newestMedian(most: number): number | null {
    const total = this.#total;
    const count = Math.min(most, this.count);
    if (count <= 0) return null;
    const newest = new Float64Array(count);
    for (let back = 1; back <= count; back++) {
      newest[back - 1] = this.#values[(total - back) % this.#values.length] ?? 0;
    }
    return newest.sort()[Math.floor((count - 1) / 2)] ?? null;
  }

  get #total(): number {
    return this.#count[0] ?? 0;
  }
}
