import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { TestContext } from "node:test";
import { type Damage, type IndexMaker, upsert } from "../../../test/contract/index-support.ts";
import type { IndexStore } from "../../ports/index.ts";
import { type LanceTable, loadDriver } from "./driver.ts";
import { openLanceIndex } from "./index.ts";
import type { LanceOptions } from "./options.ts";

/** Why tests of Lance cannot run here; false where they can. */
export const skipped = whyNot();

function whyNot(): string | false {
  try {
    loadDriver();
    return false;
  } catch {
    return "skipped: @lancedb/lancedb is not installed (npm install --prefix peers)";
  }
}

export interface Bench {
  /** A copy in a folder of this test's own, closed at its end. */
  open(options: LanceOptions): Promise<IndexStore>;
  /** Where a new copy would be. */
  place(): LanceOptions;
  placeOf(index: IndexStore): LanceOptions;
}

export async function bench(t: TestContext): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), "tideover-lance-"));
  const opened = new Map<IndexStore, LanceOptions>();
  let count = 0;
  t.after(async () => {
    for (const index of opened.keys()) await index.close();
    await rm(folder, { recursive: true });
  });
  return {
    open: async (options) => {
      const index = await openLanceIndex(options);
      opened.set(index, options);
      return index;
    },
    place: () => {
      const name = join(folder, `${count++}`);
      return { path: `${name}.db`, folder: `${name}.lance` };
    },
    placeOf: (index) => {
      const place = opened.get(index);
      if (place === undefined) throw new Error("it was not opened here");
      return place;
    },
  };
}

const DAMAGES: Readonly<Record<Exclude<Damage, "lost">, Readonly<Record<string, string>>>> = {
  text: { text: "'damaged'" },
  vector: { v3: "arrow_cast(make_array(0, 0, 1), 'FixedSizeList(3, Float32)')" },
  audience: { audience: "'bolt'" },
};

/** What the contract needs. */
export async function make(t: TestContext): Promise<IndexMaker> {
  const at = await bench(t);
  const spoiled = async (): Promise<IndexStore> => {
    const index = await at.open(at.place());
    await index.append(1, [upsert("a")]);
    await rm(at.placeOf(index).folder, { recursive: true });
    return index;
  };
  const durable = {
    module: new URL("./index.ts", import.meta.url).href,
    open: "openLanceIndex",
    place: async () => at.place(),
    reopen: (place: unknown) => at.open(place as LanceOptions),
  };
  return {
    fresh: () => at.open(at.place()),
    keyed: (digestKey) => at.open({ ...at.place(), digestKey }),
    damage: (index, id, how) => damage(at.placeOf(index), id, how),
    spoiled,
    durable,
  };
}

/**
 * Alters a record in the table, and has the file name the version in which it is altered, as if it
 * had always been so. (A version that nobody names is no damage: the next write takes it back.)
 */
async function damage(place: LanceOptions, id: string, how: Damage): Promise<void> {
  await alterTable(place, async (table) => {
    const where = `id = '${id}'`;
    if (how === "lost") await table.delete(where);
    else await Reflect.get(table, "update").call(table, { where, valuesSql: DAMAGES[how] });
  });
}

async function alterTable(
  { path, folder }: LanceOptions,
  work: (table: LanceTable) => Promise<void>,
): Promise<void> {
  const file = new DatabaseSync(path);
  const named = JSON.parse(String(file.prepare("SELECT named FROM lance").get()?.named));
  const table = await (await loadDriver().connect(folder)).openTable(named.name);
  await work(table);
  const version = await table.version();
  file.prepare("UPDATE lance SET named = ?").run(JSON.stringify({ ...named, version }));
  file.close();
}
