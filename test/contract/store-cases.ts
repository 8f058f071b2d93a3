import assert from "node:assert/strict";
import { TideoverError } from "../../src/lib/errors.ts";
import type { Operation, Store, StoreEntry } from "../../src/ports/store.ts";

/** One fresh store with a clock that the suite can move. */
export interface StoreWorld {
  /** Another handle on the same store, as another process has. The world closes it at its end. */
  open(): Promise<Store>;
  /** Lets this much time pass by the store's own clock. */
  elapse(ms: number): Promise<void>;
  /** Time to live that the lease tests use: long enough that the store's clock can resolve 1 %. */
  readonly ttlMs: number;
  end(): Promise<void>;
}

/** What a group of cases of the store contract works with. */
export interface Cases {
  fresh(): string;
  both(): { readonly store: Store; readonly other: Store };
  world(): StoreWorld;
}

export const put = (key: string, value: unknown, lease?: string): Operation =>
  lease === undefined ? { put: key, value } : { put: key, value, lease };

/** Writes without a condition; gives the revision. */
export async function write(store: Store, ...operations: Operation[]): Promise<number> {
  const result = await store.commit({ compare: [], operations });
  assert.ok(result.ok);
  return result.revision;
}

export const keysOf = (entries: readonly StoreEntry[]) => entries.map((entry) => entry.key);
export const valuesOf = (entries: readonly StoreEntry[]) => entries.map((entry) => entry.value);

export function isTideoverError(code: string): (error: unknown) => boolean {
  return (error) => error instanceof TideoverError && error.code === code;
}

/** Adds 1 `times` times by compare-and-set, and again whenever another was faster. */
export async function incrementBy(store: Store, key: string, times: number): Promise<void> {
  for (let done = 0; done < times; ) {
    const entry = await store.get(key);
    const result = await store.commit({
      compare: [{ key, revision: entry?.revision ?? 0 }],
      operations: [put(key, Number(entry?.value ?? 0) + 1)],
    });
    if (result.ok) done++;
  }
}

/** Pulls states until one satisfies; the ones in between may be missing, the last never. */
export async function pullUntil(
  states: AsyncIterator<StoreEntry[]>,
  wanted: (state: StoreEntry[]) => boolean,
): Promise<StoreEntry[]> {
  for (;;) {
    const { done, value } = await states.next();
    assert.ok(done !== true, "the watch ended before it told the state");
    if (wanted(value)) return value;
  }
}
