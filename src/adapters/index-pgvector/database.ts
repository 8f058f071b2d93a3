import type { PoolClient } from "pg";
import { TideoverError } from "../../lib/errors.ts";
import type { PgvectorOptions } from "./options.ts";
import { codeOf, explained, type Place, placeOf, unavailable } from "./trouble.ts";

type Row = Readonly<Record<string, unknown>>;

/** A transaction that is under way. */
export interface Session {
  /** Buffers are parameters in binary format (binary.ts). */
  all(text: string, values?: readonly Value[]): Promise<Row[]>;
}

export type Value = string | number | boolean | null | Buffer;

export interface Database {
  readonly place: Place;
  /**
   * Runs `work` so that all of its writes happen, or none. Throws INDEX_UNAVAILABLE for whatever
   * driver and server say.
   */
  transaction<T>(how: Transaction, work: (session: Session) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface Transaction {
  /** `BEGIN …` and what else opens the transaction. */
  readonly begin: readonly string[];
  /** Longest time that one statement may take, in ms; 0: any. */
  readonly timeout: number;
  /** ROLLBACK: whatever was done is taken back. Default: COMMIT. */
  readonly end?: "COMMIT" | "ROLLBACK";
}

type Driver = typeof import("pg");

/** Loads `pg`, which is installed only where a spec asks for it. */
export async function loadDriver(load = (): Promise<Driver> => import("pg")): Promise<Driver> {
  try {
    return await load();
  } catch (cause) {
    throw new TideoverError("the index engine pgvector needs the package pg", {
      code: "INDEX_UNAVAILABLE",
      next: "Run `npm install pg` beside Tideover, and start again.",
      cause,
    });
  }
}

const CONNECT_TIMEOUT_MS = 5_000;
/** A server behind a cut network says nothing at all, not even that a statement took too long. */
const SILENCE_MS = 5_000;

/**
 * Nothing is kept in a session between two transactions (no prepared names, no settings, no role),
 * so that a pooler such as PgBouncer may stand between, in transaction mode.
 */
export async function openDatabase(options: PgvectorOptions, driver: Driver): Promise<Database> {
  const place = placeOf(options.url, options.schema);
  const pool = new driver.default.Pool({
    connectionString: options.url,
    max: options.connections ?? 4,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    application_name: "tideover",
    // An idle agent or gateway is no reason for its process to stay.
    allowExitOnIdle: true,
  });
  // A connection that breaks while nobody uses it: the pool opens another one when it is needed.
  pool.on("error", () => undefined);
  let closing: Promise<void> | null = null;
  return {
    place,
    transaction: async (how, work) => {
      if (closing !== null) throw closed(place);
      try {
        return await inTransaction(await pool.connect(), how, work);
      } catch (error) {
        throw explained(place, error);
      }
    },
    close: () => {
      closing ??= pool.end();
      return closing;
    },
  };
}

function closed({ name }: Place): TideoverError {
  return unavailable(`index in ${name} was closed`, "Open the index again.");
}

async function inTransaction<T>(
  client: PoolClient,
  { begin: [first = "BEGIN", ...rest], timeout, end = "COMMIT" }: Transaction,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  let broken = false;
  // A connection that breaks between two statements says so here only, and unheard it would end
  // the process; the next statement fails anyway.
  const deaf = (): void => undefined;
  client.on("error", deaf);
  const all = async (text: string, values?: readonly Value[]): Promise<Row[]> => {
    try {
      const silence = timeout === 0 ? {} : { query_timeout: timeout + SILENCE_MS };
      const query = { text, ...silence, ...(values === undefined ? {} : { values: [...values] }) };
      return (await client.query<Row>(query)).rows;
    } catch (error) {
      // What the server itself says has a SQLSTATE. After anything else nobody knows what the
      // connection is at, and another transaction must not go on from there.
      broken ||= !/^[0-9A-Z]{5}$/.test(codeOf(error)) || codeOf(error).startsWith("57P");
      throw error;
    }
  };
  try {
    await all([first, `SET LOCAL statement_timeout = ${timeout}`, ...rest].join("; "));
    const result = await work({ all });
    await all(end);
    return result;
  } catch (error) {
    if (!broken) await all("ROLLBACK").catch(() => undefined);
    throw error;
  } finally {
    client.off("error", deaf);
    client.release(broken);
  }
}

/** A name as it stands in SQL text. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as it stands in SQL text, whatever the server's settings. */
export function literal(text: string): string {
  return `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}
