import assert from "node:assert/strict";
import { it } from "node:test";
import type { StoredRecord } from "../../src/model/record.ts";
import type { IndexRestore, IndexStore } from "../../src/ports/index.ts";
import {
  copyOf,
  deletion,
  everything,
  fresh,
  hitIds,
  logOf,
  type MakeIndex,
  pair,
  refuses,
  restoreFrom,
  upsert,
  watermark,
} from "./index-support.ts";

async function recordsOf(snapshot: AsyncIterable<readonly StoredRecord[]>) {
  const pages: (readonly StoredRecord[])[] = [];
  for await (const page of snapshot) pages.push(page);
  return pages;
}

/** Ten documents, with all that a record can have. */
async function rich(index: IndexStore): Promise<void> {
  const ids = Array.from({ length: 10 }, (_, n) => `d${n}`);
  await index.append(3, [
    ...ids.map((id, n) => upsert(id, { numbers: [1, n, 0], payload: { n }, sourceTime: n })),
    upsert("d1", { labels: ["hr"], audience: "acme" }),
    deletion("d2"),
    watermark(40),
    watermark(30, "acme"),
  ]);
}

export function provesSnapshots(make: MakeIndex): void {
  it("gives all records of one moment, in pages, while writes go on", async (t) => {
    const index = await fresh(make, t);
    await rich(index);
    const [position, records] = [
      await index.position(),
      await index.recordsIn({ prefix: 0, bits: 0 }),
    ];
    const snapshot = await index.openSnapshot();
    await index.append(4, [
      deletion("d0"),
      upsert("d3", { text: "new" }),
      upsert("later"),
      watermark(99),
    ]);
    assert.deepEqual(snapshot.position, position);
    assert.equal(snapshot.epoch, 3);
    assert.deepEqual(snapshot.watermarks, { all: 40, tenants: { acme: 30 } });
    const pages = await recordsOf(snapshot.records(4));
    assert.ok(pages.every(({ length }) => length > 0 && length <= 4));
    const byId = pages.flat().toSorted((a, b) => (a.id < b.id ? -1 : 1));
    assert.deepEqual(byId, records);
    await snapshot.close();
    await snapshot.close();
  });

  it("gives those that were asked for first, and each record once", async (t) => {
    const index = await fresh(make, t);
    await rich(index);
    const snapshot = await index.openSnapshot();
    const first = ["d7", "nobody", "d5", "d7"];
    const ids = (await recordsOf(snapshot.records(3, first))).flat().map(({ id }) => id);
    assert.deepEqual(ids.slice(0, 2).toSorted(), ["d5", "d7"]);
    assert.deepEqual(ids.toSorted(), ["d0", "d1", "d3", "d4", "d5", "d6", "d7", "d8", "d9"]);
    await snapshot.close();
  });

  it("gives an empty index's position and no page", async (t) => {
    const snapshot = await (await fresh(make, t)).openSnapshot();
    assert.equal(snapshot.position.seq, 0);
    assert.deepEqual(await recordsOf(snapshot.records(4)), []);
    await snapshot.close();
  });
}

export function provesRestore(make: MakeIndex): void {
  it("holds what the snapshot held, and begins its log there", async (t) => {
    const { owner: copy } = await pair(make, t);
    const source = await fresh(make, t);
    await rich(source);
    await copy.rewindTo(2);
    const position = await source.position();
    assert.deepEqual(await restoreFrom(copy, source), position);
    const { log: _, base: __, orphans: ___, ...expected } = await everything(source);
    const { log, base, orphans, ...rest } = await everything(copy);
    assert.deepEqual(rest, expected);
    assert.deepEqual([log, base], [[], position.seq]);
    assert.deepEqual(
      orphans.map(({ id }) => id),
      ["c"],
      "what was kept aside stays",
    );
    assert.equal(await copy.entryAt(position.seq), null);
  });

  it("goes on with the stream from the snapshot's position", async (t) => {
    const { owner, replica } = await pair(make, t);
    await restoreFrom(replica, owner);
    await owner.append(1, [deletion("a"), upsert("d"), upsert("b", { text: "new" })]);
    assert.deepEqual(await replica.apply(await owner.entriesAfter(3, 10)), await owner.position());
    assert.deepEqual((await everything(replica)).records, (await everything(owner)).records);
    assert.equal(await replica.rewindTo(3), 3);
    await refuses(replica, "INDEX_DIVERGED", () => replica.rewindTo(2));
    assert.deepEqual(await hitIds(replica, {}), ["a", "b", "c"]);
  });

  it("can be restored again and again, also to something older and to nothing", async (t) => {
    const { owner, replica } = await pair(make, t);
    const empty = await fresh(make, t);
    for (const source of [owner, empty, owner, owner]) {
      await restoreFrom(replica, source);
      assert.deepEqual(await replica.position(), await source.position());
      assert.deepEqual(await hitIds(replica, {}), await hitIds(source, {}));
    }
  });

  it("keeps the highest epoch that it has seen", async (t) => {
    const { owner, replica } = await pair(make, t);
    await replica.fence(9);
    await restoreFrom(replica, owner);
    assert.equal(await replica.epoch(), 9);
    await owner.fence(12);
    await restoreFrom(replica, owner);
    assert.equal(await replica.epoch(), 12);
  });

  it("shows nothing of a restore before all of it is in", async (t) => {
    const { owner, replica } = await pair(make, t);
    await replica.append(1, [upsert("former")]);
    const before = await everything(replica);
    const { from, close } = await copyOf(owner);
    const records = async function* () {
      for await (const page of from.records) {
        yield page;
        assert.deepEqual(await everything(replica), before);
      }
    };
    await replica.restore({ ...from, records: records() });
    assert.deepEqual(await hitIds(replica, {}), ["a", "b", "c"]);
    await close();
  });
}

export function provesWrongRestores(make: MakeIndex): void {
  const lies: Readonly<
    Record<string, (from: IndexRestore, all: readonly StoredRecord[]) => IndexRestore>
  > = {
    "lacks a record": (from, all) => ({ ...from, records: pages(all.slice(1)) }),
    "has another position's digest": (from) => ({
      ...from,
      position: { ...from.position, digest: "f".repeat(32) },
    }),
    "has another position's count": (from) => ({
      ...from,
      position: { ...from.position, count: 4 },
    }),
  };
  for (const [fault, lie] of Object.entries(lies)) {
    for (const hot of [undefined, 1]) {
      const seen = hot === undefined ? "" : ", also when its hot part was seen";
      it(`is as it was after a snapshot that ${fault}${seen}`, async (t) => {
        const { owner, replica } = await pair(make, t);
        await replica.append(1, [upsert("former"), watermark(5)]);
        const from = await plainCopy(owner);
        const wrong = { ...lie(from, from.all), ...(hot === undefined ? {} : { hot }) };
        await refuses(replica, "INDEX_DIVERGED", () => replica.restore(wrong));
        await replica.append(1, [upsert("more")]);
        await replica.restore({ ...from, records: pages(from.all) });
        assert.deepEqual(await hitIds(replica, {}), ["a", "b", "c"]);
      });
    }
  }

  it("refuses a damaged record of a snapshot, and is as it was", async (t) => {
    const { owner, replica } = await pair(make, t);
    const { all, ...from } = await plainCopy(owner);
    const records = all.map((record) =>
      record.id === "b" ? { ...record, text: "other" } : record,
    );
    await refuses(replica, "INDEX_CORRUPT", () =>
      replica.restore({ ...from, records: pages(records) }),
    );
  });

  it("is as it was when the snapshot's source fails in the middle", async (t) => {
    const { owner, replica } = await pair(make, t);
    const before = await everything(replica);
    const { all, ...from } = await plainCopy(owner);
    const records = async function* () {
      yield all.slice(0, 1);
      throw new Error("the source is gone");
    };
    await assert.rejects(
      replica.restore({ ...from, records: records(), hot: 1 }),
      /source is gone/,
    );
    assert.deepEqual(await everything(replica), before);
  });
}

export function provesHotRestores(make: MakeIndex): void {
  it("answers from the hot part as soon as that is in, and says how much it has", async (t) => {
    const { owner, replica } = await pair(make, t);
    await replica.append(1, [upsert("former")]);
    const { all, ...from } = await plainCopy(owner);
    const told: unknown[] = [];
    const records = async function* () {
      for (const [at, record] of all.entries()) {
        yield [record];
        if (at > 0) await loads(replica, at + 1);
        told.push([await replica.standing(), await hitIds(replica, {})]);
      }
    };
    await replica.restore({ ...from, records: records(), hot: 2 });
    const part = (loaded: number) => ({ kind: "partial", loaded, total: 3 });
    assert.deepEqual(told, [
      [{ kind: "whole" }, ["former"]],
      [part(2), ["a", "b"]],
      [part(3), ["a", "b", "c"]],
    ]);
    assert.deepEqual(await replica.standing(), { kind: "whole" });
    assert.deepEqual(await logOf(replica), []);
  });

  it("asks the hot part for audience and labels as well", async (t) => {
    const { owner, replica } = await pair(make, t);
    await owner.append(1, [upsert("hr", { labels: ["hr"] }), upsert("bolt", { audience: "bolt" })]);
    const { all, ...from } = await plainCopy(owner);
    const records = async function* () {
      yield all;
      await loads(replica, all.length);
      assert.deepEqual(await hitIds(replica, {}), ["a", "b", "c"]);
      const mine = { audiences: ["public", "bolt"], labels: ["hr"] };
      assert.deepEqual(await hitIds(replica, mine), ["a", "b", "bolt", "c", "hr"]);
    };
    await replica.restore({ ...from, records: records(), hot: 1 });
  });
}

/** An index may still be loading a page when it asks for the next one. */
async function loads(index: IndexStore, count: number): Promise<void> {
  for (;;) {
    const standing = await index.standing();
    if (standing.kind === "partial" && standing.loaded === count) return;
    await new Promise(setImmediate);
  }
}

async function plainCopy(index: IndexStore) {
  const { from, close } = await copyOf(index);
  const all = (await recordsOf(from.records)).flat().toSorted((a, b) => (a.id < b.id ? -1 : 1));
  await close();
  return { ...from, all, records: pages(all) };
}

async function* pages(records: readonly StoredRecord[]): AsyncIterable<readonly StoredRecord[]> {
  for (const record of records) yield [record];
}
