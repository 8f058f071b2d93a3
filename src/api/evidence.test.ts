import assert from "node:assert/strict";
import { test } from "node:test";
import { KEYS } from "../model/keys.ts";
import { readEvidence, readNewestEvidence } from "./evidence.ts";
import { record, storeWith } from "./values.fixture.ts";

/** Above the few that are read one by one. */
const MANY = 230;

test("few entries and many are read alike: all after a number, in order", async () => {
  const store = await storeWith(record(MANY));
  const seqs = async (after: number) => (await readEvidence(store, after)).map(({ seq }) => seq);
  const wanted = (after: number) => {
    const all = Array.from({ length: MANY }, (_, index) => index + 1);
    return all.filter((seq) => seq > after);
  };
  // 29 and 30 stand on either side of the change of method.
  for (const after of [-1_000, -1, 0, 1, 28, 29, 29.5, 30, 30.5, 31, 228.5, 229, 230, 231, 1e12])
    assert.deepEqual(await seqs(after), wanted(after), `after ${after}`);
});

test("what is read one by one is the entry as it was written", async () => {
  const entries = record(3);
  const store = await storeWith(entries);
  assert.deepEqual(await readEvidence(store, 1), [
    entries[KEYS.evidence(2)],
    entries[KEYS.evidence(3)],
  ]);
});

test("only the newest are read one by one: a long record is not listed for them", async () => {
  const store = await storeWith(record(MANY));
  store.list = () => assert.fail("the whole record was listed");
  const newest = await readNewestEvidence(store, 3);
  assert.deepEqual(
    newest.map(({ seq }) => seq),
    [228, 229, 230],
  );
});

test("an empty record has no entries, nor has one asked for more than it holds", async () => {
  const empty = await storeWith({ other: 1 });
  assert.deepEqual([await readEvidence(empty, 0), await readNewestEvidence(empty, 8)], [[], []]);
  const two = await storeWith(record(2));
  assert.equal((await readNewestEvidence(two, 8)).length, 2);
});

test("an entry that another version wrote is passed over, and does not hide the others", async () => {
  for (const count of [3, MANY]) {
    const store = await storeWith({
      ...record(count),
      [KEYS.evidence(2)]: { seq: 2, colour: "red" },
    });
    const read = await readEvidence(store, 0);
    assert.equal(read.length, count - 1);
    assert.deepEqual(
      read.slice(0, 2).map(({ seq }) => seq),
      [1, 3],
    );
  }
});
