import assert from "node:assert/strict";
import { test } from "node:test";
import { storeContract } from "../../test/contract/store.ts";
import { isTideoverError, put } from "../../test/contract/store-cases.ts";
import { SimClock } from "./clock.ts";
import { MemoryBackend, MemoryStore } from "./store.ts";

storeContract("memory", async () => {
  const clock = new SimClock();
  const backend = new MemoryBackend(clock);
  return {
    open: async () => new MemoryStore(backend),
    elapse: (ms) => clock.advance(ms),
    ttlMs: 10_000,
    end: async () => {},
  };
});

const write = { compare: [], operations: [put("a", 1)] };

test("a lease lives to the last millisecond, whatever the wall clock does", async () => {
  const clock = new SimClock();
  const store = new MemoryStore(new MemoryBackend(clock));
  const lease = await store.grantLease(1_000);
  await store.commit({ compare: [], operations: [put("a", 1, lease)] });
  clock.jumpWall(86_400_000);
  await clock.advance(999);
  assert.notEqual(await store.get("a"), null);
  clock.jumpWall(-7 * 86_400_000);
  await clock.advance(1);
  assert.equal(await store.get("a"), null);
});

test("a crash before a commit writes nothing; one after it has written", async () => {
  const backend = new MemoryBackend(new SimClock());
  const crash = new Error("crashed");
  const crashing = (at: "before" | "after") =>
    new MemoryStore(backend, {
      onCommit: (_transaction, when) => {
        if (when === at) throw crash;
      },
    });
  const survivor = new MemoryStore(backend);
  await assert.rejects(crashing("before").commit(write), crash);
  assert.equal(await survivor.get("a"), null);
  await assert.rejects(crashing("after").commit(write), crash);
  assert.equal((await survivor.get("a"))?.value, 1);
});

test("the hook is told the transaction, and nothing after a conflict", async () => {
  const told: unknown[] = [];
  const store = new MemoryStore(new MemoryBackend(new SimClock()));
  store.onCommit = (transaction, when) => told.push([transaction, when]);
  await store.commit(write);
  const stale = { compare: [{ key: "a", revision: 0 }], operations: [] };
  await store.commit(stale);
  assert.deepEqual(told, [
    [write, "before"],
    [write, "after"],
    [stale, "before"],
  ]);
});

test("a process that is cut off is refused and its watch ends; the others go on", async () => {
  const backend = new MemoryBackend(new SimClock());
  const [cut, whole] = [new MemoryStore(backend), new MemoryStore(backend)];
  const states = cut.watch("", new AbortController().signal)[Symbol.asyncIterator]();
  await states.next();
  const waiting = assert.rejects(states.next(), isTideoverError("STORE_UNAVAILABLE"));
  cut.reachable = false;
  await waiting;
  await assert.rejects(cut.commit(write), isTideoverError("STORE_UNAVAILABLE"));
  assert.ok((await whole.commit(write)).ok);
  cut.reachable = true;
  assert.equal((await cut.get("a"))?.value, 1);
});
