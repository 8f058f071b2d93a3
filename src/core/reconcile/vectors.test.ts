import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { spellingOf, type VectorModel, versionNames } from "../../model/vectors.ts";
import {
  answeredVersions,
  bestOf,
  heldVersions,
  joined,
  modelOf,
  placeOf,
  requiredModels,
  vectorsOf,
} from "./vectors.ts";

const model = { id: "lex", fingerprint: "0123456789abcdef" };
const OLD: VectorModel = { version: "lex-1", dimensions: 3, model };
const NEXT: VectorModel = { version: "lex-2", dimensions: 2, model };
const UNKNOWN: VectorModel = { version: "lex-0", dimensions: 4 };

const held = (...models: VectorModel[]) => ({
  embedding: spellingOf(models),
  dimensions: models.reduce((sum, { dimensions }) => sum + dimensions, 0),
});

describe("a record's vectors", () => {
  it("are spelt by the version's name when there is one, and alike in any order when there are more", () => {
    assert.equal(spellingOf([OLD]), "lex-1");
    assert.equal(spellingOf([NEXT, OLD]), spellingOf([OLD, NEXT]));
    assert.deepEqual(versionNames(spellingOf([NEXT, OLD])), ["lex-1", "lex-2"]);
    assert.throws(() => spellingOf([]), RangeError);
  });

  it("of a version with a name that looks like several are of that version", () => {
    for (const name of ["[{", "[{}]", '[{"version":"a","dimensions":1}]', '["a","b"]', ""]) {
      assert.deepEqual(versionNames(name), [name]);
    }
  });

  it("property: laid end to end and taken apart again are what they were", () => {
    const vectors = fc.uniqueArray(
      fc.record({
        version: fc.string({ minLength: 1 }),
        numbers: fc.array(fc.float(), { minLength: 1, maxLength: 5 }),
        named: fc.boolean(),
      }),
      { minLength: 1, maxLength: 4, selector: ({ version }) => version },
    );
    fc.assert(
      fc.property(vectors, (given) => {
        const parts = given.map(({ version, numbers, named }) => ({
          model: { version, dimensions: numbers.length, ...(named ? { model } : {}) },
          bytes: new Uint8Array(Float32Array.from(numbers).buffer),
        }));
        const laid = joined(parts);
        const apart = vectorsOf(laid);
        for (const { model, bytes } of parts) {
          const one = apart.find(({ model: { version } }) => version === model.version);
          assert.deepEqual(Buffer.from(one?.bytes ?? []), Buffer.from(bytes));
          const length = laid.vector.length / 4;
          const found = placeOf({ embedding: laid.embedding, dimensions: length }, model.version);
          assert.equal(found?.dimensions, model.dimensions);
          const from = (found?.from ?? 0) * 4;
          assert.deepEqual(
            Buffer.from(laid.vector.subarray(from, from + bytes.length)),
            Buffer.from(bytes),
          );
        }
        assert.equal(apart.length, parts.length);
      }),
    );
  });
});

describe("an index", () => {
  it("answers the versions that every record has, and no version when it is empty", () => {
    assert.deepEqual(answeredVersions([]), []);
    assert.deepEqual(answeredVersions([held(OLD), held(OLD, NEXT)]), ["lex-1"]);
    assert.deepEqual(answeredVersions([held(NEXT, OLD)]), ["lex-1", "lex-2"]);
    assert.deepEqual(answeredVersions([held(OLD), held(NEXT)]), []);
    assert.deepEqual(heldVersions([held(OLD), held(OLD, NEXT)]), ["lex-1", "lex-2"]);
  });

  it("wants of a write what it answers, as far as anybody knows the model", () => {
    assert.deepEqual(requiredModels([], OLD), []);
    assert.deepEqual(requiredModels([held(OLD)], OLD), [OLD]);
    assert.deepEqual(requiredModels([held(OLD)], NEXT), []);
    assert.deepEqual(requiredModels([held(OLD, NEXT)], NEXT), [OLD, NEXT]);
    assert.deepEqual(requiredModels([held(OLD, NEXT)], null), [OLD, NEXT]);
    assert.deepEqual(requiredModels([held(OLD), held(OLD, NEXT)], OLD), [OLD]);
    assert.deepEqual(requiredModels([held(UNKNOWN, NEXT)], NEXT), [NEXT]);
    assert.equal(modelOf([held(UNKNOWN, NEXT)], null, "lex-0"), null);
  });

  it("merges what it finds in parts, best first, equal ones by their id's bytes", () => {
    const hit = (id: string, score: number) => ({ id, score });
    const lists = [
      [hit("b", 1), hit("\u{1f30a}", 0.5)],
      [hit("a", 1), hit("\uff5e", 0.5), hit("c", 0)],
    ];
    const ids = (k: number) => bestOf(lists, k).map(({ id }) => id);
    assert.deepEqual(ids(4), ["a", "b", "\uff5e", "\u{1f30a}"]);
    assert.deepEqual(ids(-1), []);
    assert.deepEqual(bestOf([], 3), []);
  });
});
