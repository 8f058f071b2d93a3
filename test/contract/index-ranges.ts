import assert from "node:assert/strict";
import { it, type TestContext } from "node:test";
import { addDigest, rangeBounds, rangeKey, recordDigest } from "../../src/core/reconcile/digest.ts";
import { EMPTY_DIGEST } from "../../src/model/position.ts";
import {
  LEAF_BITS,
  type RangeRef,
  type RecordMark,
  type StoredRecord,
} from "../../src/model/record.ts";
import type { IndexStore } from "../../src/ports/index.ts";
import {
  ALL,
  deletion,
  everything,
  fresh,
  type MakeIndex,
  pair,
  refuses,
  upsert,
} from "./index-support.ts";

/** An index with so many documents that ranges of few bits hold several. */
async function crowd(make: MakeIndex, t: TestContext): Promise<IndexStore> {
  const index = await fresh(make, t);
  const ids = Array.from({ length: 60 }, (_, n) => `document ${n}`);
  await index.append(
    1,
    ids.map((id) => upsert(id)),
  );
  await index.append(1, [deletion("document 3"), upsert("document 4", { text: "new" })]);
  return index;
}

function sumOf(marks: readonly RecordMark[]): string {
  return marks.reduce((sum, { digest }) => addDigest(sum, digest), EMPTY_DIGEST);
}

export function provesRanges(make: MakeIndex): void {
  it("has one sum of all, which is its position's digest", async (t) => {
    const index = await crowd(make, t);
    const { count, digest } = await index.position();
    assert.deepEqual(await index.sums([ALL], 0), [{ ...ALL, count, digest }]);
  });

  it("gives every part of a range in order, also the empty ones, at every depth", async (t) => {
    const index = await crowd(make, t);
    for (const bits of [1, 2, 7, 8, 9, 12, LEAF_BITS]) {
      const sums = await index.sums([ALL], bits);
      assert.equal(sums.length, 2 ** bits);
      for (const [prefix, sum] of sums.entries()) {
        assert.deepEqual([sum.prefix, sum.bits], [prefix, bits]);
        if (sum.count === 0) assert.equal(sum.digest, EMPTY_DIGEST);
      }
      const filled = sums.filter(({ count }) => count > 0);
      for (const { count, digest, ...range } of filled) {
        const marks = await index.marks(range);
        assert.deepEqual([marks.length, sumOf(marks)], [count, digest]);
      }
      assert.equal(
        filled.reduce((total, { count }) => total + count, 0),
        59,
      );
    }
  });

  it("splits several ranges at once, one after the other", async (t) => {
    const index = await crowd(make, t);
    const ranges: RangeRef[] = [
      { prefix: 3, bits: 2 },
      { prefix: 5, bits: 6 },
      { prefix: 0, bits: 1 },
    ];
    const each = [];
    for (const range of ranges) each.push(...(await index.sums([range], 3)));
    assert.deepEqual(await index.sums(ranges, 3), each);
    assert.deepEqual(await index.sums([], 3), []);
  });

  it("keeps no sums beyond its leaves, and says so", async (t) => {
    const index = await crowd(make, t);
    await assert.rejects(index.sums([{ prefix: 0, bits: 10 }], 7), RangeError);
  });

  it("cuts ranges by the range key of the id, and lists them by id", async (t) => {
    const index = await crowd(make, t);
    const all = await index.marks(ALL);
    const ids = all.map(({ id }) => id);
    assert.deepEqual(
      ids,
      ids.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    for (const range of [
      { prefix: 2, bits: 2 },
      { prefix: 77, bits: 8 },
    ]) {
      const { from, below } = rangeBounds(range);
      const own = all.filter(({ id }) => rangeKey(id) >= from && rangeKey(id) < below);
      assert.deepEqual(await index.marks(range), own);
    }
  });

  it("gives the records of a range, or of ids, with all that was written", async (t) => {
    const index = await crowd(make, t);
    const records = await index.recordsIn(ALL);
    assert.deepEqual(
      records.map(({ id, digest }) => ({ id, digest })),
      await index.marks(ALL),
    );
    for (const record of records) assert.equal(recordDigest(record), record.digest);
    const [one] = records.filter(({ id }) => id === "document 4");
    assert.equal(one?.text, "new");
    const found = await index.recordsOf(["document 4", "document 3", "nobody", "document 4"]);
    assert.deepEqual(found, [one]);
    assert.deepEqual(await index.recordsOf([]), []);
  });
}

export function provesRepair(make: MakeIndex): void {
  const changed = (record: StoredRecord, text: string): StoredRecord => {
    const next = { ...record, text };
    return { ...next, digest: recordDigest(next) };
  };

  it("puts and drops records beside the log, and sums what is then there", async (t) => {
    const { owner } = await pair(make, t);
    const before = await everything(owner);
    const [a] = await owner.recordsOf(["a"]);
    assert.ok(a);
    const [other, added] = [changed(a, "mended"), changed({ ...a, id: "new" }, "added")];
    await owner.repair({ at: before.position, put: [other, added], drop: ["b", "nobody"] });
    const after = await everything(owner);
    const { position, log, base, orphans, epoch } = before;
    assert.deepEqual(
      {
        position: after.position,
        log: after.log,
        base: after.base,
        orphans: after.orphans,
        epoch: after.epoch,
      },
      { position, log, base, orphans, epoch },
    );
    assert.deepEqual(
      after.records.map(({ id }) => id),
      ["a", "c", "new"],
    );
    assert.deepEqual(after.hits.map(({ text }) => text).toSorted(), [
      "Text of c.",
      "added",
      "mended",
    ]);
    const [sum] = await owner.sums([ALL], 0);
    assert.deepEqual([sum?.count, sum?.digest], [3, sumOf(await owner.marks(ALL))]);
  });

  it("refuses to be repaired as of another position", async (t) => {
    const { owner } = await pair(make, t);
    const at = await owner.position();
    const put = await owner.recordsOf(["a"]);
    const others = [
      { ...at, seq: at.seq - 1 },
      { ...at, seq: at.seq + 1 },
      { ...at, digest: "f".repeat(32) },
    ];
    for (const other of others) {
      await refuses(owner, "INDEX_DIVERGED", () => owner.repair({ at: other, put, drop: ["b"] }));
    }
  });

  it("refuses a record whose digest is not its contents', and all with it", async (t) => {
    const { owner } = await pair(make, t);
    const at = await owner.position();
    const records = await owner.recordsOf(["a", "b"]);
    const put = records.map((record) =>
      record.id === "b" ? { ...record, text: "other" } : record,
    );
    await refuses(owner, "INDEX_CORRUPT", () => owner.repair({ at, put, drop: ["c"] }));
  });
}
