import assert from "node:assert/strict";
import { it } from "node:test";
import {
  deletion,
  fresh,
  hitIds,
  logOf,
  type MakeIndex,
  pair,
  refuses,
  upsert,
  watermark,
} from "./index-support.ts";

export function provesLabels(make: MakeIndex): void {
  it("shows a document only to who holds every one of its labels", async (t) => {
    const index = await fresh(make, t);
    await index.append(1, [
      upsert("open"),
      upsert("hr", { labels: ["hr"] }),
      upsert("both", { labels: ["hr", "legal"] }),
    ]);
    assert.deepEqual(await hitIds(index, {}), ["open"]);
    assert.deepEqual(await hitIds(index, { labels: [] }), ["open"]);
    assert.deepEqual(await hitIds(index, { labels: ["hr"] }), ["hr", "open"]);
    assert.deepEqual(await hitIds(index, { labels: ["legal"] }), ["open"]);
    assert.deepEqual(await hitIds(index, { labels: ["legal", "x", "hr"] }), ["both", "hr", "open"]);
    assert.deepEqual(await hitIds(index, { labels: ["h", "hr,legal", "%"] }), ["open"]);
  });

  it("asks for audience and labels both", async (t) => {
    const index = await fresh(make, t);
    await index.append(1, [upsert("a", { audience: "acme", labels: ["hr"] })]);
    assert.deepEqual(await hitIds(index, { audiences: ["public"], labels: ["hr"] }), []);
    assert.deepEqual(await hitIds(index, { audiences: ["acme"] }), []);
    assert.deepEqual(await hitIds(index, { audiences: ["acme"], labels: ["hr"] }), ["a"]);
  });

  it("gives k of k although documents with foreign labels are nearer", async (t) => {
    const index = await fresh(make, t);
    const secret = Array.from({ length: 40 }, (_, n) =>
      upsert(`secret-${n}`, { labels: [`case-${n % 10}`], numbers: [1, n / 1_000, 0] }),
    );
    const open = ["open-1", "open-2"].map((id) => upsert(id, { numbers: [0, 1, 0] }));
    await index.append(1, [...secret, ...open]);
    assert.deepEqual(await hitIds(index, { k: 2 }), ["open-1", "open-2"]);
  });

  it("hides a document as soon as it got a label, and shows it when that is gone", async (t) => {
    const index = await fresh(make, t);
    await index.append(1, [upsert("a")]);
    await index.append(1, [upsert("a", { labels: ["hr"] })]);
    assert.deepEqual(await hitIds(index, {}), []);
    await index.append(1, [upsert("a")]);
    assert.deepEqual(await hitIds(index, {}), ["a"]);
  });

  it("keeps labels and payload in log and records, and counts them in the digest", async (t) => {
    const { owner, replica } = await pair(make, t);
    const payload = { ﬁ: [1.5, null, { deep: "é\0" }], a: -0.1, empty: {} };
    await owner.append(1, [upsert("a", { labels: ["hr", "legal"], payload })]);
    const { digest } = await owner.position();
    const [record] = await owner.recordsOf(["a"]);
    assert.deepEqual(record?.labels, ["hr", "legal"]);
    assert.deepEqual(record.payload, payload);
    await replica.apply(await logOf(owner));
    assert.deepEqual(await replica.recordsOf(["a"]), [record]);
    await owner.append(1, [upsert("a", { labels: ["hr", "legal"] })]);
    assert.notEqual((await owner.position()).digest, digest);
    await owner.append(1, [upsert("a", { labels: ["legal"], payload })]);
    assert.notEqual((await owner.position()).digest, digest);
  });

  it("refuses labels that have no single spelling, and all with them", async (t) => {
    const { owner } = await pair(make, t);
    for (const labels of [["b", "a"], ["a", "a"], [""], ["\ud800"]]) {
      const bad = [upsert("y"), upsert("x", { labels })];
      await refuses(owner, "CORPUS_INVALID", () => owner.append(1, bad));
    }
  });
}

export function provesWatermarks(make: MakeIndex): void {
  it("has no watermark at first, and then the highest of each", async (t) => {
    const index = await fresh(make, t);
    assert.deepEqual(await index.watermarks(), { all: 0, tenants: {} });
    await index.append(1, [
      watermark(50),
      watermark(20, "acme"),
      watermark(40),
      watermark(30, "acme"),
    ]);
    assert.deepEqual(await index.watermarks(), { all: 50, tenants: { acme: 30 } });
  });

  it("moves the position by a watermark, and no record", async (t) => {
    const { owner, replica } = await pair(make, t);
    const before = await owner.position();
    const after = await owner.append(1, [watermark(50), watermark(60, "acme")]);
    assert.deepEqual(after, { ...before, seq: before.seq + 2, sourceTime: 60 });
    await replica.apply(await logOf(owner));
    assert.deepEqual(await replica.watermarks(), { all: 50, tenants: { acme: 60 } });
    assert.deepEqual(await replica.position(), after);
    assert.deepEqual(await hitIds(replica, {}), ["a", "b", "c"]);
  });

  it("takes watermarks back with the entries that raised them", async (t) => {
    const index = await fresh(make, t);
    await index.append(1, [watermark(10), upsert("a"), watermark(20), watermark(5, "acme")]);
    await index.rewindTo(2);
    assert.deepEqual(await index.watermarks(), { all: 10, tenants: {} });
    await index.append(1, [watermark(15)]);
    await index.rewindTo(0);
    assert.deepEqual(await index.watermarks(), { all: 0, tenants: {} });
  });

  it("refuses a watermark that carries a vector", async (t) => {
    const { owner } = await pair(make, t);
    const bad = { ...watermark(9), vector: upsert("a").vector };
    await refuses(owner, "CORPUS_INVALID", () => owner.append(1, [deletion("a"), bad]));
  });
}
