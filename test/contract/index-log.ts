import assert from "node:assert/strict";
import { it } from "node:test";
import {
  deletion,
  everything,
  fresh,
  logOf,
  type MakeIndex,
  pair,
  refuses,
  upsert,
  watermark,
} from "./index-support.ts";

/** Where the log begins. */
export function provesBase(make: MakeIndex): void {
  it("begins its log at 0, and above what it was told to forget", async (t) => {
    const { owner, entries } = await pair(make, t);
    assert.equal(await owner.base(), 0);
    const { log: _, base: __, ...before } = await everything(owner);
    assert.equal(await owner.trimLog(2), 2);
    const { log, base, ...after } = await everything(owner);
    assert.equal(base, 2);
    assert.deepEqual(log, entries.slice(2));
    assert.deepEqual(after, before, "nothing but the log is forgotten");
    assert.equal(await owner.entryAt(2), null);
    assert.deepEqual(await owner.entryAt(3), entries[2]);
    const [, , { seq, epoch, digestAfter } = assert.fail()] = entries;
    assert.deepEqual(await owner.markAt(3), { seq, epoch, digestAfter });
    assert.equal(await owner.markAt(2), null);
    assert.equal(await owner.markAt(99), null);
    assert.deepEqual(await owner.entriesAfter(0, 2), entries.slice(2));
    assert.deepEqual(await owner.entriesAfter(3, 2), []);
  });

  it("never forgets its last entry, nor remembers what it forgot", async (t) => {
    const { owner, entries } = await pair(make, t);
    assert.equal(await owner.trimLog(99), 2);
    assert.deepEqual(await logOf(owner), entries.slice(2));
    assert.equal(await owner.trimLog(1), 2);
    assert.equal(await (await fresh(make, t)).trimLog(5), 0);
  });

  it("goes on with a log that was trimmed as with a whole one", async (t) => {
    const { owner, replica, entries } = await pair(make, t);
    await replica.apply(entries);
    await replica.trimLog(2);
    await owner.append(1, [deletion("a"), upsert("b", { text: "new" })]);
    await replica.apply(await owner.entriesAfter(3, 10));
    assert.deepEqual(await replica.position(), await owner.position());
    assert.equal(await replica.rewindTo(3), 2);
    assert.deepEqual(
      await replica.recordsOf(["a", "b"]),
      await (await pair(make, t)).owner.recordsOf(["a", "b"]),
    );
  });

  it("skips a resend of what it forgot, since its contents speak for themselves", async (t) => {
    const { owner, entries } = await pair(make, t);
    await owner.trimLog(2);
    const before = await everything(owner);
    await owner.apply(entries);
    assert.deepEqual(await everything(owner), before);
  });

  it("can be taken back to its base and no further", async (t) => {
    const { owner } = await pair(make, t);
    await owner.append(1, [watermark(7), upsert("d", { sourceTime: 8 })]);
    const at = await owner.position();
    await owner.append(1, [deletion("d"), upsert("a", { text: "new" })]);
    await owner.trimLog(5);
    await refuses(owner, "INDEX_DIVERGED", () => owner.rewindTo(4));
    assert.equal(await owner.rewindTo(5), 2);
    assert.deepEqual(await owner.position(), at);
    assert.deepEqual(await logOf(owner), []);
    await refuses(owner, "INDEX_DIVERGED", () => owner.rewindTo(0));
    assert.equal((await owner.append(1, [upsert("e")])).seq, 6);
  });
}
