import type { Clock } from "../../ports/clock.ts";
import { draw, type Limits, type Taken } from "../limits.ts";
import { SharedNames } from "./names.ts";

/** Tenants times workflows, twice, with as many again free: 2 MiB, of which unused pages cost none. */
const SLOTS = 131_072;
const BYTES = 8;

export function sharedLimitsMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer((2 * SLOTS + 1) * BYTES);
}

/**
 * The limits of all threads of a gateway, as exact as those of one. Nobody holds a lock here: a
 * thread that is ended half-way leaves every bucket as it was before or after its step.
 *
 * The clock must be the same for all threads (adapters/clock-system is; `performance.now` is not).
 */
export class SharedLimits implements Limits {
  readonly #clock: Clock;
  readonly #names: SharedNames;
  /** Float64 bits: only whole numbers can be compared and swapped. */
  readonly #buckets: BigInt64Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer, clock: Clock) {
    this.#clock = clock;
    this.#names = new SharedNames(new BigInt64Array(memory, 0, SLOTS));
    this.#buckets = new BigInt64Array(memory, SLOTS * BYTES, SLOTS + 1);
  }

  take(name: string, perMinute: number, cost: number): Taken {
    // Names for which there is no room share the last bucket: refused too early, never too late.
    const slot = this.#names.slotOf(name) ?? SLOTS;
    for (;;) {
      const before = Atomics.load(this.#buckets, slot);
      const now = this.#clock.monotonic();
      const { taken, fullAt } = draw(numberOf(before), now, perMinute, cost);
      const after = bitsOf(fullAt);
      if (Atomics.compareExchange(this.#buckets, slot, before, after) === before) return taken;
    }
  }
}

const number = new Float64Array(1);
const bits = new BigInt64Array(number.buffer);

function numberOf(value: bigint): number {
  bits[0] = value;
  return number[0] ?? 0;
}

function bitsOf(value: number): bigint {
  number[0] = value;
  return bits[0] ?? 0n;
}
