import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { LEAF_BITS, type RangeRef, type RecordMark } from "../../model/record.ts";
import { rangeKey } from "./digest.ts";
import { compare, Side } from "./ranges.fixture.ts";

const digest = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => {
  return Buffer.from(bytes).toString("hex");
});
const mark = fc.record({ id: fc.string({ minLength: 1, maxLength: 6 }), digest });
const marks = fc.uniqueArray(mark, { selector: ({ id }) => id, maxLength: 200, size: "max" });

/** Two sets with much in common. */
const pair = fc
  .tuple(marks, marks, fc.array(fc.boolean(), { minLength: 200, maxLength: 200 }))
  .map(([base, other, keep]) => {
    const shared = base.filter((_, at) => keep[at] === true);
    return [base, byId([...other, ...shared])] as const;
  });

function byId(list: readonly RecordMark[]): RecordMark[] {
  return [...new Map(list.map((one) => [one.id, one])).values()];
}

/** The difference by looking at everything. */
function plainly(own: readonly RecordMark[], owner: readonly RecordMark[]) {
  const ours = new Map(own.map((one) => [one.id, one.digest]));
  const theirs = new Map(owner.map((one) => [one.id, one.digest]));
  return {
    put: owner
      .filter(({ id, digest }) => ours.get(id) !== digest)
      .map(({ id }) => id)
      .sort(),
    drop: own
      .filter(({ id }) => !theirs.has(id))
      .map(({ id }) => id)
      .sort(),
  };
}

function named({ put, drop }: { put: readonly RecordMark[]; drop: readonly string[] }) {
  return { put: put.map(({ id }) => id).sort(), drop: [...drop].sort() };
}

function many(count: number, but: (at: number) => string = () => ""): RecordMark[] {
  return Array.from({ length: count }, (_, at) => ({
    id: `doc-${at}`,
    digest: Buffer.from(`${at}${but(at)}`.padEnd(16).slice(0, 16)).toString("hex"),
  }));
}

const inOneLeaf = (): number => 0x1234_5678;
const inTwo = (id: string): number => (id.length % 2) * 0xffff_ffff;

describe("comparing two copies range by range", () => {
  for (const [how, key] of [
    ["spread evenly", rangeKey],
    ["all in one leaf", inOneLeaf],
    ["at both ends", inTwo],
  ] as const) {
    it(`gives exactly the difference, with records ${how}`, () => {
      fc.assert(
        fc.property(pair, fc.nat(3), ([own, owner], page) => {
          const pages = { marks: page === 0 ? 1_000 : page, named: page === 0 ? 1_000 : page };
          const found = compare(new Side(own, key), new Side(owner, key), { pages });
          assert.ok(found.complete);
          assert.deepEqual(named(found), plainly(own, owner));
        }),
        { numRuns: 40 },
      );
    });
  }

  it("needs one round for equal copies, however large", () => {
    for (const count of [0, 1, 40, 30_000]) {
      const side = new Side(many(count));
      const found = compare(side, side);
      assert.deepEqual([found.put, found.drop, found.rounds], [[], [], 1]);
      assert.ok(found.bytes < 3_000, `${found.bytes} bytes for ${count} records`);
    }
  });

  it("finds one altered record of 100,000 in four rounds and a few kilobytes", () => {
    const own = new Side(many(100_000));
    const owner = new Side(many(100_000, (at) => (at === 4_711 ? "x" : "")));
    const found = compare(own, owner);
    assert.deepEqual(named(found), { put: ["doc-4711"], drop: [] });
    assert.ok(found.rounds <= 5, `${found.rounds} rounds`);
    assert.ok(found.bytes <= 8_000, `${found.bytes} bytes`);
  });

  it("fills an empty copy, and empties one whose owner has nothing", () => {
    const empty = new Side([]);
    const full = new Side(many(500));
    const filled = compare(empty, full);
    assert.equal(filled.put.length, 500);
    assert.deepEqual(filled.drop, []);
    const emptied = compare(full, empty);
    assert.deepEqual(emptied.put, []);
    assert.equal(emptied.drop.length, 500);
  });

  it("looks at suspected leaves alone when it is told which", () => {
    const own = new Side(many(2_000));
    const owner = new Side(many(2_000, (at) => (at % 500 === 0 ? "x" : "")));
    const leaf: RangeRef = { prefix: rangeKey("doc-500") >>> (32 - LEAF_BITS), bits: LEAF_BITS };
    const found = compare(own, owner, { leaves: [leaf] });
    assert.deepEqual(named(found), { put: ["doc-500"], drop: [] });
    assert.equal(found.rounds, 2);
  });

  it("ends early, and names nothing, when more differ than a repair is worth", () => {
    const whole = new Side(many(20_000));
    const half = new Side(many(10_000));
    const lost = compare(half, whole, { most: 1_000 });
    assert.equal(lost.complete, false);
    assert.equal(lost.rounds, 1);
    assert.ok(lost.differing > 1_000);
    const altered = compare(whole, new Side(many(20_000, () => "x")), { most: 1_000 });
    assert.equal(altered.complete, false);
    assert.deepEqual([altered.put, altered.drop], [[], []]);
  });

  it("tells prints that are others in every session", () => {
    const own = new Side(many(50));
    const asked = [randomBytes(16), randomBytes(16)].map((nonce) => own.printsOf(nonce));
    assert.notDeepEqual(asked[0], asked[1]);
  });
});
