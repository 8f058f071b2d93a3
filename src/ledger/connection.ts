import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type DigestKey, recordDigest } from "../core/reconcile/digest.ts";
import { TideoverError } from "../lib/errors.ts";
import { createTables, faultOf, type Layout } from "./schema.ts";

/** Where an index is, and what its digests are keyed with. Plain data: it crosses threads. */
export interface Place {
  readonly path: string;
  readonly digestKey?: Uint8Array;
}

/** An open file whose tables are there and whole. */
export interface Connection {
  readonly db: DatabaseSync;
  readonly key: DigestKey;
  /** The statement of this text, prepared once. */
  readonly sql: (text: string) => StatementSync;
}

/** How long one process waits for another one's write transaction. */
const BUSY_TIMEOUT_MS = 2_000;

/**
 * Opens an index file; a writer makes it (and its folder) when there is none. Throws
 * INDEX_UNAVAILABLE for a file that is no whole index, and SQLite's own errors.
 */
export function openConnection(
  { path, digestKey }: Place,
  readOnly: boolean,
  layout: Layout,
): Connection {
  if (!readOnly) mkdirSync(dirname(path), { recursive: true });
  const allowExtension = layout.extend !== undefined;
  const db = new DatabaseSync(path, { readOnly, allowExtension, timeout: BUSY_TIMEOUT_MS });
  try {
    layout.extend?.(db);
    if (allowExtension) db.enableLoadExtension(false);
    const check = keyCheck(digestKey);
    if (!readOnly) prepareWriter(db, check, layout);
    const fault = faultNow(db, check, layout);
    if (fault !== null) throw unavailable(`index file ${path} ${fault.is}`, fault.next);
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
  return { db, sql, key: digestKey };
}

function prepareWriter(db: DatabaseSync, check: string, layout: Layout): void {
  createTables(db, check, layout);
  // A batch at random places of a large index touches some thousand pages: kept in 64 MB they are
  // not read again for the next one. Checkpoints of 32 MB write a page once that changed ten times.
  db.exec("PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000;");
}

/** Tells keys apart without telling them: under a wrong one every record would look damaged. */
function keyCheck(key: DigestKey): string {
  const none = { id: "", audience: "", labels: [], embedding: "", title: "", text: "" };
  return recordDigest({ ...none, vector: new Uint8Array(0), payload: {} }, key);
}

function faultNow(db: DatabaseSync, check: string, layout: Layout): ReturnType<typeof faultOf> {
  // One read transaction: the agent may be writing between two of the questions.
  db.exec("BEGIN");
  const fault = faultOf(db, check, layout);
  db.exec("COMMIT");
  return fault;
}

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
