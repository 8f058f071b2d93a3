import { join } from "node:path";
import type { StoredRecord } from "../../model/record.ts";
import type { Named } from "./bookkeeping.ts";
import type { Arrow, LanceTable, Written } from "./driver.ts";
import { atRows } from "./filter.ts";
import { isLocal, type LanceOptions } from "./options.ts";
import {
  columnName,
  columnsOf,
  tableOf,
  type VectorColumn,
  vectorColumns,
  vectorField,
} from "./rows.ts";
import { Syncer } from "./sync.ts";
import { unavailable } from "./trouble.ts";

/** What every writer of a copy works with. */
export interface Means {
  readonly options: LanceOptions;
  readonly arrow: Arrow;
}

interface Start extends Means {
  readonly name: string;
  readonly version: number;
  readonly columns: readonly string[];
  readonly syncer: Syncer | null;
}

function syncerOf(options: LanceOptions, name: string): Syncer | null {
  return isLocal(options) ? new Syncer(join(options.folder, `${name}.lance`)) : null;
}

/**
 * Writes one Lance table, version after version. A version counts for nobody until the ledger names
 * it, so that a write that is never named is as if it had not been.
 */
export class Writer {
  readonly table: LanceTable;
  readonly name: string;
  readonly #options: LanceOptions;
  readonly #arrow: Arrow;
  readonly #columns: Set<string>;
  readonly #syncer: Syncer | null;
  #version: number;

  private constructor(table: LanceTable, start: Start) {
    this.table = table;
    this.name = start.name;
    this.#options = start.options;
    this.#arrow = start.arrow;
    this.#version = start.version;
    this.#columns = new Set(start.columns);
    this.#syncer = start.syncer;
  }

  /** Of a table that was just made. */
  static async ofNew(table: LanceTable, name: string, means: Means): Promise<Writer> {
    return new Writer(table, {
      ...means,
      name,
      version: await table.version(),
      columns: [],
      syncer: syncerOf(means.options, name),
    });
  }

  /** Of a table that was there: what came after the named version becomes history. */
  static async at(table: LanceTable, { name, version }: Named, means: Means): Promise<Writer> {
    const syncer = syncerOf(means.options, name);
    await syncer?.skip();
    if ((await table.version()) !== version) {
      await table.checkout(version);
      await table.restore();
    }
    const columns = vectorColumns(await table.schema());
    return new Writer(table, { ...means, name, version: await table.version(), columns, syncer });
  }

  /** The version that the table has now. */
  get version(): number {
    return this.#version;
  }

  async add(records: readonly StoredRecord[]): Promise<void> {
    if (records.length === 0) return;
    await this.#makeColumns(columnsOf(records));
    await this.#step(this.table.add(tableOf(this.#arrow, records, this.#options.digestKey)));
  }

  /** `rows`: as they are numbered in this version. */
  async drop(rows: readonly bigint[]): Promise<void> {
    if (rows.length === 0) return;
    await this.#step(this.table.delete(atRows(rows)));
  }

  /** Fewer and larger files with the same contents, and no versions from before `keepFrom`. */
  async tidy(keepFrom: Date): Promise<void> {
    await this.table.optimize({ cleanupOlderThan: keepFrom });
    this.#version = await this.table.version();
  }

  /** Waits until all that was written is on the disk: Lance itself leaves that to the system. */
  async sync(): Promise<void> {
    await this.#syncer?.sync();
  }

  async #makeColumns(columns: readonly VectorColumn[]): Promise<void> {
    const missing = columns.filter((column) => !this.#columns.has(columnName(column)));
    if (missing.length === 0) return;
    const fields = missing.map((column) => vectorField(this.#arrow, column));
    await this.#step(this.table.addColumns(fields));
    for (const column of missing) this.#columns.add(columnName(column));
  }

  /** Lance writes on top of whatever another process wrote, which must not come in unseen. */
  async #step(writing: Promise<Written>): Promise<void> {
    const { version } = await writing;
    this.#version += 1;
    if (version === this.#version) return;
    throw unavailable(
      `Lance table ${this.name} in ${this.#options.folder} is written by somebody else as well`,
      "Let one agent alone write each copy of an index: give each region a folder of its own.",
    );
  }
}
