import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { EMPTY_DIGEST } from "../../model/position.ts";
import { addDigest, type DigestedRecord, recordDigest, removeDigest } from "./digest.ts";

// Short texts out of few letters: collisions by bad framing would show at once.
const text = fc.oneof(fc.string({ unit: fc.constantFrom("a", "b", "\0") }), fc.string());
const record = fc.record({
  id: text,
  audience: text,
  embedding: text,
  labels: fc.uniqueArray(text, { maxLength: 3 }),
  payload: fc.dictionary(fc.string(), fc.oneof(text, fc.integer()), { maxKeys: 2 }),
  vector: fc.uint8Array({ maxLength: 12 }),
  title: text,
  text,
}) satisfies fc.Arbitrary<DigestedRecord>;
const digest = record.map(recordDigest);

function sum(digests: readonly string[]): string {
  return digests.reduce(addDigest, EMPTY_DIGEST);
}

function identity(value: DigestedRecord): string {
  return JSON.stringify({ ...value, vector: [...value.vector] });
}

describe("the digest of a record", () => {
  it("is 32 hex digits, and stays what it is over releases", () => {
    const vector = new Uint8Array([0, 0, 128, 63]);
    const texts = { id: "a", audience: "public", embedding: "e1", title: "T", text: "x" };
    const fixed = { ...texts, labels: ["staff"], payload: { page: 3 }, vector };
    // A change of this value makes every region of a running estate read as diverged.
    assert.equal(recordDigest(fixed), "60f0fcb1bf261cb2f0d4beead2927009");
  });

  it("differs whenever any field differs", () => {
    fc.assert(
      fc.property(record, record, (a, b) => {
        assert.equal(recordDigest(a) === recordDigest(b), identity(a) === identity(b));
      }),
    );
  });

  it("changes with a change of one field alone", () => {
    const names = fc.constantFrom(
      ...(["id", "audience", "labels", "embedding", "vector", "title", "text", "payload"] as const),
    );
    fc.assert(
      fc.property(record, record, names, (a, b, name) => {
        const changed = { ...a, [name]: b[name] };
        assert.equal(recordDigest(a) === recordDigest(changed), identity(a) === identity(changed));
      }),
    );
  });

  it("cannot be moved from one field into the next", () => {
    const names = ["id", "audience", "embedding", "title", "text"] as const;
    const texts = { id: "", audience: "", embedding: "", title: "", text: "" };
    const blank = { ...texts, labels: [], payload: {} };
    const seen = names.map((name) =>
      recordDigest({ ...blank, [name]: "x", vector: new Uint8Array(0) }),
    );
    seen.push(recordDigest({ ...blank, vector: new TextEncoder().encode("x") }));
    assert.equal(new Set(seen).size, 6);
  });

  it("is not given to a text that UTF-8 cannot say", () => {
    const texts = { id: "\ud800", audience: "", embedding: "", title: "", text: "" };
    const broken = { ...texts, labels: [], payload: {} };
    assert.throws(() => recordDigest({ ...broken, vector: new Uint8Array(0) }), TypeError);
  });
});

describe("the digest of a set", () => {
  it("does not depend on the order", () => {
    const both = fc
      .array(digest)
      .chain((digests) =>
        fc.tuple(
          fc.constant(digests),
          fc.shuffledSubarray(digests, { minLength: digests.length, maxLength: digests.length }),
        ),
      );
    fc.assert(
      fc.property(both, ([digests, shuffled]) => assert.equal(sum(shuffled), sum(digests))),
    );
  });

  it("is put back exactly by a delete, also past the modulus", () => {
    fc.assert(
      fc.property(fc.array(digest), digest, (digests, one) => {
        const before = sum(digests);
        assert.equal(removeDigest(addDigest(before, one), one), before);
        assert.equal(addDigest(removeDigest(before, one), one), before);
      }),
    );
    assert.equal(addDigest("f".repeat(32), `${"0".repeat(31)}1`), EMPTY_DIGEST);
    assert.equal(removeDigest(EMPTY_DIGEST, `${"0".repeat(31)}1`), "f".repeat(32));
  });

  it("is always 32 hex digits", () => {
    fc.assert(
      fc.property(fc.array(digest), (digests) => assert.match(sum(digests), /^[0-9a-f]{32}$/)),
    );
  });
});
