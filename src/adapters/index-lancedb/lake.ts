import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Named } from "./bookkeeping.ts";
import type { Driver, LanceDatabase, LanceTable } from "./driver.ts";
import { isLocal, type LanceOptions } from "./options.ts";
import { emptySchema } from "./rows.ts";
import { unavailable } from "./trouble.ts";
import { Writer } from "./writer.ts";

/** The Lance tables of one copy. */
export interface Lake {
  /** A version of a table, which stays as it is. */
  at(named: Pick<Named, "name" | "version">): Promise<LanceTable>;
  /** The table's one writer, at this version; whatever came after it is taken back. */
  writer(named: Named): Promise<Writer>;
  /** The writer of a new, empty table, in the place of any of that name. */
  make(name: string): Promise<Writer>;
  /** The next one that asks for a writer gets a new one: nobody knows where this one stands. */
  forgetWriter(): void;
  names(): Promise<string[]>;
  drop(name: string): Promise<void>;
  /** Throws INDEX_UNAVAILABLE when the table's folder is gone. */
  refuseMissing(named: Named | null): void;
}

export function openLake(options: LanceOptions, driver: Driver): Lake {
  const { folder } = options;
  const means = { options, arrow: driver.arrow };
  let database: Promise<LanceDatabase> | null = null;
  let latest: { readonly named: string; readonly table: Promise<LanceTable> } | null = null;
  let writing: Writer | null = null;

  const connect = (): Promise<LanceDatabase> => {
    database ??= driver.connect(folder);
    // What could not be reached is asked again.
    database.catch(() => {
      database = null;
    });
    return database;
  };
  const open = async (name: string, version: number): Promise<LanceTable> => {
    const table = await (await connect()).openTable(name);
    await table.checkout(version);
    return table;
  };
  const at = ({ name, version }: Pick<Named, "name" | "version">): Promise<LanceTable> => {
    const named = `${name} ${version}`;
    if (latest?.named === named) return latest.table;
    const opened = { named, table: open(name, version) };
    latest = opened;
    opened.table.catch(() => {
      if (latest === opened) latest = null;
    });
    return opened.table;
  };
  const writer = async (named: Named): Promise<Writer> => {
    if (writing?.name === named.name && writing.version === named.version) return writing;
    const table = await (await connect()).openTable(named.name);
    writing = await Writer.at(table, named, means);
    return writing;
  };
  const make = async (name: string): Promise<Writer> => {
    const schema = emptySchema(driver.arrow);
    const table = await (await connect()).createEmptyTable(name, schema, { mode: "overwrite" });
    return Writer.ofNew(table, name, means);
  };
  return {
    at,
    writer,
    make,
    forgetWriter: () => {
      writing = null;
    },
    names: async () => (await connect()).tableNames(),
    drop: async (name) => (await connect()).dropTable(name),
    refuseMissing: (named) => {
      if (named === null || !isLocal(options)) return;
      if (existsSync(join(folder, `${named.name}.lance`))) return;
      throw unavailable(`Lance folder ${folder} has no table ${named.name}`);
    },
  };
}
