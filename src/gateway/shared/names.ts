import { createHash } from "node:crypto";

/** A place is looked for so many slots from its home; a table that is at most half full needs few. */
const MOST_STEPS = 256;

/**
 * Which slot of shared memory belongs to a name, agreed between threads without any of them
 * waiting: the first that asks claims a free slot with the name's hash, in one step. A slot is
 * never given back, so that no thread can hold an old answer.
 */
export class SharedNames {
  readonly #keys: BigInt64Array<SharedArrayBuffer>;
  readonly #known = new Map<string, number | null>();

  constructor(keys: BigInt64Array<SharedArrayBuffer>) {
    this.#keys = keys;
  }

  /** Null when there is no room. */
  slotOf(name: string): number | null {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const slot = this.#claim(keyOf(name));
    this.#known.set(name, slot);
    return slot;
  }

  /** Every slot that some thread has claimed. */
  claimed(): number[] {
    return [...this.#keys.keys()].filter((slot) => Atomics.load(this.#keys, slot) !== FREE);
  }

  #claim(key: bigint): number | null {
    const slots = this.#keys.length;
    const home = Number(BigInt.asUintN(32, key)) % slots;
    for (let step = 0; step < Math.min(slots, MOST_STEPS); step++) {
      const slot = (home + step) % slots;
      const holder = Atomics.compareExchange(this.#keys, slot, FREE, key);
      if (holder === FREE || holder === key) return slot;
    }
    return null;
  }
}

const FREE = 0n;

/** 64 bits: two of a million names are the same with a chance of one in 10 million. */
function keyOf(name: string): bigint {
  const key = createHash("sha256").update(name).digest().readBigInt64LE(0);
  return key === FREE ? 1n : key;
}
