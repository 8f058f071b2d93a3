import assert from "node:assert/strict";
import { it } from "node:test";
import {
  ALL,
  type Damage,
  everything,
  fresh,
  hitIds,
  logOf,
  type MakeIndex,
  pair,
  restoreFrom,
  stored,
  upsert,
} from "./index-support.ts";

export function provesQuarantine(make: MakeIndex): void {
  it("answers nobody while it is quarantined, says why, and answers again", async (t) => {
    const { owner } = await pair(make, t);
    assert.deepEqual(await owner.standing(), { kind: "whole" });
    await owner.quarantine("3 records differ");
    assert.deepEqual(await owner.standing(), { kind: "quarantined", because: "3 records differ" });
    await assert.rejects(hitIds(owner, {}), {
      code: "INDEX_QUARANTINED",
      message: /3 records differ/,
    });
    assert.deepEqual(await hitIds(owner, { proving: true }), ["a", "b", "c"]);
    await owner.quarantine(null);
    assert.deepEqual(await owner.standing(), { kind: "whole" });
    assert.deepEqual(await hitIds(owner, {}), ["a", "b", "c"]);
  });

  it("goes on with everything else while it is quarantined", async (t) => {
    const { owner, replica, entries } = await pair(make, t);
    await replica.quarantine("suspected");
    await replica.apply(entries);
    await replica.rewindTo(2);
    await replica.apply(entries);
    await replica.fence(4);
    await replica.append(4, [upsert("d")]);
    await replica.trimLog(1);
    const at = await replica.position();
    await replica.repair({ at, put: await owner.recordsOf(["a"]), drop: ["nobody"] });
    assert.deepEqual(await replica.recordsOf(["a"]), await owner.recordsOf(["a"]));
    assert.equal((await replica.standing()).kind, "quarantined");
  });

  it("stays quarantined when it is restored: who proves it lifts it", async (t) => {
    const { owner, replica } = await pair(make, t);
    await replica.quarantine("damaged");
    await restoreFrom(replica, owner);
    assert.equal((await replica.standing()).kind, "quarantined");
    await assert.rejects(hitIds(replica, {}), { code: "INDEX_QUARANTINED" });
    await replica.quarantine(null);
    assert.deepEqual(await hitIds(replica, {}), ["a", "b", "c"]);
  });

  it("stays quarantined when it is opened again", async (t) => {
    const { durable } = await make(t);
    if (durable === undefined) return t.skip("it does not outlive its process");
    const place = await durable.place();
    const index = await durable.reopen(place);
    await index.append(1, [upsert("a")]);
    await index.quarantine("damaged");
    const before = await stored(index);
    await index.close();
    const again = await durable.reopen(place);
    assert.deepEqual(await stored(again), before);
    await assert.rejects(hitIds(again, {}), { code: "INDEX_QUARANTINED" });
  });

  it("says what engine it is and what it guarantees", async (t) => {
    const facts = await (await fresh(make, t)).facts();
    assert.match(facts.engine, /^[a-z]+$/);
    assert.ok(Array.isArray(facts.faults));
  });
}

export function provesVerifiedReads(make: MakeIndex): void {
  for (const how of ["text", "vector", "audience"] satisfies Damage[]) {
    it(`tells nobody a record whose ${how} was altered where it is stored`, async (t) => {
      const maker = await make(t);
      if (maker.damage === undefined) return t.skip("it cannot be written beside the adapter");
      const index = await maker.fresh();
      await index.append(1, [upsert("a"), upsert("b"), upsert("far", { numbers: [0, 1, 0] })]);
      const kept = { marks: await index.marks(ALL), sums: await index.sums([ALL], 16) };
      await maker.damage(index, "b", how);
      const query = { audiences: ["public", "bolt"] };
      await assert.rejects(hitIds(index, query), { code: "INDEX_CORRUPT", message: /"b"/ });
      assert.deepEqual({ marks: await index.marks(ALL), sums: await index.sums([ALL], 16) }, kept);
    });
  }

  it("tells what is whole as long as no damaged record is among the hits", async (t) => {
    const maker = await make(t);
    if (maker.damage === undefined) return t.skip("it cannot be written beside the adapter");
    const index = await maker.fresh();
    await index.append(1, [upsert("a"), upsert("b", { audience: "bolt" })]);
    await maker.damage(index, "b", "text");
    assert.deepEqual(await hitIds(index, {}), ["a"]);
  });

  it("shows a scrub what is really stored beside what was written", async (t) => {
    const maker = await make(t);
    if (maker.damage === undefined) return t.skip("it cannot be written beside the adapter");
    const index = await maker.fresh();
    await index.append(1, [upsert("a"), upsert("b")]);
    const [before] = await index.recordsOf(["a"]);
    const sums = await index.sums([ALL], 0);
    await maker.damage(index, "a", "text");
    await maker.damage(index, "b", "lost");
    assert.deepEqual(await index.recordsIn(ALL), [{ ...before, text: "damaged" }]);
    assert.deepEqual(
      (await index.marks(ALL)).map(({ id }) => id),
      ["a"],
    );
    assert.deepEqual(await index.sums([ALL], 0), sums, "kept sums speak of what was written");
  });

  it("is whole again after a repair, and moves no position by it", async (t) => {
    const maker = await make(t);
    if (maker.damage === undefined) return t.skip("it cannot be written beside the adapter");
    const index = await maker.fresh();
    await index.append(1, [upsert("a"), upsert("b"), upsert("c"), upsert("d")]);
    const [good, at] = [await everything(index), await index.position()];
    await maker.damage(index, "a", "text");
    await maker.damage(index, "b", "lost");
    await maker.damage(index, "c", "audience");
    await index.repair({ at, put: good.records, drop: [] });
    assert.deepEqual(await everything(index), good);
  });

  it("keeps every digest by its key, and only by its key", async (t) => {
    const maker = await make(t);
    if (maker.keyed === undefined) return t.skip("it is given no key here");
    const key = (fill: number) => new Uint8Array(32).fill(fill);
    const [plain, one, same, other] = [
      await maker.fresh(),
      await maker.keyed(key(1)),
      await maker.keyed(key(1)),
      await maker.keyed(key(2)),
    ];
    for (const index of [plain, one, other]) await index.append(1, [upsert("a"), upsert("b")]);
    await same.apply(await logOf(one));
    const digests = new Set<string>();
    for (const index of [plain, one, same, other]) digests.add((await index.position()).digest);
    assert.equal(digests.size, 3);
    assert.deepEqual(await same.sums([ALL], 16), await one.sums([ALL], 16));
    assert.notDeepEqual(await other.sums([ALL], 16), await one.sums([ALL], 16));
    assert.deepEqual(await hitIds(same, {}), ["a", "b"]);
    await assert.rejects(other.apply(await logOf(one)), { code: "INDEX_DIVERGED" });
  });
}
