/** Chance that repeats itself: equal seeds give equal runs. Not for secrets. */
export interface Random {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** A whole number from 0 up to, not including, `limit`. */
  below(limit: number): number;
  /** true in this share of all calls; 0 is never, 1 is always. */
  chance(share: number): boolean;
  /** One of them. Throws RangeError on an empty list. */
  pick<T>(from: readonly T[]): T;
}

/** Generator mulberry32 (Tommy Ettinger, public domain): 32 bits of state, period 2^32. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { next, below, chance: (share) => next() < share, pick: (from) => pick(from, below) };
}

function pick<T>(from: readonly T[], below: (limit: number) => number): T {
  if (from.length === 0) throw new RangeError("cannot pick from an empty list");
  return from[below(from.length)] as T;
}
