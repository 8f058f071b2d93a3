import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { verifyChain } from "../../core/evidence/chain.ts";
import { TideoverError } from "../../lib/errors.ts";
import { type Evidence, evidenceSchema } from "../../model/evidence.ts";
import { KEYS } from "../../model/keys.ts";
import { SimClock } from "../../sim/clock.ts";
import { MemoryBackend, MemoryStore } from "../../sim/store.ts";
import { createRecorder, type Recorder } from "./record.ts";

let backend: MemoryBackend;
let store: MemoryStore;
let recorder: Recorder;
const clock = new SimClock();
const fence = { key: KEYS.leader, revision: 1 };

beforeEach(() => {
  backend = new MemoryBackend(clock);
  store = new MemoryStore(backend);
  recorder = createRecorder({ store, clock });
  put(KEYS.leader, { id: "c1", term: 1 });
});

test("what is done and what is said about it are one write, and the chain verifies", async () => {
  await recorder.commit(fence, said("one", "a"));
  await recorder.commit(fence, said("two", "b"));
  assert.deepEqual(verifyChain(entries()), { ok: true });
  assert.deepEqual(
    entries().map(({ text }) => text),
    ["one", "two"],
  );
  assert.equal(backend.get("a")?.value, "one");
  assert.equal(backend.get("b")?.value, "two");
});

test("many at once are written one after the other, each linked to the one before", async () => {
  await Promise.all(Array.from({ length: 20 }, (_, at) => recorder.commit(fence, said(`${at}`))));
  assert.equal(entries().length, 20);
  assert.deepEqual(verifyChain(entries()), { ok: true });
});

test("a late leader's write is refused whole, with its evidence", async () => {
  await recorder.commit(fence, said("in time"));
  put(KEYS.leader, { id: "c2", term: 2 });
  await assert.rejects(recorder.commit(fence, said("late", "a")), { code: "LEASE_LOST" });
  assert.equal(backend.get("a"), null);
  assert.equal(entries().length, 1);
});

test("another writer of the record is linked after, not overwritten", async () => {
  const other = createRecorder({ store: new MemoryStore(backend), clock });
  await recorder.commit(fence, said("mine"));
  await other.commit(fence, said("theirs"));
  await recorder.commit(fence, said("mine again"));
  assert.deepEqual(verifyChain(entries()), { ok: true });
  assert.equal(entries().length, 3);
});

test("a compare of the write that does not hold is a conflict, and nothing is written", async () => {
  const write = { ...said("x", "a"), compare: [{ key: "b", revision: 9 }] };
  await assert.rejects(recorder.commit(fence, write), { code: "STORE_CONFLICT", retry: "now" });
  assert.deepEqual(entries(), []);
});

test("after an answer that was lost, the chain goes on from what really happened", async () => {
  await recorder.commit(fence, said("one"));
  for (const lostWhen of ["before", "after"] as const) {
    store.onCommit = (_, when) => {
      if (when === lostWhen) throw new TideoverError("lost", { code: "STORE_UNAVAILABLE" });
    };
    await assert.rejects(recorder.commit(fence, said(`lost ${lostWhen}`)), {
      code: "STORE_UNAVAILABLE",
    });
    store.onCommit = undefined;
    await recorder.commit(fence, said("next"));
  }
  assert.deepEqual(
    entries().map(({ text }) => text),
    ["one", "next", "lost after", "next"],
  );
  assert.deepEqual(verifyChain(entries()), { ok: true });
});

test("only the newest entries are kept, and they still verify from their anchor to the head", async () => {
  const short = createRecorder({ store, clock, kept: 3 });
  for (const text of ["1", "2", "3", "4", "5"]) await short.commit(fence, said(text));
  const kept = entries();
  assert.deepEqual(
    kept.map(({ seq }) => seq),
    [3, 4, 5],
  );
  kept.slice(1).forEach((entry, at) => {
    assert.equal(entry.previous, kept[at]?.hash);
  });
  assert.deepEqual(backend.get(KEYS.evidenceHead)?.value, kept.at(-1));
});

function said(text: string, key?: string) {
  const operations = key === undefined ? [] : [{ put: key, value: text }];
  return { operations, facts: [{ kind: "estate" as const, text }] };
}

function entries(): Evidence[] {
  return backend.list(KEYS.evidences).map(({ value }) => evidenceSchema.parse(value));
}

function put(key: string, value: unknown): void {
  backend.commit({ compare: [], operations: [{ put: key, value }] });
}
