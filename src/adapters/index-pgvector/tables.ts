import { type Database, quoted, type Session, STATEMENT_TIMEOUT_MS } from "./database.ts";
import { inspect, migrate, type Ready } from "./migrate.ts";
import { DEFAULT_READER, type PgvectorOptions } from "./options.ts";
import { type Meta, readMeta } from "./rows.ts";
import { unavailable } from "./trouble.ts";

/** The tables of one index, with the transactions that its calls run in. */
export interface Tables {
  /** All reads see one moment. */
  read<T>(work: (session: Session, meta: Meta) => Promise<T>): Promise<T>;
  /** As the reader role, whom the policies bind. */
  search<T>(work: (session: Session, meta: Meta) => Promise<T>): Promise<T>;
  /** The only writer until it ends: the row of `meta` is locked first. */
  write<T>(work: (session: Session, meta: Meta) => Promise<T>): Promise<T>;
  /** A write that takes its time, such as building an index. */
  slow<T>(work: (session: Session, meta: Meta) => Promise<T>): Promise<T>;
  /** A write that is taken back at its end, whatever it did. */
  trial<T>(work: (session: Session, meta: Meta) => Promise<T>): Promise<T>;
}

/** Long before a caller of a gateway loses patience. */
const SEARCH_TIMEOUT_MS = 10_000;
const READ = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/** Nothing is asked of the server before the first call; from then on it is asked until it is ready. */
export function openTables(database: Database, options: PgvectorOptions): Tables {
  const { readOnly = false, reader = DEFAULT_READER } = options;
  const asReader = `SET LOCAL ROLE ${quoted(reader)}`;
  const prepared = once(() => (readOnly ? inspect : migrate)(database, options));
  const run = async <T>(
    begin: string,
    more: readonly string[],
    work: (session: Session, meta: Meta) => Promise<T>,
    { lock = false, end = "COMMIT" as "COMMIT" | "ROLLBACK", timeout = STATEMENT_TIMEOUT_MS } = {},
  ): Promise<T> => {
    const { searchPath } = await prepared();
    const opening = [begin, searchPath, `SET LOCAL statement_timeout = ${timeout}`, ...more];
    return database.transaction(
      opening,
      async (session) => work(session, await readMeta(session, lock)),
      end,
    );
  };
  const write = <T>(
    work: (session: Session, meta: Meta) => Promise<T>,
    how: { readonly timeout?: number; readonly end?: "ROLLBACK" },
  ): Promise<T> => {
    if (readOnly) return refuseWrite(database);
    return run("BEGIN", [], work, { lock: true, ...how });
  };
  return {
    read: (work) => run(READ, readOnly ? [asReader] : [], work),
    // The lock comes before the first look: a restore puts another table in the place of
    // `records`, and a look from before it would find that one empty.
    search: (work) =>
      run(READ, [asReader, "LOCK TABLE records IN ACCESS SHARE MODE"], work, {
        timeout: SEARCH_TIMEOUT_MS,
      }),
    write: (work) => write(work, {}),
    slow: (work) => write(work, { timeout: 0 }),
    trial: (work) => write(work, { end: "ROLLBACK" }),
  };
}

function once(prepare: () => Promise<Ready>): () => Promise<Ready> {
  let ready: Promise<Ready> | null = null;
  return () => {
    // A server that was away when it was first asked is asked again. One that was ready is not: in
    // the place of tables that vanished later, empty ones would look like an index that lost
    // nothing.
    ready ??= prepare().catch((error: unknown) => {
      ready = null;
      throw error;
    });
    return ready;
  };
}

async function refuseWrite({ place }: Database): Promise<never> {
  throw unavailable(
    `index in ${place.name} is open for reading only`,
    "Write through this region's agent.",
  );
}
