import { createRequire } from "node:module";
import { TideoverError } from "../../lib/errors.ts";

/**
 * As much of `@lancedb/lancedb` and `apache-arrow` as is used here. Their own types cannot be
 * imported: both packages are installed only where a spec asks for them.
 */
export interface Driver {
  connect(folder: string): Promise<LanceDatabase>;
  readonly arrow: Arrow;
}

export interface LanceDatabase {
  tableNames(): Promise<string[]>;
  openTable(name: string): Promise<LanceTable>;
  createEmptyTable(
    name: string,
    schema: unknown,
    options: { readonly mode: "overwrite" },
  ): Promise<LanceTable>;
  dropTable(name: string): Promise<void>;
}

/** A handle on one table: at the newest version that it knows, or at one that was checked out. */
export interface LanceTable {
  version(): Promise<number>;
  checkout(version: number): Promise<void>;
  /** Makes what is checked out the newest version. */
  restore(): Promise<void>;
  schema(): Promise<{ readonly fields: readonly { readonly name: string }[] }>;
  add(rows: unknown): Promise<Written>;
  delete(where: string): Promise<Written>;
  addColumns(fields: readonly unknown[]): Promise<Written>;
  countRows(where?: string): Promise<number>;
  query(): LanceQuery;
  vectorSearch(vector: Float32Array): LanceVectorQuery;
  listVersions(): Promise<readonly { readonly version: number; readonly timestamp: Date }[]>;
  optimize(how: { readonly cleanupOlderThan: Date }): Promise<unknown>;
}

export interface Written {
  readonly version: number;
}

export interface LanceQuery {
  where(condition: string): this;
  select(columns: readonly string[]): this;
  limit(count: number): this;
  withRowId(): this;
  toArrow(): Promise<Rows>;
}

export interface LanceVectorQuery extends LanceQuery {
  column(name: string): this;
  distanceType(type: "cosine"): this;
  bypassVectorIndex(): this;
}

/** An Arrow table. */
export interface Rows {
  readonly numRows: number;
  readonly schema: { readonly fields: readonly { readonly name: string }[] };
  getChild(name: string): { get(row: number): unknown } | null;
}

/** What tables are made of, one opaque thing out of others. */
export interface Arrow {
  readonly Field: new (name: string, type: unknown, nullable: boolean) => unknown;
  readonly Schema: new (fields: readonly unknown[]) => unknown;
  readonly Struct: new (fields: readonly unknown[]) => unknown;
  readonly List: new (item: unknown) => unknown;
  readonly FixedSizeList: new (length: number, item: unknown) => unknown;
  readonly FixedSizeBinary: new (length: number) => unknown;
  readonly Utf8: new () => unknown;
  readonly Uint32: new () => unknown;
  readonly Float32: new () => unknown;
  readonly Bool: new () => unknown;
  readonly RecordBatch: new (schema: unknown, data: unknown) => unknown;
  readonly Table: new (schema: unknown, batch: unknown) => unknown;
  makeData(parts: Readonly<Record<string, unknown>>): unknown;
}

const PACKAGES = { lance: "@lancedb/lancedb", arrow: "apache-arrow" } as const;

/** Beside Tideover, or in a checkout's `peers/`, which `npm ci` leaves alone. */
const ROOTS = [import.meta.url, new URL("../../../peers/package.json", import.meta.url)];

/** Throws INDEX_UNAVAILABLE when a package is not installed, or is another one than is known here. */
export function loadDriver(roots: readonly (string | URL)[] = ROOTS): Driver {
  // It warns of every table that it is told to make, and says where in its own sources.
  process.env.LANCEDB_LOG ??= "error";
  const [lance, arrow] = loadFrom(roots);
  if (isLance(lance) && isArrow(arrow)) return { connect: lance.connect, arrow };
  throw missing(`the index engine lancedb cannot use this ${PACKAGES.lance}`);
}

function loadFrom(roots: readonly (string | URL)[]): readonly [unknown, unknown] {
  let cause: unknown;
  for (const root of roots) {
    const require = createRequire(root);
    try {
      // From one place: the first accepts fields and tables only from the second that it finds.
      return [require(PACKAGES.lance), require(PACKAGES.arrow)];
    } catch (error) {
      cause ??= error;
    }
  }
  throw missing(
    `the index engine lancedb needs the packages ${PACKAGES.lance} and ${PACKAGES.arrow}`,
    cause,
  );
}

function missing(message: string, cause?: unknown): TideoverError {
  return new TideoverError(message, {
    code: "INDEX_UNAVAILABLE",
    next: `Run \`npm install ${PACKAGES.lance} ${PACKAGES.arrow}\` beside Tideover, and start again.`,
    cause,
  });
}

function isLance(loaded: unknown): loaded is Pick<Driver, "connect"> {
  return has(loaded, "connect");
}

function isArrow(loaded: unknown): loaded is Arrow {
  return has(loaded, "makeData") && has(loaded, "FixedSizeList") && has(loaded, "RecordBatch");
}

function has(loaded: unknown, name: string): boolean {
  if (typeof loaded !== "object" || loaded === null) return false;
  return typeof Reflect.get(loaded, name) === "function";
}
