import assert from "node:assert/strict";
import { test } from "node:test";
import type { Store } from "../../src/ports/store.ts";
import { type Cases, isTideoverError, keysOf, pullUntil, put, write } from "./store-cases.ts";

/** Resolves when nothing is under the prefix any more: a lease may end late, so it is waited for. */
async function untilGone(store: Store, prefix: string): Promise<void> {
  const abort = new AbortController();
  const states = store.watch(prefix, abort.signal)[Symbol.asyncIterator]();
  await pullUntil(states, (state) => state.length === 0);
  abort.abort();
}

/** Leases: late is allowed, early is not. */
export function leases(cases: Cases): void {
  endings(cases);
  keysUnderLeases(cases);
}

function endings({ fresh, both, world }: Cases): void {
  test("a key under a lease lives for the time to live, and not for ever", async () => {
    const { store, other } = both();
    const room = fresh();
    const lease = await store.grantLease(world().ttlMs);
    await write(store, put(`${room}a`, 1, lease), put(`${room}stays`, 1));
    await world().elapse(world().ttlMs * 0.9);
    assert.notEqual(await other.get(`${room}a`), null);
    await world().elapse(world().ttlMs);
    await untilGone(other, `${room}a`);
    assert.deepEqual(keysOf(await store.list(room)), [`${room}stays`]);
    assert.equal(await store.get(`${room}a`), null);
  });

  test("each keep-alive gives the full time again, by whichever handle", async () => {
    const { store, other } = both();
    const room = fresh();
    const lease = await store.grantLease(world().ttlMs);
    await write(store, put(`${room}a`, 1, lease));
    for (const handle of [store, other, store]) {
      await world().elapse(world().ttlMs * 0.8);
      assert.equal(await handle.keepAlive(lease), true);
    }
    await world().elapse(world().ttlMs * 0.9);
    assert.notEqual(await other.get(`${room}a`), null);
    await world().elapse(world().ttlMs);
    await untilGone(store, room);
  });

  test("a lease that is over cannot come back", async () => {
    const { store, other } = both();
    const room = fresh();
    const lease = await store.grantLease(world().ttlMs);
    await write(store, put(`${room}a`, 1, lease));
    await world().elapse(world().ttlMs * 2);
    await untilGone(other, room);
    assert.equal(await store.keepAlive(lease), false);
    assert.equal(await other.keepAlive(lease), false);
    assert.equal(await store.get(`${room}a`), null);
  });

  test("a revoked lease is over at once, with its keys; to revoke it again does nothing", async () => {
    const { store, other } = both();
    const room = fresh();
    const lease = await store.grantLease(world().ttlMs);
    await write(store, put(`${room}a`, 1, lease), put(`${room}b`, 1, lease), put(`${room}c`, 1));
    await other.revokeLease(lease);
    assert.deepEqual(keysOf(await store.list(room)), [`${room}c`]);
    assert.equal(await store.keepAlive(lease), false);
    await store.revokeLease(lease);
    assert.deepEqual(keysOf(await store.list(room)), [`${room}c`]);
  });

  test("the end of one lease leaves another alone", async () => {
    const { store } = both();
    const room = fresh();
    const short = await store.grantLease(world().ttlMs);
    const long = await store.grantLease(world().ttlMs * 3);
    await write(store, put(`${room}long`, 1, long), put(`${room}short`, 1, short));
    await world().elapse(world().ttlMs * 1.5);
    await untilGone(store, `${room}short`);
    assert.deepEqual(keysOf(await store.list(room)), [`${room}long`]);
    await store.revokeLease(long);
  });

  test("a time to live that is no time is refused", async () => {
    const { store } = both();
    for (const ttlMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      await assert.rejects(store.grantLease(ttlMs), RangeError);
    }
  });
}

function keysUnderLeases({ fresh, both, world }: Cases): void {
  test("a watcher on any handle is told when a lease's keys vanish", async () => {
    const { store, other } = both();
    const room = fresh();
    const lease = await store.grantLease(world().ttlMs);
    await write(store, put(`${room}a`, 1, lease));
    const abort = new AbortController();
    const watches = [store, other].map((handle) =>
      handle.watch(room, abort.signal)[Symbol.asyncIterator](),
    );
    for (const watch of watches) assert.equal((await watch.next()).value?.length, 1);
    const emptied = watches.map((watch) => watch.next());
    await world().elapse(world().ttlMs * 2);
    for (const state of await Promise.all(emptied)) assert.deepEqual(state.value, []);
    abort.abort();
  });

  test("the vanishing has a revision: who compared with the key's old one is refused", async () => {
    const { store, other } = both();
    const room = fresh();
    const lease = await store.grantLease(world().ttlMs);
    const revision = await write(store, put(`${room}leader`, "c1", lease));
    await world().elapse(world().ttlMs * 2);
    await untilGone(other, room);
    const late = await store.commit({
      compare: [{ key: `${room}leader`, revision }],
      operations: [put(`${room}work`, 1)],
    });
    assert.deepEqual(late, { ok: false, conflict: { key: `${room}leader`, revision, actual: 0 } });
    // One for the write, one for the vanishing.
    assert.ok((await write(store, put(`${room}work`, 1))) >= revision + 2);
  });

  test("a put under a lease that is over is refused with LEASE_LOST, whole", async () => {
    const { store, other } = both();
    const room = fresh();
    const revoked = await store.grantLease(world().ttlMs);
    await other.revokeLease(revoked);
    for (const lease of [revoked, "never-granted"]) {
      const operations = [put(`${room}free`, 1), put(`${room}leased`, 1, lease)];
      await assert.rejects(
        store.commit({ compare: [], operations }),
        isTideoverError("LEASE_LOST"),
      );
    }
    assert.deepEqual(await store.list(room), []);
  });

  test("a put without a lease frees the key from the lease that it was under", async () => {
    const { store } = both();
    const room = fresh();
    const lease = await store.grantLease(world().ttlMs);
    await write(store, put(`${room}a`, 1, lease), put(`${room}b`, 1, lease));
    await write(store, put(`${room}a`, 2));
    await store.revokeLease(lease);
    assert.deepEqual(keysOf(await store.list(room)), [`${room}a`]);
  });

  test("a put under a new lease frees the key from the old one", async () => {
    const { store } = both();
    const room = fresh();
    const old = await store.grantLease(world().ttlMs);
    const renewed = await store.grantLease(world().ttlMs);
    await write(store, put(`${room}a`, 1, old));
    await write(store, put(`${room}a`, 1, renewed));
    await store.revokeLease(old);
    assert.deepEqual(keysOf(await store.list(room)), [`${room}a`]);
    await store.revokeLease(renewed);
    assert.deepEqual(await store.list(room), []);
  });

  test("a deleted key that was made anew does not vanish with its first lease", async () => {
    const { store } = both();
    const room = fresh();
    const lease = await store.grantLease(world().ttlMs);
    await write(store, put(`${room}a`, 1, lease));
    await write(store, { delete: `${room}a` });
    await write(store, put(`${room}a`, 2));
    await store.revokeLease(lease);
    assert.deepEqual(keysOf(await store.list(room)), [`${room}a`]);
  });
}
