import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { EMPTY_DIGEST, type Position } from "../../model/position.ts";
import { LEAF_BITS, type RangeSum, type StoredRecord } from "../../model/record.ts";
import { addDigest, leafOf, rangeKey, recordDigest } from "./digest.ts";
import {
  alteredOf,
  describeFindings,
  type Finding,
  judgePosition,
  judgeRange,
  missingOf,
  suspectsOf,
} from "./scrub.ts";

function record(id: string, but: Partial<StoredRecord> = {}): StoredRecord {
  const vector = new Uint8Array([0, 0, 128, 63]);
  const texts = { id, audience: "public", embedding: "e1", title: id, text: `Text of ${id}.` };
  const contents = { ...texts, labels: [], payload: {}, vector };
  return { ...contents, digest: recordDigest(contents), ...but };
}

/** The kept sums of all leaves that these records are written to. */
function keptSums(records: readonly StoredRecord[]): RangeSum[] {
  const leaves = new Map<number, RangeSum>();
  for (const { id, digest } of records) {
    const { prefix } = leafOf(rangeKey(id));
    const sum = leaves.get(prefix) ?? { prefix, bits: LEAF_BITS, count: 0, digest: EMPTY_DIGEST };
    leaves.set(prefix, { ...sum, count: sum.count + 1, digest: addDigest(sum.digest, digest) });
  }
  return [...leaves.values()];
}

const ROOT = { prefix: 0, bits: 0 };

function totalOf(records: readonly StoredRecord[]): string {
  return records.reduce((sum, one) => addDigest(sum, one.digest), EMPTY_DIGEST);
}

const WRITTEN = ["a", "b", "c", "d", "e"].map((id) => record(id));
const KEPT = keptSums(WRITTEN);

function kinds(findings: readonly Finding[]): string[] {
  return [...new Set(findings.map(({ kind }) => kind))].sort();
}

function replaced(id: string, but: Partial<StoredRecord>): StoredRecord[] {
  return WRITTEN.map((one) => (one.id === id ? { ...one, ...but } : one));
}

describe("a scrub of a range", () => {
  it("finds nothing in what was written", () => {
    assert.deepEqual(judgeRange(ROOT, KEPT, WRITTEN), []);
    assert.deepEqual(judgeRange(ROOT, [], []), []);
  });

  const oneBit = Uint8Array.from([0, 0, 129, 63]);
  const alterations: [string, Partial<StoredRecord>][] = [
    ["one bit of the vector", { vector: oneBit }],
    ["a shorter vector", { vector: new Uint8Array(0) }],
    ["the audience", { audience: "acme" }],
    ["a label more", { labels: ["staff"] }],
    ["the embedding version", { embedding: "e2" }],
    ["the title", { title: "A" }],
    ["half a character in the text", { text: "\ud800" }],
    ["the payload", { payload: { page: 1 } }],
  ];
  for (const [what, but] of alterations) {
    it(`names the record that was altered: ${what}`, () => {
      const findings = judgeRange(ROOT, KEPT, replaced("c", but));
      assert.deepEqual(alteredOf(findings), ["c"]);
      assert.deepEqual(kinds(findings), ["altered"]);
      assert.deepEqual(suspectsOf(findings), []);
    });
  }

  it("finds what is missing, and in which range", () => {
    const findings = judgeRange(ROOT, KEPT, WRITTEN.slice(1));
    assert.deepEqual(kinds(findings), ["sum"]);
    assert.equal(missingOf(findings), 1);
    assert.deepEqual(suspectsOf(findings), [leafOf(rangeKey("a"))]);
    assert.equal(describeFindings(findings), "missing: 1, ranges that do not sum up: 1");
  });

  it("finds what is there and was never written, well formed as it may be", () => {
    const stranger = record("a", { title: "forged" });
    const forged = { ...stranger, digest: recordDigest(stranger) };
    const findings = judgeRange(ROOT, KEPT, [forged, ...WRITTEN.slice(1)]);
    assert.deepEqual(kinds(findings), ["sum"]);
    assert.equal(missingOf(findings), 0);
  });

  it("is as fine as the sums that it is given", () => {
    const whole = { prefix: 0, bits: 0, count: 5, digest: totalOf(WRITTEN) };
    assert.deepEqual(judgeRange(ROOT, [whole], WRITTEN), []);
    const findings = judgeRange(ROOT, [whole], WRITTEN.slice(1));
    assert.deepEqual(suspectsOf(findings), [{ prefix: 0, bits: 0 }]);
  });

  it("finds a record that stands where its id does not belong", () => {
    const [here] = keptSums([record("a")]);
    assert.ok(here);
    const findings = judgeRange(ROOT, [here], [record("a"), record("b")]);
    assert.deepEqual(kinds(findings), ["misplaced"]);
    // Its own range lacks it, and all the same nothing is lost.
    const [there] = keptSums([record("b")]);
    assert.ok(there);
    assert.equal(missingOf([...findings, ...judgeRange(ROOT, [there], [])]), 0);
  });

  it("finds any one record that was altered, taken away or doubled", () => {
    const damage = fc.constantFrom("altered", "lost", "added");
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.nat(59), damage, (count, which, how) => {
        const written = Array.from({ length: count }, (_, at) => record(`r${at}`));
        const at = which % count;
        const damaged = written.flatMap((one, n) => {
          if (n !== at) return [one];
          if (how === "lost") return [];
          return how === "altered" ? [{ ...one, text: "x" }] : [one, one];
        });
        assert.notDeepEqual(judgeRange(ROOT, keptSums(written), damaged), []);
      }),
    );
  });
});

describe("the kept sums beside the position", () => {
  const position: Position = { seq: 5, digest: totalOf(WRITTEN), count: 5, sourceTime: 1 };

  it("make it up, or are found out", () => {
    assert.deepEqual(judgePosition(KEPT, position), []);
    assert.deepEqual(kinds(judgePosition(KEPT.slice(1), position)), ["position"]);
    assert.deepEqual(kinds(judgePosition(KEPT, { ...position, count: 6 })), ["position"]);
    assert.deepEqual(kinds(judgePosition(KEPT, { ...position, digest: EMPTY_DIGEST })), [
      "position",
    ]);
  });
});
