import assert from "node:assert/strict";
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it, test } from "node:test";
import {
  copyOf,
  everything,
  hitIds,
  restoreFrom,
  upsert,
  vector,
} from "../../../test/contract/index-support.ts";
import { provesWhole } from "../../../test/contract/index-whole.ts";
import { joined } from "../../core/reconcile/vectors.ts";
import type { IndexStore } from "../../ports/index.ts";
import { type Bench, bench, skipped } from "./bench.fixture.ts";
import { type LanceTable, loadDriver } from "./driver.ts";
import type { LanceOptions } from "./options.ts";
import { KEEP_MS } from "./tidy.ts";
import { Writer } from "./writer.ts";

function provesVersions(): void {
  it("takes back what was written to a table and never named, as a kill leaves it", async (t) => {
    const at = await bench(t);
    const index = await filled(at, ["a", "b"]);
    const place = at.placeOf(index);
    const before = await everything(index);
    await index.close();
    const table = await tableOf(place);
    await table.delete("id = 'a'");
    const again = await at.open(place);
    assert.deepEqual(await everything(again), before);
    await again.append(1, [upsert("c")]);
    assert.deepEqual(await hitIds(again, {}), ["a", "b", "c"]);
    await provesWhole(again);
  });

  it("lets nothing in that somebody else writes to the table", async (t) => {
    const at = await bench(t);
    const index = await filled(at, ["a"]);
    await index.append(1, [upsert("b")]);
    await (await tableOf(at.placeOf(index))).delete("id = 'a'");
    await assert.rejects(index.append(1, [upsert("c")]), {
      code: "INDEX_UNAVAILABLE",
      message: /is written by somebody else as well/,
    });
    assert.deepEqual(await hitIds(index, {}), ["a", "b"]);
    await index.append(1, [upsert("d")]);
    assert.deepEqual(await hitIds(index, {}), ["a", "b", "d"]);
    await provesWhole(index);
  });

  it("refuses an append that is fenced while it is written", async (t) => {
    const index = await filled(await bench(t), ["a"]);
    const { sync } = Writer.prototype;
    const written = t.mock.method(Writer.prototype, "sync", async function (this: Writer) {
      await index.fence(2);
      return sync.call(this);
    });
    await assert.rejects(index.append(1, [upsert("b")]), { code: "EPOCH_STALE" });
    assert.equal(written.mock.callCount(), 1, "the record was in the table");
    written.mock.restore();
    assert.deepEqual(await hitIds(index, {}), ["a"]);
    await index.append(2, [upsert("c")]);
    assert.deepEqual(await hitIds(index, {}), ["a", "c"]);
    await provesWhole(index);
  });

  it("begins anew, with no table of before, where its file was moved away", async (t) => {
    const at = await bench(t);
    const index = await filled(at, ["a"]);
    const place = at.placeOf(index);
    await index.close();
    for (const end of ["", "-wal", "-shm"]) moveAway(`${place.path}${end}`);
    const again = await at.open(place);
    assert.equal((await again.position()).seq, 0);
    await restoreFrom(again, await filled(at, ["b"]));
    assert.deepEqual(await hitIds(again, {}), ["b"]);
    assert.equal(tables(place).length, 1);
  });

  it("never tells what was altered in a table's file", async (t) => {
    const at = await bench(t);
    const index = await filled(at, ["a", "b"]);
    const place = at.placeOf(index);
    await index.close();
    alter(place, "Text of b.", "Text of x.");
    const again = await at.open(place);
    await assert.rejects(hitIds(again, {}), { code: "INDEX_CORRUPT", message: /"b"/ });
    const [record] = await again.recordsOf(["b"]);
    assert.equal(record?.text, "Text of x.");
  });
}

function provesOrder(): void {
  it("makes one file of many, and says the same as before", async (t) => {
    const at = await bench(t);
    const index = await filled(at, ["a"]);
    for (let n = 0; n < 63; n++) await index.append(1, [upsert(`d${n % 9}`, { text: `${n}` })]);
    const before = await everything(index);
    // Done after the write that made it due, which did not wait; the next one does.
    await index.append(1, []);
    assert.equal((await tableAt(index, at)).length, 1);
    assert.deepEqual(await everything(index), before);
    await provesWhole(index);
  });

  it("lets go of old versions, but of none that a snapshot reads", async (t) => {
    const at = await bench(t);
    const index = await filled(at, ["a", "b"]);
    const { from, close } = await copyOf(index);
    t.mock.timers.enable({ apis: ["Date"], now: Date.now() + KEEP_MS });
    for (const _ of ["every version ages", "and would be let go of"]) {
      await change(index, 140);
      t.mock.timers.tick(KEEP_MS);
    }
    const other = await at.open(at.place());
    await other.restore(from);
    assert.deepEqual(await hitIds(other, {}), ["a", "b"]);
    await close();
    await change(index, 140);
    const versions = await (await tableOf(at.placeOf(index))).listVersions();
    assert.ok(versions.length < 140, `${versions.length} versions`);
    await provesWhole(index);
  });

  it("goes on answering a reader while another table takes its table's place", async (t) => {
    const at = await bench(t);
    const index = await filled(at, ["a", "b"]);
    const reader = await at.open({ ...at.placeOf(index), readOnly: true });
    const source = await filled(at, ["c"]);
    const answers = Array.from({ length: 40 }, async (_, n) => {
      if (n % 10 === 0) await restoreFrom(index, source);
      return hitIds(reader, {});
    });
    const told = (await Promise.allSettled(answers)).flatMap((answer) =>
      answer.status === "fulfilled" ? [answer.value.join()] : [],
    );
    assert.ok(told.length >= 36, "searches answer, whatever restores do");
    assert.deepEqual(new Set(told), new Set(["a,b", "c"]));
    assert.deepEqual(await hitIds(reader, {}), ["c"]);
  });
}

function provesSearch(): void {
  it("gives the first by id of more equals than it asks Lance for", async (t) => {
    const at = await bench(t);
    const index = await at.open(at.place());
    const ids = Array.from({ length: 100 }, (_, n) => `d${String(n).padStart(3, "0")}`);
    await index.append(
      1,
      ids.toReversed().map((id) => upsert(id)),
    );
    assert.deepEqual(await hitIds(index, { k: 3 }), ids.slice(0, 3));
    await index.append(1, [upsert("zero", { numbers: [0, 0, 0] })]);
    assert.deepEqual(await hitIds(index, { k: 101 }), [...ids, "zero"]);
  });

  it("can be opened for reading before its writer comes, and refuses writes", async (t) => {
    const at = await bench(t);
    const place = at.place();
    const reader = await at.open({ ...place, readOnly: true });
    await assert.rejects(hitIds(reader, {}), { code: "INDEX_UNAVAILABLE", message: /not exist/ });
    const writer = await at.open(place);
    await writer.append(1, [upsert("a")]);
    assert.deepEqual(await hitIds(reader, {}), ["a"]);
    assert.deepEqual(await reader.position(), await writer.position());
    const refused = { code: "INDEX_UNAVAILABLE", message: /open for reading only/ };
    await assert.rejects(reader.append(1, [upsert("b")]), refused);
    await assert.rejects(reader.quarantine("no"), refused);
    await assert.rejects(restoreFrom(reader, writer), refused);
  });
}

function provesSeveral(): void {
  it("keeps each vector of a record in a column of its own, and gives back what was written", async (t) => {
    const at = await bench(t);
    const index = await filled(at, ["a"]);
    assert.deepEqual(await columns(index, at), ["v3"]);
    const changes = [
      several("b", { "lex-1": [0, 1, 0], "lex-2": [0, 0, 1], "lex-3": [5, 6] }),
      several("c", { "lex-1": [1, 2, 3], "lex-2": [4, 5, 6] }),
    ];
    await index.append(1, changes);
    assert.deepEqual(await columns(index, at), ["v2_3", "v3", "v3_2"]);
    const written = new Map(changes.map(({ id, vector }) => [id, vector]));
    for (const record of await index.recordsOf(["b", "c"])) {
      assert.equal(Buffer.from(record.vector).toString("base64"), written.get(record.id));
    }
    assert.deepEqual(await hitIds(index, {}), ["a", "c", "b"]);
  });

  it("lets records whose other vector is one of zeros take nobody's place", async (t) => {
    const at = await bench(t);
    const index = await at.open(at.place());
    const away = Array.from({ length: 40 }, (_, n) =>
      several(`a${n}`, { "lex-1": [-1, 0, 0], "lex-2": [0, 0, 0] }),
    );
    const zero = several("z", { "lex-1": [0, 0, 0], "lex-2": [-1, 0, 0] });
    await index.append(1, [...away, zero]);
    assert.deepEqual(await hitIds(index, { k: 1 }), ["z"]);
    assert.deepEqual(await hitIds(index, { k: 2 }), ["z", "a0"]);
    const other = await hitIds(index, { embedding: "lex-2" });
    assert.deepEqual([other.length, new Set(other).size, other.at(-1)], [41, 41, "z"]);
  });

  it("finds the vectors of a version whatever its name is", async (t) => {
    const at = await bench(t);
    const index = await at.open(at.place());
    const name = `it's "50 %" \\ ünï \u2028`;
    await index.append(1, [
      several("a", { [name]: [1, 0], "lex-1": [0, 1, 0] }),
      upsert("b", { embedding: name, numbers: [0, 1] }),
    ]);
    const asked = { embedding: name, vector: vector(0, 1) };
    assert.deepEqual(await hitIds(index, asked), ["b", "a"]);
    await index.append(1, [several("b", { [name]: [0, 1], "lex-1": [1, 0, 0] })]);
    assert.deepEqual(await hitIds(index, asked), ["b", "a"]);
    assert.deepEqual(await hitIds(index, {}), ["b", "a"]);
    assert.equal((await index.vectors()).length, 1);
  });
}

/** A document with vectors of these versions. */
function several(id: string, numbers: Readonly<Record<string, readonly number[]>>) {
  const laid = joined(
    Object.entries(numbers).map(([version, own]) => {
      const bytes = new Uint8Array(vector(...own).buffer);
      return { model: { version, dimensions: own.length }, bytes };
    }),
  );
  const base64 = Buffer.from(laid.vector).toString("base64");
  return upsert(id, { embedding: laid.embedding, vector: base64 });
}

async function columns(index: IndexStore, at: Bench): Promise<string[]> {
  const { fields } = await (await tableOf(at.placeOf(index))).schema();
  const names = fields.map(({ name }) => name);
  return names.filter((name) => /^v[0-9]/.test(name)).sort();
}

async function filled(at: Bench, ids: readonly string[]): Promise<IndexStore> {
  const index = await at.open(at.place());
  await index.append(
    1,
    ids.map((id) => upsert(id)),
  );
  return index;
}

async function change(index: IndexStore, times: number): Promise<void> {
  for (let n = 0; n < times; n++) await index.append(1, [upsert(`d${n % 5}`, { text: `${n}` })]);
}

async function tableOf({ path, folder }: LanceOptions): Promise<LanceTable> {
  const file = new DatabaseSync(path, { readOnly: true });
  const named = JSON.parse(String(file.prepare("SELECT named FROM lance").get()?.named));
  file.close();
  return (await loadDriver().connect(folder)).openTable(named.name);
}

/** The files that hold the records of the newest version. */
async function tableAt(index: IndexStore, at: Bench): Promise<unknown[]> {
  const table = await tableOf(at.placeOf(index));
  const { fragmentStats } = await Reflect.get(table, "stats").call(table);
  return Array.from({ length: fragmentStats.numFragments });
}

function tables({ folder }: LanceOptions): string[] {
  return readdirSync(folder).filter((name) => name.endsWith(".lance"));
}

function moveAway(path: string): void {
  try {
    renameSync(path, `${path}.away`);
  } catch {}
}

/** Replaces bytes in whichever file of the table holds them. */
function alter(place: LanceOptions, before: string, after: string): void {
  const [table = ""] = tables(place);
  const data = join(place.folder, table, "data");
  for (const name of readdirSync(data)) {
    const bytes = readFileSync(join(data, name));
    const at = bytes.indexOf(before);
    if (at === -1) continue;
    bytes.write(after, at);
    writeFileSync(join(data, name), bytes);
    return;
  }
  assert.fail(`no file holds "${before}"`);
}

if (skipped === false) {
  describe("a copy in Lance files", () => {
    provesVersions();
    provesOrder();
    provesSearch();
    provesSeveral();
  });
} else test("a copy in Lance files", { skip: skipped }, () => undefined);
