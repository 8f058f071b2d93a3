import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { NO_WATERMARKS } from "../../src/model/index-health.ts";
import { EMPTY_POSITION } from "../../src/model/position.ts";
import type { IndexStore } from "../../src/ports/index.ts";
import { provesLabels, provesWatermarks } from "./index-access.ts";
import { provesDurability } from "./index-durability.ts";
import { provesQuarantine, provesVerifiedReads } from "./index-health.ts";
import { provesHistories } from "./index-histories.ts";
import { provesBase } from "./index-log.ts";
import { provesRanges, provesRepair } from "./index-ranges.ts";
import {
  provesHotRestores,
  provesRestore,
  provesSnapshots,
  provesWrongRestores,
} from "./index-restore.ts";
import { provesAudiences, provesCompatibility, provesRanking } from "./index-search.ts";
import {
  ALL,
  deletion,
  everything,
  fresh,
  hitIds,
  logOf,
  type MakeIndex,
  pair,
  refuses,
  upsert,
} from "./index-support.ts";
import { provesSeveralVectors } from "./index-vectors.ts";

/** Every sentence of ports/index.ts as a test. `durable`: whether to prove survival of SIGKILL. */
export function indexContract(
  name: string,
  make: MakeIndex,
  { durable }: { readonly durable: boolean },
): void {
  describe(`the index contract: ${name}`, () => {
    provesEpochs(make);
    provesAppend(make);
    provesApply(make);
    provesContents(make);
    provesAudiences(make);
    provesRanking(make);
    provesCompatibility(make);
    provesSeveralVectors(make);
    provesLabels(make);
    provesWatermarks(make);
    provesRewind(make);
    provesBase(make);
    provesRanges(make);
    provesRepair(make);
    provesVerifiedReads(make);
    provesQuarantine(make);
    provesSnapshots(make);
    provesRestore(make);
    provesWrongRestores(make);
    provesHotRestores(make);
    provesUnavailability(make);
    provesHistories(make);
    if (durable) provesDurability(make);
  });
}

/**
 * What a caller is told: the sentences that depend on how an engine searches. For a second way of
 * searching of an engine that the whole contract tried in another.
 */
export function searchContract(name: string, make: MakeIndex): void {
  describe(`the search of an index: ${name}`, () => {
    provesAudiences(make);
    provesRanking(make);
    provesCompatibility(make);
    provesSeveralVectors(make);
    provesLabels(make);
    provesVerifiedReads(make);
    provesQuarantine(make);
    provesRestore(make);
    provesHotRestores(make);
  });
}

function provesEpochs(make: MakeIndex): void {
  it("has seen no epoch at first, and then the highest of append, apply and fence", async (t) => {
    const { owner, replica, entries } = await pair(make, t);
    assert.equal(await replica.epoch(), 0);
    await replica.apply(entries);
    assert.equal(await replica.epoch(), 1);
    await replica.fence(4);
    await replica.fence(2);
    assert.equal(await replica.epoch(), 4);
    await owner.append(7, []);
    assert.equal(await owner.epoch(), 7);
  });

  it("refuses an append under an epoch below the highest it has seen", async (t) => {
    const { owner, replica, entries } = await pair(make, t);
    await owner.fence(3);
    await refuses(owner, "EPOCH_STALE", () => owner.append(2, [upsert("late")]));
    await refuses(owner, "EPOCH_STALE", () => owner.append(2, []));
    await replica.apply(entries.map((entry) => ({ ...entry, epoch: 5 })));
    await refuses(replica, "EPOCH_STALE", () => replica.append(4, [upsert("late")]));
    assert.equal((await owner.append(3, [upsert("d")])).seq, 4);
  });

  it("gives no entry an epoch below 1", async (t) => {
    const index = await fresh(make, t);
    await refuses(index, "EPOCH_STALE", () => index.append(0, [upsert("a")]));
  });

  it("lets a fenced replica catch up on entries of older epochs", async (t) => {
    const { replica, entries } = await pair(make, t);
    await replica.fence(9);
    assert.equal((await replica.apply(entries)).seq, 3);
    assert.equal(await replica.epoch(), 9);
  });
}

function provesAppend(make: MakeIndex): void {
  it("is empty at first", async (t) => {
    const index = await fresh(make, t);
    assert.deepEqual(await index.position(), EMPTY_POSITION);
    assert.deepEqual(await index.entriesAfter(0, 10), []);
    assert.equal(await index.entryAt(1), null);
    assert.equal(await index.entryAt(0), null);
    assert.deepEqual(await index.orphans(), []);
  });

  it("gives appended changes their seq, epoch and digest, in order", async (t) => {
    const index = await fresh(make, t);
    const changes = [upsert("a"), upsert("b", { sourceTime: 7 }), deletion("a", { sourceTime: 9 })];
    const position = await index.append(2, changes);
    const log = await logOf(index);
    assert.deepEqual(
      log.map(({ seq, epoch }) => [seq, epoch]),
      [1, 2, 3].map((seq) => [seq, 2]),
    );
    assert.deepEqual(
      log.map(({ seq: _, epoch: __, digestAfter: ___, ...change }) => change),
      changes,
    );
    assert.deepEqual(position, {
      seq: 3,
      digest: log[2]?.digestAfter,
      sourceTime: 9,
      count: 1,
    });
    assert.deepEqual(await index.position(), position);
  });

  it("reads its log from any seq, at most so many, and one by one", async (t) => {
    const { owner, entries } = await pair(make, t);
    assert.deepEqual(await owner.entriesAfter(1, 1), entries.slice(1, 2));
    assert.deepEqual(await owner.entriesAfter(2, 10), entries.slice(2));
    assert.deepEqual(await owner.entriesAfter(3, 10), []);
    assert.deepEqual(await owner.entryAt(2), entries[1]);
    assert.equal(await owner.entryAt(4), null);
  });
}

function provesContents(make: MakeIndex): void {
  it("has the digest of its live records alone, whatever their order and history", async (t) => {
    const maker = await make(t);
    const [straight, winding] = [await maker.fresh(), await maker.fresh()];
    await straight.append(1, [upsert("a"), upsert("b")]);
    await winding.append(1, [upsert("b", { text: "old" }), upsert("x"), upsert("b")]);
    await winding.append(1, [deletion("x"), deletion("never there"), upsert("a")]);
    assert.equal((await winding.position()).digest, (await straight.position()).digest);
    assert.equal((await winding.position()).count, 2);
    await winding.append(1, [deletion("a"), deletion("b")]);
    assert.equal((await winding.position()).digest, EMPTY_POSITION.digest);
  });

  it("takes texts of every kind back out as they went in", async (t) => {
    const index = await fresh(make, t);
    const odd = upsert("id \0 'quoted\" \u{1f30a}", { title: "", text: "a\0b\r\n\u2028ﬁ é é" });
    await index.append(1, [odd]);
    const [entry] = await logOf(index);
    assert.equal(entry?.id, odd.id);
    assert.equal(entry?.text, odd.text);
    const [hit] = (await everything(index)).hits;
    assert.deepEqual([hit?.id, hit?.title, hit?.text], [odd.id, odd.title, odd.text]);
  });

  it("refuses a batch whole when one of its documents cannot be held", async (t) => {
    const { owner } = await pair(make, t);
    const bad = [
      upsert("x", { vector: "AAAA" }),
      upsert("x", { vector: "not base64!" }),
      upsert("x", { vector: upsert("x", { numbers: [1, Number.NaN, 0] }).vector }),
      upsert("x", { numbers: [1, 0] }),
      upsert("x", { title: "\ud800" }),
    ];
    for (const change of bad) {
      await refuses(owner, "CORPUS_INVALID", () => owner.append(1, [upsert("y"), change]));
    }
  });
}

function provesApply(make: MakeIndex): void {
  it("makes two copies that were fed the same entries equal", async (t) => {
    const { owner, replica, entries } = await pair(make, t);
    const position = await replica.apply(entries);
    assert.deepEqual(position, await owner.position());
    assert.deepEqual(await everything(replica), await everything(owner));
  });

  it("takes entries one by one, in parts and all at once to the same end", async (t) => {
    const maker = await make(t);
    const { owner, replica, entries } = await pair(make, t);
    const other = await maker.fresh();
    for (const entry of entries) await replica.apply([entry]);
    await other.apply(entries.slice(0, 2));
    await other.apply(entries.slice(2));
    assert.deepEqual(await everything(replica), await everything(owner));
    assert.deepEqual(await everything(other), await everything(owner));
  });

  it("skips what it has, so that a resend is harmless", async (t) => {
    const { replica, entries } = await pair(make, t);
    await replica.apply(entries.slice(0, 2));
    const before = await everything(replica);
    await replica.apply(entries.slice(0, 2));
    await replica.apply([]);
    assert.deepEqual(await everything(replica), before);
    assert.equal((await replica.apply(entries)).seq, 3);
  });

  it("refuses a gap", async (t) => {
    const { replica, entries } = await pair(make, t);
    await refuses(replica, "INDEX_DIVERGED", () => replica.apply(entries.slice(1)));
    await replica.apply(entries.slice(0, 1));
    await refuses(replica, "INDEX_DIVERGED", () => replica.apply(entries.slice(2)));
  });

  it("refuses a gap also where nothing that changes the records is missing", async (t) => {
    const { owner, replica } = await pair(make, t);
    await owner.append(1, [deletion("never there"), deletion("nor this")]);
    const entries = await logOf(owner);
    await replica.apply(entries.slice(0, 3));
    await refuses(replica, "INDEX_DIVERGED", () => replica.apply(entries.slice(4)));
  });

  it("refuses an entry whose digest is not what applying it gives, and all with it", async (t) => {
    const { replica, entries } = await pair(make, t);
    const changed = entries.map((entry) => (entry.seq === 3 ? { ...entry, text: "other" } : entry));
    await refuses(replica, "INDEX_DIVERGED", () => replica.apply(changed));
  });

  it("refuses an entry that is another one than it holds at that seq", async (t) => {
    const { replica, entries } = await pair(make, t);
    await replica.apply(entries);
    const other = { ...entries[1], digestAfter: "f".repeat(32) } as (typeof entries)[number];
    await refuses(replica, "INDEX_DIVERGED", () => replica.apply([other]));
  });

  it("refuses an older owner's entry on top of a newer one's", async (t) => {
    const maker = await make(t);
    const [old, index] = [await maker.fresh(), await maker.fresh()];
    // Both hold the same, so that neither seq nor digest gives the old owner away.
    await old.append(1, [upsert("a"), upsert("b")]);
    await index.append(2, [upsert("a")]);
    await refuses(index, "INDEX_DIVERGED", async () => index.apply(await old.entriesAfter(1, 1)));
  });
}

function provesRewind(make: MakeIndex): void {
  it("takes back all above a seq, and is then as it was", async (t) => {
    const { owner, replica, entries } = await pair(make, t);
    await replica.apply(entries);
    const tail = [upsert("a", { text: "new", audience: "bolt" }), deletion("b"), upsert("d")];
    await owner.append(2, tail);
    const dropped = await owner.entriesAfter(3, 10);
    assert.equal(await owner.rewindTo(3), 3);
    const { orphans, epoch, ...rest } = await everything(owner);
    const { orphans: _, epoch: __, ...expected } = await everything(replica);
    assert.deepEqual(rest, expected);
    assert.deepEqual(orphans, dropped);
    assert.equal(epoch, 2, "an ownership that was seen stays seen");
  });

  it("takes nothing back when nothing is above", async (t) => {
    const { owner } = await pair(make, t);
    const before = await everything(owner);
    assert.equal(await owner.rewindTo(3), 0);
    assert.equal(await owner.rewindTo(99), 0);
    assert.deepEqual(await everything(owner), before);
  });

  it("can be taken back to the start, and filled again", async (t) => {
    const { owner, entries } = await pair(make, t);
    const before = await owner.position();
    assert.equal(await owner.rewindTo(0), 3);
    assert.deepEqual(await owner.position(), EMPTY_POSITION);
    assert.deepEqual(await owner.apply(entries), before);
    assert.deepEqual(await owner.orphans(), entries);
  });

  it("keeps the orphans of every rewind, also those of one seq", async (t) => {
    const index = await fresh(make, t);
    await index.append(1, [upsert("a"), upsert("first")]);
    await index.rewindTo(1);
    await index.append(1, [upsert("second")]);
    await index.rewindTo(1);
    const ids = (await index.orphans()).map(({ id }) => id);
    assert.deepEqual(ids, ["first", "second"]);
  });
}

const NOTHING = {
  position: EMPTY_POSITION,
  epoch: 0,
  watermarks: NO_WATERMARKS,
  records: (async function* () {})(),
};

function provesUnavailability(make: MakeIndex): void {
  const calls: readonly ((index: IndexStore) => Promise<unknown>)[] = [
    (index) => index.position(),
    (index) => index.epoch(),
    (index) => index.fence(1),
    (index) => index.append(1, [upsert("a")]),
    (index) => index.apply([]),
    (index) => index.entriesAfter(0, 1),
    (index) => index.entryAt(1),
    (index) => index.rewindTo(0),
    (index) => index.orphans(),
    (index) => hitIds(index, {}),
    (index) => index.watermarks(),
    (index) => index.base(),
    (index) => index.trimLog(1),
    (index) => index.standing(),
    (index) => index.quarantine(null),
    (index) => index.facts(),
    (index) => index.sums([ALL], 1),
    (index) => index.marks(ALL),
    (index) => index.recordsIn(ALL),
    (index) => index.recordsOf(["a"]),
    (index) => index.repair({ at: EMPTY_POSITION, put: [], drop: [] }),
    (index) => index.openSnapshot(),
    (index) => index.restore(NOTHING),
  ];

  it("throws INDEX_UNAVAILABLE from every call when its storage cannot be read", async (t) => {
    const index = await (await make(t)).spoiled();
    for (const call of calls) {
      await assert.rejects(call(index), (error: { code?: string; next?: string }) => {
        assert.equal(error.code, "INDEX_UNAVAILABLE");
        assert.ok(error.next);
        return true;
      });
    }
  });

  it("throws INDEX_UNAVAILABLE from every call once it was closed", async (t) => {
    const index = await fresh(make, t);
    await index.close();
    await index.close();
    for (const call of calls) await assert.rejects(call(index), { code: "INDEX_UNAVAILABLE" });
  });
}
