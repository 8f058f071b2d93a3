import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { tidiedVectors, vectorsFault } from "./embeddings.ts";

const WANTED = { id: "lexical-1", dimensions: 3, count: 2 };
const entry = (index: number, embedding: unknown = [0, 1, 2]) => ({ index, embedding });
const answer = (...data: unknown[]) => ({ model: "lexical-1", data });
const packed = (length: number) => Buffer.from(new Float32Array(length).buffer).toString("base64");

describe("the fence of vectors", () => {
  it("lets pass what is of the embedding, in any order and either encoding", () => {
    assert.equal(vectorsFault(answer(entry(1), entry(0)), WANTED), null);
    assert.equal(vectorsFault(answer(entry(0, packed(3)), entry(1, packed(3))), WANTED), null);
  });

  it("measures base64 of any length as what it unpacks to", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 64 }),
        fc.integer({ min: 1, max: 64 }),
        (is, wanted) => {
          const given = { model: "e", data: [entry(0, packed(is))] };
          const fault = vectorsFault(given, { id: "e", dimensions: wanted, count: 1 });
          assert.equal(fault === null, is === wanted);
        },
      ),
    );
  });

  it("says what is foreign about the rest", () => {
    const faults: readonly (readonly [unknown, RegExp])[] = [
      [null, /no list/],
      [{ model: "lexical-1" }, /no list/],
      [{ ...answer(entry(0), entry(1)), model: "lexical-2" }, /vectors of lexical-2/],
      [{ data: [entry(0), entry(1)] }, /unnamed model/],
      [answer(entry(0)), /^1 vectors/],
      [answer(entry(0), entry(0)), /without an index each/],
      [answer(entry(0), entry(2)), /without an index each/],
      [answer(entry(0), entry(1, [0, 1])), /2 dimensions/],
      [answer(entry(0), entry(1, [0, 1, null])), /without a vector/],
      [answer(entry(0), { index: 1 }), /without a vector/],
      [answer(entry(0), 7), /without a vector/],
    ];
    for (const [given, because] of faults) assert.match(vectorsFault(given, WANTED) ?? "", because);
  });
});

describe("vectors in the form that was asked for", () => {
  const floats = [0.5, -0.25, 2];
  const text = Buffer.from(new Float32Array(floats).buffer).toString("base64");

  it("are left alone when they came so", () => {
    assert.equal(tidiedVectors(answer(entry(0, text), entry(1, text)), "base64"), null);
    for (const asked of ["float", null, undefined] as const) {
      assert.equal(tidiedVectors(answer(entry(0), entry(1)), asked), null);
    }
  });

  it("are packed or unpacked when they did not, beside all else that was said", () => {
    const given = { ...answer({ ...entry(0, floats), object: "embedding" }), usage: { x: 1 } };
    const packed = { ...answer({ ...entry(0, text), object: "embedding" }), usage: { x: 1 } };
    assert.deepEqual(tidiedVectors(given, "base64"), packed);
    assert.deepEqual(tidiedVectors(packed, "float"), given);
  });

  it("stand in the order of their texts", () => {
    const mixed = answer(entry(2, [2]), entry(0, [0]), entry(1, [1]));
    const sorted = answer(entry(0, [0]), entry(1, [1]), entry(2, [2]));
    assert.deepEqual(tidiedVectors(mixed, "float"), sorted);
  });
});
