import { bucketOf, type Histogram } from "../../../model/outcomes.ts";
import { NO_SAMPLE, type ReleaseSample } from "./sample.ts";

/** Random numbers from 0 to below 1 that are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** How a release behaves: what a simulated caller would find. */
export interface Nature {
  /** Shares. */
  readonly errors: number;
  readonly refusals: number;
  readonly right: number;
  /** Medians of a log-normal distribution with a spread of a factor of 1.5. */
  readonly latencyMs: number;
  readonly length: number;
  readonly cost: number;
}

export const SOUND: Nature = {
  errors: 0.01,
  refusals: 0.01,
  right: 0.95,
  latencyMs: 400,
  length: 60,
  cost: 800,
};

/** A sample that grows by one request at a time, as a gateway's window does. */
export class Growing {
  readonly #random: () => number;
  readonly #nature: Nature;
  #sample = { ...NO_SAMPLE, latency: {}, length: {}, cost: {}, golden: new Map<string, boolean>() };

  constructor(nature: Nature, random: () => number) {
    this.#nature = nature;
    this.#random = random;
  }

  request(): void {
    const nature = this.#nature;
    const errors = this.#sample.errors + this.#toss(nature.errors);
    const failed = errors > this.#sample.errors;
    const refusals = this.#sample.refusals + (failed ? 0 : this.#toss(nature.refusals));
    this.#sample = { ...this.#sample, requests: this.#sample.requests + 1, errors, refusals };
    if (failed) return;
    add(this.#sample.latency, nature.latencyMs * this.#spread());
    add(this.#sample.length, nature.length * this.#spread());
    add(this.#sample.cost, nature.cost * this.#spread());
  }

  question(id: string): void {
    this.#sample.golden.set(id, this.#toss(this.#nature.right) === 1);
  }

  get sample(): ReleaseSample {
    return this.#sample;
  }

  #toss(share: number): number {
    return this.#random() < share ? 1 : 0;
  }

  #spread(): number {
    const normal =
      Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random());
    return 1.5 ** normal;
  }
}

export function add(histogram: Histogram, amount: number): void {
  const bucket = String(bucketOf(amount));
  histogram[bucket] = (histogram[bucket] ?? 0) + 1;
}

export function grown(
  nature: Nature,
  random: () => number,
  size: { readonly requests: number; readonly questions: number },
): ReleaseSample {
  const growing = new Growing(nature, random);
  for (let index = 0; index < size.requests; index += 1) growing.request();
  for (let index = 0; index < size.questions; index += 1) growing.question(`q${index}`);
  return growing.sample;
}
