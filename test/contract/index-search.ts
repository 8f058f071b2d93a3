import assert from "node:assert/strict";
import { it } from "node:test";
import {
  deletion,
  everything,
  fresh,
  hitIds,
  type MakeIndex,
  pair,
  upsert,
  vector,
} from "./index-support.ts";

export function provesAudiences(make: MakeIndex): void {
  it("gives k of k of the caller's own although other tenants' documents are nearer", async (t) => {
    const index = await fresh(make, t);
    const bolts = Array.from({ length: 50 }, (_, n) =>
      upsert(`bolt-${n}`, { audience: "bolt", numbers: [1, n / 1_000, 0] }),
    );
    const own = ["acme-1", "acme-2"].map((id) =>
      upsert(id, { audience: "acme", numbers: [0, 1, 0.1] }),
    );
    await index.append(1, [...bolts, ...own, upsert("open", { numbers: [0.5, 1, 0] })]);
    assert.deepEqual(await hitIds(index, { audiences: ["public", "acme"], k: 3 }), [
      "open",
      "acme-1",
      "acme-2",
    ]);
    assert.deepEqual(await hitIds(index, { audiences: ["acme"], k: 2 }), ["acme-1", "acme-2"]);
    assert.deepEqual(await hitIds(index, { audiences: [], k: 3 }), []);
    assert.deepEqual(await hitIds(index, { audiences: ["a", "acm", "acme-1", "%"], k: 3 }), []);
  });

  it("shows a document whose audience changed to the new one only", async (t) => {
    const index = await fresh(make, t);
    await index.append(1, [upsert("secret", { audience: "acme" })]);
    await index.append(1, [upsert("secret", { audience: "bolt" })]);
    assert.deepEqual(await hitIds(index, { audiences: ["acme", "public"] }), []);
    assert.deepEqual(await hitIds(index, { audiences: ["bolt"] }), ["secret"]);
  });

  it("does not find what was deleted", async (t) => {
    const { owner } = await pair(make, t);
    await owner.append(1, [deletion("b")]);
    assert.deepEqual(await hitIds(owner, {}), ["a", "c"]);
    assert.equal((await owner.position()).count, 2);
  });
}

export function provesRanking(make: MakeIndex): void {
  it("scores by cosine, best first, and gives the document", async (t) => {
    const index = await fresh(make, t);
    const near = upsert("near", { numbers: [3, 0, 0], audience: "acme" });
    const changes = [
      upsert("away", { numbers: [-1, 0, 0] }),
      near,
      upsert("half", { numbers: [1, 1, 0] }),
    ];
    await index.append(1, changes);
    const { hits } = await everything(index);
    assert.deepEqual(
      hits.map(({ id }) => id),
      ["near", "half", "away"],
    );
    const expected = [1, Math.SQRT1_2, -1];
    hits.forEach(({ score }, at) => {
      assert.ok(Math.abs(score - (expected[at] ?? 0)) < 1e-6, `${score}`);
    });
    const { id, title, text, audience } = near;
    assert.deepEqual({ ...hits[0], score: 0 }, { id, title, text, audience, score: 0 });
  });

  it("orders equal scores by id, and never gives more than k", async (t) => {
    const index = await fresh(make, t);
    // In UTF-8 U+FF5E comes before U+1F30A, in JavaScript's own order after it.
    const ids = ["b", "a", "\u{1f30a}", "\uff5e", "B", "a1"];
    await index.append(
      1,
      ids.map((id) => upsert(id)),
    );
    const ordered = ["B", "a", "a1", "b", "\uff5e", "\u{1f30a}"];
    assert.deepEqual(await hitIds(index, { k: 10 }), ordered);
    assert.deepEqual(await hitIds(index, { k: 2 }), ordered.slice(0, 2));
    assert.deepEqual(await hitIds(index, { k: 0 }), []);
    assert.deepEqual(await hitIds(index, { k: -1 }), []);
  });

  it("finds a document of zeros nowhere near, but does find it", async (t) => {
    const index = await fresh(make, t);
    const numbers = { away: [-1, 0, 0], blank: [0, 0, 0], near: [1, 0, 0] };
    await index.append(
      1,
      Object.entries(numbers).map(([id, of]) => upsert(id, { numbers: of })),
    );
    const { hits } = await everything(index);
    assert.deepEqual(
      hits.map(({ id, score }) => [id, score]),
      [
        ["near", 1],
        ["blank", 0],
        ["away", -1],
      ],
    );
    const lost = { vector: vector(0, 0, 0) };
    assert.deepEqual(await hitIds(index, lost), ["away", "blank", "near"]);
  });

  it("answers from a part of a longer array as from its own", async (t) => {
    const index = await fresh(make, t);
    await index.append(1, [
      upsert("x", { numbers: [1, 0, 0] }),
      upsert("y", { numbers: [0, 1, 0] }),
    ]);
    const part = vector(9, 0, 1, 0, 9).subarray(1, 4);
    assert.deepEqual(await hitIds(index, { vector: part, k: 1 }), ["y"]);
  });
}

export function provesCompatibility(make: MakeIndex): void {
  const fault = (message: string) => ({ code: "INDEX_UNAVAILABLE", message });

  it("refuses a query of another embedding version, naming both", async (t) => {
    const { owner } = await pair(make, t);
    await assert.rejects(
      hitIds(owner, { embedding: "lex-2" }),
      fault("index holds lex-1, query is lex-2"),
    );
  });

  it("refuses every query while it holds records of two versions", async (t) => {
    const { owner } = await pair(make, t);
    await owner.append(1, [upsert("b", { embedding: "lex-2", numbers: [1, 0] })]);
    for (const embedding of ["lex-1", "lex-2"]) {
      await assert.rejects(
        hitIds(owner, { embedding }),
        fault(`index holds lex-1 and lex-2, query is ${embedding}, which not every record has`),
      );
    }
    await owner.append(1, [deletion("a"), deletion("c")]);
    const moved = { embedding: "lex-2", vector: vector(1, 0) };
    assert.deepEqual(await hitIds(owner, moved), ["b"]);
  });

  it("refuses a query of other dimensions, and one that is no direction", async (t) => {
    const { owner } = await pair(make, t);
    await assert.rejects(hitIds(owner, { vector: vector(1, 0) }), { code: "INDEX_UNAVAILABLE" });
    const broken = vector(1, Number.NaN, 0);
    await assert.rejects(hitIds(owner, { vector: broken }), { code: "INDEX_UNAVAILABLE" });
  });

  it("has no hits, and no objection, when it is empty", async (t) => {
    const index = await fresh(make, t);
    assert.deepEqual(await hitIds(index, { embedding: "any" }), []);
    await index.append(1, [upsert("a"), deletion("a")]);
    assert.deepEqual(await hitIds(index, { embedding: "any" }), []);
  });
}
