import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { joined } from "../../src/core/reconcile/vectors.ts";
import { TideoverError } from "../../src/lib/errors.ts";
import type { VectorModel } from "../../src/model/vectors.ts";
import type { EmbeddedChange, IndexQuery, IndexStore } from "../../src/ports/index.ts";
import { MemoryIndex } from "../../src/sim/index.ts";
import {
  deletion,
  fresh,
  hitIds,
  logOf,
  type MakeIndex,
  refuses,
  restoreFrom,
  upsert,
  vector,
} from "./index-support.ts";

const OLD: VectorModel = { version: "lex-1", dimensions: 3 };
const NEW: VectorModel = {
  version: "lex-2",
  dimensions: 2,
  model: { id: "lex", fingerprint: "0123456789abcdef" },
};

type Numbers = readonly [old: readonly number[], next: readonly number[]];

/** A document with a vector of each version. */
function both(id: string, [old, next]: Numbers, parts: Partial<EmbeddedChange> = {}) {
  const laid = joined([
    { model: OLD, bytes: bytesOf(old) },
    { model: NEW, bytes: bytesOf(next) },
  ]);
  const base64 = Buffer.from(laid.vector).toString("base64");
  return upsert(id, { ...parts, embedding: laid.embedding, vector: base64 });
}

function bytesOf(numbers: readonly number[]): Uint8Array {
  return new Uint8Array(vector(...numbers).buffer);
}

const nextQuery = { embedding: "lex-2", vector: vector(1, 0) };

export function provesSeveralVectors(make: MakeIndex): void {
  it("answers each of two versions by its own vectors, when every record has them", async (t) => {
    const index = await fresh(make, t);
    assert.deepEqual(await index.vectors(), []);
    const near = both("near", [
      [1, 0, 0],
      [0, 1],
    ]);
    await index.append(1, [
      near,
      both("far", [
        [0, 1, 0],
        [1, 0],
      ]),
    ]);
    assert.deepEqual(await hitIds(index, {}), ["near", "far"]);
    assert.deepEqual(await hitIds(index, nextQuery), ["far", "near"]);
    assert.deepEqual(await index.vectors(), [{ embedding: near.embedding, dimensions: 5 }]);
    const [first] = await index.search({ ...nextQuery, audiences: ["public"], k: 1 });
    assert.ok(Math.abs((first?.score ?? 0) - 1) < 1e-6);
  });

  it("answers the old version from all records while some have the new one too, and refuses that", async (t) => {
    const index = await fresh(make, t);
    await index.append(1, [
      upsert("a", { numbers: [0, 1, 0] }),
      upsert("b", { numbers: [1, 0.5, 0] }),
      both("c", [
        [1, 0.1, 0],
        [1, 0],
      ]),
      both("d", [
        [0, 0, 1],
        [1, 0],
      ]),
      upsert("e", { numbers: [0, 0, 0] }),
      both("f", [
        [0, 0, 0],
        [0, 0],
      ]),
    ]);
    const ranked = ["c", "b", "a", "d", "e", "f"];
    for (let k = 0; k <= ranked.length; k += 1) {
      assert.deepEqual(await hitIds(index, { k }), ranked.slice(0, k));
      assert.deepEqual(await hitIds(index, { k, exact: true }), ranked.slice(0, k));
    }
    await assert.rejects(hitIds(index, nextQuery), {
      code: "INDEX_UNAVAILABLE",
      message:
        "index holds lex-1 and lex-2, query is lex-2, which not every record has (all have lex-1)",
    });
    const names = (await index.vectors()).map(({ dimensions }) => dimensions);
    assert.deepEqual(names.sort(), [3, 5]);
  });

  it("answers the new version from the moment when the last record has it, and the old one until the first loses it", async (t) => {
    const index = await fresh(make, t);
    const moved = both("b", [
      [0, 1, 0],
      [0, 1],
    ]);
    await index.append(1, [
      both("a", [
        [1, 0, 0],
        [1, 0],
      ]),
      upsert("b", { numbers: [0, 1, 0] }),
    ]);
    await index.append(1, [moved]);
    assert.deepEqual(await hitIds(index, nextQuery), ["a", "b"]);
    await index.rewindTo(2);
    await assert.rejects(hitIds(index, nextQuery), { code: "INDEX_UNAVAILABLE" });
    assert.deepEqual(await hitIds(index, {}), ["a", "b"]);
    await index.append(1, [moved]);
    await index.append(1, [upsert("a", { numbers: [1, 0], embedding: "lex-2" })]);
    await assert.rejects(hitIds(index, {}), { code: "INDEX_UNAVAILABLE" });
    assert.deepEqual(await hitIds(index, nextQuery), ["a", "b"]);
  });

  it("gives k of k of the caller's own, however its records lie", async (t) => {
    const index = await fresh(make, t);
    const bolts = Array.from({ length: 40 }, (_, n) =>
      n % 2 === 0
        ? upsert(`bolt-${n}`, { audience: "bolt", numbers: [1, n / 1_000, 0] })
        : both(
            `bolt-${n}`,
            [
              [1, n / 1_000, 0],
              [1, 0],
            ],
            { audience: "bolt" },
          ),
    );
    const acme = { audience: "acme" };
    const own = [
      both(
        "acme-1",
        [
          [0, 1, 0],
          [1, 0],
        ],
        acme,
      ),
      upsert("acme-2", { ...acme, numbers: [0.5, 1, 0] }),
    ];
    await index.append(1, [...bolts, ...own]);
    assert.deepEqual(await hitIds(index, { audiences: ["public", "acme"], k: 2 }), [
      "acme-2",
      "acme-1",
    ]);
  });

  it("is the same in a replica, and in a copy that was restored", async (t) => {
    const maker = await make(t);
    const [owner, replica, copy] = [await maker.fresh(), await maker.fresh(), await maker.fresh()];
    await owner.append(1, [
      both("a", [
        [1, 0, 0],
        [0, 1],
      ]),
      both("b", [
        [0, 1, 0],
        [1, 0],
      ]),
    ]);
    await replica.apply(await logOf(owner));
    await restoreFrom(copy, owner);
    for (const one of [replica, copy]) {
      assert.deepEqual(await one.vectors(), await owner.vectors());
      assert.deepEqual(await one.recordsOf(["a", "b"]), await owner.recordsOf(["a", "b"]));
      assert.deepEqual(await hitIds(one, {}), ["a", "b"]);
      assert.deepEqual(await hitIds(one, nextQuery), ["b", "a"]);
    }
  });

  it("refuses vectors that are not as long as their names say", async (t) => {
    const index = await fresh(make, t);
    await index.append(1, [upsert("a")]);
    const short = {
      ...both("b", [
        [1, 0, 0],
        [0, 1],
      ]),
      vector: upsert("b").vector,
    };
    await refuses(index, "CORPUS_INVALID", () => index.append(1, [short]));
  });

  it("property: after any writes it answers what an index in memory answers", async (t) => {
    const maker = await make(t);
    await fc.assert(
      fc.asyncProperty(fc.array(writes, { minLength: 1, maxLength: 6 }), async (batches) => {
        const [index, reference] = [await maker.fresh(), new MemoryIndex()];
        for (const batch of batches) {
          await index.append(1, batch);
          await reference.append(1, batch);
          assert.deepEqual(await index.position(), await reference.position());
          assert.deepEqual(await index.vectors(), await reference.vectors());
          for (const query of [{ ...nextQuery, k: 3 }, { k: 3 }, { k: 3, exact: true }]) {
            assert.deepEqual(await outcome(index, query), await outcome(reference, query));
          }
        }
        await index.close();
      }),
      { numRuns: 8 },
    );
  });
}

const ids = fc.constantFrom("a", "b", "c", "d");
const numbers = (length: number) =>
  fc.array(fc.constantFrom(-1, 0, 0.5, 2), { minLength: length, maxLength: length });
const writes = fc.array(
  fc.oneof(
    fc.tuple(ids, numbers(3)).map(([id, old]) => upsert(id, { numbers: old })),
    fc.tuple(ids, numbers(2)).map(([id, next]) => {
      return upsert(id, { numbers: next, embedding: "lex-2" });
    }),
    fc.tuple(ids, numbers(3), numbers(2)).map(([id, old, next]) => both(id, [old, next])),
    ids.map((id) => deletion(id)),
  ),
  { minLength: 1, maxLength: 5 },
);

async function outcome(index: IndexStore, query: Partial<IndexQuery>): Promise<unknown> {
  try {
    return await hitIds(index, query);
  } catch (error) {
    return error instanceof TideoverError ? error.message : error;
  }
}
