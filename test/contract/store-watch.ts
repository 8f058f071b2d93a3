import assert from "node:assert/strict";
import { test } from "node:test";
import type { Store } from "../../src/ports/store.ts";
import {
  type Cases,
  incrementBy,
  isTideoverError,
  keysOf,
  pullUntil,
  put,
  valuesOf,
  write,
} from "./store-cases.ts";

/** `watch`: level-triggered, whole states, and the last one is never lost. */
export function watching({ fresh, both, world }: Cases): void {
  const watchFor = (store: Store, prefix: string) => {
    const abort = new AbortController();
    return { abort, states: store.watch(prefix, abort.signal)[Symbol.asyncIterator]() };
  };

  test("a watch begins with a full read, also of nothing", async () => {
    const { store } = both();
    const room = fresh();
    const empty = watchFor(store, room);
    assert.deepEqual((await empty.states.next()).value, []);
    await write(store, put(`${room}a`, 1), put(`${room}b`, 2));
    const full = watchFor(store, room);
    assert.deepEqual(valuesOf((await full.states.next()).value ?? []), [1, 2]);
    empty.abort.abort();
    full.abort.abort();
  });

  test("a watch tells a put, an overwrite with an equal value, and a delete, of any handle", async () => {
    const { store, other } = both();
    const room = fresh();
    const { abort, states } = watchFor(store, room);
    await states.next();
    const first = await write(other, put(`${room}a`, 1));
    const told = [{ key: `${room}a`, value: 1, revision: first }];
    assert.deepEqual((await states.next()).value, told);
    const second = await write(store, put(`${room}a`, 1));
    const toldAgain = [{ key: `${room}a`, value: 1, revision: second }];
    assert.deepEqual((await states.next()).value, toldAgain);
    await write(other, { delete: `${room}a` });
    assert.deepEqual((await states.next()).value, []);
    abort.abort();
  });

  test("a change while nobody pulls is told at the next pull, many at once as the newest", async () => {
    const { store, other } = both();
    const room = fresh();
    const { abort, states } = watchFor(store, room);
    await states.next();
    for (let n = 1; n <= 20; n++) await write(n % 2 === 0 ? store : other, put(`${room}a`, n));
    assert.deepEqual(valuesOf((await states.next()).value ?? []), [20]);
    abort.abort();
  });

  test("a change elsewhere is not told", async () => {
    const { store, other } = both();
    const room = fresh();
    const { abort, states } = watchFor(store, `${room}in/`);
    await states.next();
    const next = states.next();
    await write(store, put(`${room}out`, 1));
    await write(other, put(`${room}in/a`, 2));
    assert.deepEqual(keysOf((await next).value ?? []), [`${room}in/a`]);
    abort.abort();
  });

  test("under a stream of writes from two handles, the last state is never lost", async () => {
    const { store, other } = both();
    const room = fresh();
    const { abort, states } = watchFor(store, room);
    const writing = Promise.all([
      incrementBy(store, `${room}a`, 40),
      incrementBy(other, `${room}b`, 40),
    ]);
    await pullUntil(
      states,
      (state) => state.every((entry) => entry.value === 40) && state.length === 2,
    );
    await writing;
    abort.abort();
  });

  test("every state that is told is whole: keys that change together are never seen apart", async () => {
    const { store, other } = both();
    const room = fresh();
    const { abort, states } = watchFor(other, room);
    const writing = (async () => {
      for (let n = 1; n <= 30; n++) await write(store, put(`${room}a`, n), put(`${room}b`, n));
    })();
    await pullUntil(states, (state) => {
      const [a, b] = valuesOf(state);
      assert.equal(a, b);
      return a === 30;
    });
    await writing;
    abort.abort();
  });

  test("an abort ends a watch that waits, one that is not pulled, and one not yet begun", async () => {
    const { store } = both();
    const room = fresh();
    const waiting = watchFor(store, room);
    await waiting.states.next();
    const next = waiting.states.next();
    waiting.abort.abort();
    assert.equal((await next).done, true);

    const idle = watchFor(store, room);
    await idle.states.next();
    idle.abort.abort();
    await write(store, put(`${room}a`, 1));
    assert.equal((await idle.states.next()).done, true);

    const never = store.watch(room, AbortSignal.abort())[Symbol.asyncIterator]();
    assert.equal((await never.next()).done, true);
  });

  test("closing a handle ends its watches with STORE_UNAVAILABLE, and every later call", async () => {
    const store = await world().open();
    const { states } = watchFor(store, fresh());
    await states.next();
    const waiting = assert.rejects(states.next(), isTideoverError("STORE_UNAVAILABLE"));
    await store.close();
    await waiting;
    await assert.rejects(store.get("a"), isTideoverError("STORE_UNAVAILABLE"));
    await store.close();
  });
}
