import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { load } from "sqlite-vec";
import { TideoverError } from "../../lib/errors.ts";
import { createTables, faultOf } from "./schema.ts";

/** An open file whose tables are there and whole. */
export interface Connection {
  readonly db: DatabaseSync;
  /** The statement of this text, prepared once. */
  readonly sql: (text: string) => StatementSync;
}

/** How long one process waits for another one's write transaction. */
const BUSY_TIMEOUT_MS = 2_000;

/**
 * Opens an index file; a writer makes it (and its folder) when there is none. Throws
 * INDEX_UNAVAILABLE for a file that is no whole index, and SQLite's own errors.
 */
export function openConnection(path: string, readOnly: boolean): Connection {
  if (!readOnly) mkdirSync(dirname(path), { recursive: true });
  const db = new DatabaseSync(path, { readOnly, allowExtension: true, timeout: BUSY_TIMEOUT_MS });
  try {
    load(db);
    db.enableLoadExtension(false);
    if (!readOnly) createTables(db);
    judge(db, path);
  } catch (error) {
    db.close();
    throw error;
  }
  const statements = new Map<string, StatementSync>();
  const sql = (text: string): StatementSync => {
    const statement = statements.get(text) ?? db.prepare(text);
    statements.set(text, statement);
    return statement;
  };
  return { db, sql };
}

function judge(db: DatabaseSync, path: string): void {
  // One read transaction: the agent may be writing between two of the questions.
  db.exec("BEGIN");
  const fault = faultOf(db);
  db.exec("COMMIT");
  if (fault !== null) throw unavailable(`index file ${path} ${fault}`, REPLACE);
}

/** What to do about a file that cannot be used. Nothing is lost: the owner has the log. */
export const REPLACE =
  "Stop this region's agent, move the file and its -wal and -shm away, and start the agent: it fills a new copy from the owner.";

export function unavailable(message: string, next: string, cause?: unknown): TideoverError {
  return new TideoverError(message, { code: "INDEX_UNAVAILABLE", retry: "later", next, cause });
}

/** Runs `work` so that all of its writes happen, or none. */
export function transaction<T>(connection: Connection, work: () => T): T {
  // IMMEDIATE: a transaction that begins as a reader and writes later fails when another process
  // wrote in between, after the epoch was compared.
  return within(connection, "BEGIN IMMEDIATE", work);
}

/** Runs `work` so that all of its reads see one moment. */
export function oneMoment<T>(connection: Connection, work: () => T): T {
  return within(connection, "BEGIN", work);
}

function within<T>({ db }: Connection, begin: string, work: () => T): T {
  db.exec(begin);
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    // SQLite rolls back by itself on some errors, such as a full disk.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}
