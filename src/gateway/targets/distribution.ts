/** The newest values of one measure, and where their quantiles lie. */
export class Distribution {
  /** As they came; the oldest is overwritten. */
  readonly #values: Float64Array;
  /** The same values in order, so that each request can ask without sorting. */
  readonly #sorted: Float64Array;
  #added = 0;

  constructor(size = 128) {
    this.#values = new Float64Array(size);
    this.#sorted = new Float64Array(size);
  }

  /** How many values are held. */
  get count(): number {
    return Math.min(this.#added, this.#values.length);
  }

  add(value: number): void {
    const at = this.#added % this.#values.length;
    let length = this.count;
    if (length === this.#values.length) {
      this.#remove(this.#values[at] ?? 0);
      length -= 1;
    }
    const place = this.#placeOf(value, length);
    this.#sorted.copyWithin(place + 1, place, length);
    this.#sorted[place] = value;
    this.#values[at] = value;
    this.#added += 1;
  }

  clear(): void {
    this.#added = 0;
  }

  /** The value that a share of `q` of all values does not exceed; null with fewer than `least`. */
  quantile(q: number, least: number): number | null {
    const { count } = this;
    if (count < least || count === 0) return null;
    return this.#sorted[Math.max(0, Math.ceil(q * count) - 1)] ?? null;
  }

  #remove(value: number): void {
    const place = this.#placeOf(value, this.#sorted.length);
    this.#sorted.copyWithin(place, place + 1);
  }

  /** Of the first of `length` sorted values that is not below this one. */
  #placeOf(value: number, length: number): number {
    let low = 0;
    let high = length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
