import { type Database, quoted, type Session, type Transaction } from "./database.ts";
import { inspect, migrate, type Ready, refuseBlind } from "./migrate.ts";
import { DEFAULT_READER, type PgvectorOptions } from "./options.ts";
import { type Meta, readMeta } from "./rows.ts";
import { unavailable } from "./trouble.ts";

type Work<T> = (session: Session, meta: Meta) => Promise<T>;

/** The tables of one index, with the transactions that its calls run in. */
export interface Tables {
  /** Reads of `meta`, and of the log's marks. All reads of a transaction see one moment. */
  look<T>(work: Work<T>): Promise<T>;
  /** Reads of records and log: only who sees all of them may. */
  read<T>(work: Work<T>): Promise<T>;
  /** As the reader role, whom the policies bind. */
  search<T>(work: Work<T>): Promise<T>;
  /** The only writer until it ends: the row of `meta` is locked first. */
  write<T>(work: Work<T>): Promise<T>;
  /** A write that takes its time, such as a page of a restore. */
  slow<T>(work: Work<T>): Promise<T>;
  /** Builds indexes, as long as that takes: `meta` is not locked, and others write it meanwhile. */
  build<T>(work: Work<T>): Promise<T>;
  /** A write that is taken back at its end, whatever it did. */
  trial<T>(work: Work<T>): Promise<T>;
}

const TIMEOUT_MS = 60_000;
/** Long before a caller of a gateway loses patience. */
const SEARCH_TIMEOUT_MS = 10_000;
const READ = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/** Nothing is asked of the server before the first call; from then on it is asked until it is ready. */
export function openTables(database: Database, options: PgvectorOptions): Tables {
  const { readOnly = false, reader = DEFAULT_READER } = options;
  const asReader = `SET LOCAL ROLE ${quoted(reader)}`;
  const prepared = once(() => (readOnly ? inspect : migrate)(database, options));
  const run = async <T>(
    { begin: [first = "BEGIN", ...more], ...how }: Transaction,
    work: (session: Session) => Promise<T>,
  ): Promise<T> => {
    const { searchPath } = await prepared();
    return database.transaction({ begin: [first, searchPath, ...more], ...how }, work);
  };
  const read = <T>(how: Transaction, work: Work<T>): Promise<T> =>
    run(how, async (session) => work(session, await readMeta(session, false)));
  const write = <T>(how: Omit<Transaction, "begin">, work: Work<T>): Promise<T> => {
    if (readOnly) return refuseWrite(database);
    const begin = ["BEGIN"];
    return run({ begin, ...how }, async (session) => work(session, await readMeta(session, true)));
  };
  return {
    look: (work) =>
      read({ begin: [READ, ...(readOnly ? [asReader] : [])], timeout: TIMEOUT_MS }, work),
    read: (work) =>
      read({ begin: [READ], timeout: TIMEOUT_MS }, async (session, meta) => {
        if (readOnly) await refuseBlind(session, database.place);
        return work(session, meta);
      }),
    // The lock comes before the first look: a restore puts another table in the place of
    // `records`, and a look from before it would find that one empty.
    search: (work) => {
      const begin = [READ, asReader, "LOCK TABLE records IN ACCESS SHARE MODE"];
      return read({ begin, timeout: SEARCH_TIMEOUT_MS }, work);
    },
    write: (work) => write({ timeout: TIMEOUT_MS }, work),
    slow: (work) => write({ timeout: 0 }, work),
    build: (work) =>
      readOnly ? refuseWrite(database) : read({ begin: ["BEGIN"], timeout: 0 }, work),
    trial: (work) => write({ timeout: TIMEOUT_MS, end: "ROLLBACK" }, work),
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
