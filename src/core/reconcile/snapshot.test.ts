import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { logEntrySchema, payloadSchema } from "../../model/change.ts";
import type { StoredRecord } from "../../model/record.ts";
import { recordDigest } from "./digest.ts";
import { gapAfter, type OwnerAt } from "./gap.ts";
import { rank, recordsForShare, shareServable } from "./heat.ts";
import { packEntries, packRecords, unpackEntries, unpackRecords } from "./packed-records.ts";
import { LayerCutter, readSnapshotTag, snapshotsAmong, snapshotTag } from "./snapshot.ts";
import { trimTo } from "./trim.ts";

const text = fc.string({ unit: "grapheme", maxLength: 12 });
const payload = fc
  .dictionary(text, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3 })
  .filter((one) => payloadSchema.safeParse(one).success);
const record: fc.Arbitrary<StoredRecord> = fc
  .record({
    ...{ id: text, audience: text, labels: fc.array(text, { maxLength: 3 }), embedding: text },
    ...{ vector: fc.uint8Array({ maxLength: 16 }), title: text, text, payload },
  })
  .map((one) => JSON.parse(JSON.stringify({ ...one, vector: [...one.vector] })))
  .map((one) => ({ ...one, vector: Uint8Array.from(one.vector) }))
  .map((one) => ({ ...one, digest: recordDigest(one) }));

describe("packed records", () => {
  it("come back as they were, whatever they hold", () => {
    fc.assert(
      fc.property(fc.array(record, { maxLength: 5 }), (records) => {
        const back = unpackRecords(packRecords(records));
        assert.deepEqual(
          back.map((one) => ({ ...one, vector: [...one.vector] })),
          records.map((one) => ({ ...one, vector: [...one.vector] })),
        );
      }),
    );
  });

  it("are refused when they are cut anywhere", () => {
    const bytes = packRecords([made(1), made(2)]);
    for (let length = 0; length < bytes.length; length += 1) {
      assert.throws(() => unpackRecords(bytes.subarray(0, length)), { code: "INDEX_CORRUPT" });
    }
    const more = Buffer.concat([bytes, Buffer.alloc(1)]);
    assert.throws(() => unpackRecords(more), { code: "INDEX_CORRUPT" });
    assert.throws(() => unpackEntries(bytes), { code: "INDEX_CORRUPT" });
  });
});

describe("packed log entries", () => {
  const entries = ["upsert", "delete", "watermark"].map((op, at) =>
    logEntrySchema.parse({
      ...{ seq: at + 1, epoch: 2, op, id: `d${at}`, title: "é", text: "", audience: "acme" },
      ...{ labels: ["a", "b"], payload: { n: at }, sourceTime: 1.5, embedding: "e" },
      ...{ vector: Buffer.alloc(8, at).toString("base64"), digestAfter: "0f".repeat(16) },
    }),
  );

  it("come back as they were", () => {
    assert.deepEqual(unpackEntries(packEntries(entries)), entries);
  });

  it("are as many as fit into a page, and always one", () => {
    assert.equal(unpackEntries(packEntries(entries, 1)).length, 1);
    assert.deepEqual(unpackEntries(packEntries([])), []);
  });
});

function made(n: number): StoredRecord {
  const common = { audience: "public", labels: ["x"], embedding: "e", title: "t", payload: {} };
  const one = { id: `d${n}`, ...common, vector: new Uint8Array(4), text: "words" };
  return { ...one, digest: recordDigest(one) };
}

describe("the ranking of records by what callers ask for", () => {
  const hits = fc
    .array(fc.tuple(fc.nat(30), fc.integer({ min: 1, max: 50 })), { minLength: 1, maxLength: 30 })
    .map((pairs) => new Map(pairs.map(([id, count]) => [`d${id}`, count])));

  it("grows to all of the traffic, and never tells more than is loaded", () => {
    fc.assert(
      fc.property(hits, fc.nat(40), (counts, loaded) => {
        const { ids, heat } = rank(counts);
        const sum = ids.slice(0, loaded).reduce((all, id) => all + (counts.get(id) ?? 0), 0);
        const share = shareServable(heat, loaded) ?? -1;
        assert.ok(share <= sum / heat.hits + 1e-9, `${share} > ${sum / heat.hits}`);
        assert.equal(shareServable(heat, ids.length), 1);
      }),
    );
  });

  it("gives the records that are needed for a share of the traffic", () => {
    fc.assert(
      fc.property(hits, fc.double({ min: 0.01, max: 1, noNaN: true }), (counts, share) => {
        const { heat } = rank(counts);
        const servable = shareServable(heat, recordsForShare(heat, share)) ?? 0;
        assert.ok(servable >= share - 1e-9);
      }),
    );
  });

  it("says nothing when nothing was seen", () => {
    assert.equal(shareServable(rank(new Map()).heat, 10), null);
  });
});

describe("the layers of a snapshot", () => {
  const cut = (records: readonly StoredRecord[], hot: ReadonlySet<string>) => {
    const cutter = new LayerCutter({ records: 4_000, hot, bytesPerRecord: 20_000 });
    const layers = records.flatMap((one) => cutter.add(one) ?? []);
    const last = cutter.end();
    return last === null ? layers : [...layers, last];
  };

  it("hold every record once, the hot ones by themselves", () => {
    const records = Array.from({ length: 50 }, (_, n) => made(n));
    const layers = cut(records, new Set(["d0", "d1"]));
    const held = layers.map(({ bytes }) => unpackRecords(bytes).map(({ id }) => id));
    assert.deepEqual(held[0], ["d0", "d1"]);
    assert.deepEqual(
      held.flat(),
      records.map(({ id }) => id),
    );
    assert.ok(layers.length > 5);
  });

  it("are named so that the newest stands first, also among several indexes", () => {
    const digest = `sha256:${"ab".repeat(32)}`;
    const position = (seq: number) => ({ seq, digest: "", sourceTime: 0, count: 0 });
    const tags = [
      snapshotTag({ index: "docs", epoch: 1, position: position(900) }, digest),
      snapshotTag({ index: "docs", epoch: 2, position: position(7) }, digest),
      snapshotTag({ index: "docs-2", epoch: 9, position: position(1) }, digest),
      "latest",
    ];
    assert.deepEqual(
      snapshotsAmong(tags, "docs").map(({ epoch }) => epoch),
      [2, 1],
    );
    assert.equal(readSnapshotTag(tags[2] ?? "")?.index, "docs-2");
  });
});

describe("whether a stream goes on from a snapshot", () => {
  const at = (seq: number, digest = "a") => ({ seq, digest, sourceTime: 0, count: 0 });
  const mark = (seq: number, digestAfter = "a") => ({ seq, epoch: 1, digestAfter });
  const owner: OwnerAt = { position: at(20, "z"), base: 10, at: mark(15) };
  const cases: readonly [name: string, seq: number, owner: OwnerAt, gap: RegExp | null][] = [
    ["that its log holds", 15, owner, null],
    ["of other records", 15, { ...owner, at: mark(15, "b") }, /other records at seq 15/],
    ["at its base", 10, { ...owner, at: null }, null],
    ["below its base", 9, { ...owner, at: null }, /begins above 10/],
    ["beyond its end", 21, { ...owner, at: null }, /ends at 20/],
    ["of a hole in its log", 12, { ...owner, at: null }, /no entry at seq 12/],
    ["where it stands", 20, { ...owner, position: at(20), at: null }, null],
    ["where it stands, of other records", 20, { ...owner, at: mark(20) }, /other records/],
  ];
  for (const [name, seq, word, gap] of cases) {
    it(`${gap === null ? "does" : "does not"} from one ${name}`, () => {
      const found = gapAfter(at(seq), word);
      if (gap === null) assert.equal(found, null);
      else assert.match(found ?? "", gap);
    });
  }
});

describe("how far a log is forgotten", () => {
  const others = (...pairs: readonly (readonly [number, number])[]) =>
    pairs.map(([seq, silentMs]) => ({ seq, silentMs }));
  it("is up to the oldest snapshot, whose entry stays", () => {
    assert.equal(trimTo({ oldest: 30, others: others([40, 0]), patienceMs: 100 }), 29);
  });
  it("is not beyond what a region that is there still needs", () => {
    assert.equal(trimTo({ oldest: 30, others: others([12, 0], [40, 0]), patienceMs: 100 }), 11);
  });
  it("does not wait for a region that is gone", () => {
    assert.equal(trimTo({ oldest: 30, others: others([12, 101]), patienceMs: 100 }), 29);
  });
  it("is nothing without a snapshot, or before anything was applied", () => {
    assert.equal(trimTo({ oldest: null, others: [], patienceMs: 100 }), 0);
    assert.equal(trimTo({ oldest: 30, others: others([0, 0]), patienceMs: 100 }), 0);
  });
});
