import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Store } from "../../src/ports/store.ts";
import {
  type Cases,
  incrementBy,
  keysOf,
  put,
  type StoreWorld,
  valuesOf,
  write,
} from "./store-cases.ts";
import { leases } from "./store-leases.ts";
import { watching } from "./store-watch.ts";

/** What every adapter of the store port gives (see src/ports/store.ts). */
export function storeContract(name: string, makeStore: () => Promise<StoreWorld>): void {
  describe(`store contract: ${name}`, () => {
    let world: StoreWorld;
    let store: Store;
    let other: Store;
    let room = 0;
    /** Keys of this test alone, so that the tests share a store and pass in any order. */
    const fresh = () => `room${++room}/`;

    before(async () => {
      world = await makeStore();
      store = await world.open();
      other = await world.open();
    });
    after(() => world.end());

    const cases = { fresh, both: () => ({ store, other }), world: () => world };
    readAndWrite(cases);
    keysAndOrder(cases);
    atomicity(cases);
    races(cases);
    watching(cases);
    leases(cases);
  });
}

function readAndWrite({ fresh, both }: Cases): void {
  test("absence is a value", async () => {
    const { store } = both();
    const room = fresh();
    assert.equal(await store.get(`${room}nothing`), null);
    assert.deepEqual(await store.list(room), []);
  });

  test("what one handle writes, the other reads at once, with its revision", async () => {
    const { store, other } = both();
    const key = `${fresh()}a`;
    const revision = await write(store, put(key, { n: 1 }));
    assert.deepEqual(await other.get(key), { key, value: { n: 1 }, revision });
  });

  test("any JSON value comes back as it was", async () => {
    const { store } = both();
    const key = `${fresh()}a`;
    const nested = { a: [1, { b: null }], "": "\u0000 \ud800 \u{1f30a}", big: 2 ** 53 - 1 };
    for (const value of [null, false, 0, -0.5, "", "text", [], {}, nested]) {
      await write(store, put(key, value));
      assert.deepEqual((await store.get(key))?.value, value);
    }
  });

  test("a value of several megabytes comes back whole", async () => {
    const { store, other } = both();
    const key = `${fresh()}large`;
    const value = { text: "é0123456".repeat(300_000) };
    await write(store, put(key, value));
    assert.deepEqual((await other.get(key))?.value, value);
  });

  test("a copy belongs to its caller: changing it changes nothing in the store", async () => {
    const { store } = both();
    const room = fresh();
    const given = { list: [1] };
    await write(store, put(`${room}a`, given));
    given.list.push(2);
    for (const copy of [await store.get(`${room}a`), (await store.list(room))[0]]) {
      assert.ok(copy);
      assert.deepEqual(copy.value, { list: [1] });
      (copy.value as typeof given).list.push(3);
    }
    assert.deepEqual((await store.get(`${room}a`))?.value, { list: [1] });
  });

  test("revisions only grow, over the whole store", async () => {
    const { store, other } = both();
    const room = fresh();
    const first = await write(store, put(`${room}a`, 1));
    const second = await write(other, put(`${room}b`, 1));
    const third = await write(store, { delete: `${room}a` });
    const fourth = await write(store, put(`${room}a`, 1));
    assert.ok(0 < first && first < second && second < third && third < fourth);
    assert.equal((await store.get(`${room}b`))?.revision, second);
    assert.equal((await store.get(`${room}a`))?.revision, fourth);
  });

  test("a transaction that changes nothing succeeds and has no revision of its own", async () => {
    const { store } = both();
    const room = fresh();
    const revision = await write(store, put(`${room}a`, 1));
    assert.equal(await write(store), revision);
    assert.equal(await write(store, { delete: `${room}nothing` }), revision);
  });

  test("a value that JSON cannot say is refused, and nothing is written", async () => {
    const { store } = both();
    const room = fresh();
    const operations = [put(`${room}a`, 1), put(`${room}b`, undefined)];
    await assert.rejects(store.commit({ compare: [], operations }), TypeError);
    assert.deepEqual(await store.list(room), []);
  });
}

function keysAndOrder({ fresh, both }: Cases): void {
  test("a list is sorted by code points", async () => {
    const { store } = both();
    const room = fresh();
    // JavaScript's own order would put the two emoji (UTF-16 D83C…) before U+FB01.
    const sorted = ["", "A", "Z", "a", "a/b", "aa", "é", "\ufb01", "\u{1f30a}", "\u{1f30b}"].map(
      (end) => `${room}k${end}`,
    );
    await write(store, ...[...sorted].reverse().map((key) => put(key, 0)));
    assert.deepEqual(keysOf(await store.list(room)), sorted);
  });

  test("% and _ in a prefix are letters like any other, and case counts", async () => {
    const { store } = both();
    const room = fresh();
    const keys = ["50%/x", "50_/x", "50a/x", "AB", "Ab", "a*", "ab"].map((end) => room + end);
    await write(store, ...keys.map((key) => put(key, 0)));
    assert.deepEqual(keysOf(await store.list(`${room}50%`)), [`${room}50%/x`]);
    assert.deepEqual(keysOf(await store.list(`${room}50_`)), [`${room}50_/x`]);
    assert.deepEqual(keysOf(await store.list(`${room}A`)), [`${room}AB`, `${room}Ab`]);
    assert.deepEqual(keysOf(await store.list(`${room}a*`)), [`${room}a*`]);
  });

  test("a prefix includes the key that equals it, and no neighbour", async () => {
    const { store } = both();
    const room = fresh();
    await write(
      store,
      ...["plan", "plan-state", "plan/1", "plan0", "plao"].map((k) => put(room + k, 0)),
    );
    assert.deepEqual(keysOf(await store.list(`${room}plan/`)), [`${room}plan/1`]);
    assert.deepEqual(
      keysOf(await store.list(`${room}plan`)),
      ["plan", "plan-state", "plan/1", "plan0"].map((k) => room + k),
    );
  });

  test("prefixes that end in the highest code points find what they should", async () => {
    const { store } = both();
    const room = fresh();
    const last = "\u{10ffff}";
    const ends = [
      "\ud7ff",
      "\ud7ffz",
      "\ue000",
      "\uffff",
      "\uffffz",
      "\u{10000}",
      last,
      `${last}${last}z`,
    ];
    await write(store, ...ends.map((end) => put(room + end, 0)));
    const under = async (prefix: string) => keysOf(await store.list(room + prefix));
    assert.deepEqual(await under("\ud7ff"), [`${room}\ud7ff`, `${room}\ud7ffz`]);
    assert.deepEqual(await under("\uffff"), [`${room}\uffff`, `${room}\uffffz`]);
    assert.deepEqual(await under(last), [room + last, `${room}${last}${last}z`]);
    assert.deepEqual(await under(last + last), [`${room}${last}${last}z`]);
  });

  test("the empty prefix is everything", async () => {
    const { store } = both();
    const room = fresh();
    const keys = [`${room}a`, `\u{10ffff}${room}`];
    await write(store, ...keys.map((key) => put(key, 0)));
    const all = keysOf(await store.list(""));
    assert.ok(keys.every((key) => all.includes(key)));
  });

  test("keys that not every store can keep are refused", async () => {
    const { store } = both();
    for (const key of ["", "a\0b", "half a pair \ud83c"]) {
      const asPut = store.commit({ compare: [], operations: [put(key, 1)] });
      const asCompare = store.commit({ compare: [{ key, revision: 0 }], operations: [] });
      for (const call of [asPut, asCompare, store.get(key)]) await assert.rejects(call, TypeError);
    }
  });
}

function atomicity({ fresh, both }: Cases): void {
  test("all operations of a commit happen at one revision", async () => {
    const { store } = both();
    const room = fresh();
    await write(store, put(`${room}old`, 1));
    const revision = await write(store, put(`${room}a`, 1), put(`${room}b`, 2), {
      delete: `${room}old`,
    });
    assert.deepEqual(await store.list(room), [
      { key: `${room}a`, value: 1, revision },
      { key: `${room}b`, value: 2, revision },
    ]);
  });

  test("one compare that does not hold, and nothing is written", async () => {
    const { store } = both();
    const room = fresh();
    const a = await write(store, put(`${room}a`, 1));
    const b = await write(store, put(`${room}b`, 1));
    const result = await store.commit({
      compare: [
        { key: `${room}a`, revision: a },
        { key: `${room}b`, revision: a },
        { key: `${room}c`, revision: 7 },
      ],
      operations: [put(`${room}a`, 2), { delete: `${room}b` }, put(`${room}c`, 2)],
    });
    // The first compare that failed, with what was found instead.
    assert.deepEqual(result, {
      ok: false,
      conflict: { key: `${room}b`, revision: a, actual: b },
    });
    assert.deepEqual(valuesOf(await store.list(room)), [1, 1]);
  });

  test("a compare with revision 0 holds only while the key is absent", async () => {
    const { store, other } = both();
    const key = `${fresh()}a`;
    const create = { compare: [{ key, revision: 0 }], operations: [put(key, "mine")] };
    const first = await store.commit(create);
    assert.ok(first.ok);
    const conflict = { key, revision: 0, actual: first.revision };
    assert.deepEqual(await other.commit(create), { ok: false, conflict });
    await write(store, { delete: key });
    assert.ok((await other.commit(create)).ok);
  });

  test("a compare with a revision of before a delete does not hold for the key made anew", async () => {
    const { store } = both();
    const key = `${fresh()}a`;
    const old = await write(store, put(key, 1));
    await write(store, { delete: key });
    const renewed = await write(store, put(key, 1));
    const result = await store.commit({
      compare: [{ key, revision: old }],
      operations: [put(key, 2)],
    });
    assert.deepEqual(result, { ok: false, conflict: { key, revision: old, actual: renewed } });
  });

  test("two writes of one key in one commit are refused", async () => {
    const { store } = both();
    const key = `${fresh()}a`;
    const operations = [put(key, 1), { delete: key }];
    await assert.rejects(store.commit({ compare: [], operations }), TypeError);
  });
}

function races({ fresh, both }: Cases): void {
  test("N writers that each increment by compare-and-set: no increment is lost", async () => {
    const { store, other } = both();
    const key = `${fresh()}counter`;
    const [writers, increments] = [6, 15];
    await Promise.all(
      Array.from({ length: writers }, (_, writer) =>
        incrementBy(writer % 2 === 0 ? store : other, key, increments),
      ),
    );
    assert.equal((await store.get(key))?.value, writers * increments);
  });

  test("of N that create one key, exactly one wins", async () => {
    const { store, other } = both();
    const key = `${fresh()}leader`;
    const tries = Array.from({ length: 10 }, (_, n) =>
      (n % 2 === 0 ? store : other).commit({
        compare: [{ key, revision: 0 }],
        operations: [put(key, n)],
      }),
    );
    const won = (await Promise.all(tries)).map((result) => result.ok);
    assert.equal(won.filter(Boolean).length, 1);
    assert.equal((await store.get(key))?.value, won.indexOf(true));
  });
}
