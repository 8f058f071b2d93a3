import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isBusy, notWritable, unavailable, whileOpening } from "./failures.ts";

/** "TDov": marks the file as ours, so that a path typed wrongly never alters another's database. */
const APPLICATION_ID = 0x54446f76;
const LAYOUT = 1;

/** Keys are compared as UTF-8 bytes (BINARY), which is the order of their code points. */
const TABLES = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY) WITHOUT ROWID, STRICT;
  CREATE TABLE entries (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL, lease TEXT
  ) WITHOUT ROWID, STRICT;
  CREATE INDEX entries_by_lease ON entries (lease) WHERE lease IS NOT NULL;
  CREATE TABLE leases (id TEXT PRIMARY KEY, ttl REAL NOT NULL, deadline REAL NOT NULL)
    WITHOUT ROWID, STRICT;
  INSERT INTO meta VALUES ('revision', 0), ('boot', '');
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${LAYOUT};
`;

/**
 * Opens the file, and makes it a store when it is new. Several processes may do so at the same
 * moment. Throws DISK_NOT_WRITABLE, or STORE_UNAVAILABLE for a file that is damaged or not ours.
 */
export function openDatabase(path: string, busyTimeoutMs: number): DatabaseSync {
  judgePlace(path);
  let db: DatabaseSync | undefined;
  try {
    const opened = new DatabaseSync(path, { timeout: busyTimeoutMs });
    db = opened;
    retryWhileBusy(() => setUp(opened, path), busyTimeoutMs);
    return opened;
  } catch (error) {
    db?.close();
    throw whileOpening(error, path);
  }
}

/** SQLite says only "unable to open database file"; a person needs to know which part of it. */
function judgePlace(path: string): void {
  const folder = dirname(path);
  try {
    if (!statSync(folder).isDirectory()) throw new Error(`${folder} is not a folder`);
    accessSync(folder, constants.W_OK | constants.X_OK);
    const file = statSync(path, { throwIfNoEntry: false });
    if (file?.isDirectory()) throw new Error("it is a folder");
    if (file !== undefined) accessSync(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw notWritable(path, reasonOf(error, folder), error);
  }
}

function reasonOf(error: unknown, folder: string): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? error.code : undefined;
  if (code === "ENOENT") return `the folder ${folder} does not exist`;
  if (code === "ENOTDIR") return `${folder} is not a folder`;
  if (code === "EACCES" || code === "EROFS") return "this user may not write there";
  return error.message;
}

function setUp(db: DatabaseSync, path: string): void {
  // Before anything is written: switching another program's database to WAL would alter it.
  const isNew = inOneRead(db, () => judgeOwner(db, path));
  const mode = db.prepare("PRAGMA journal_mode = WAL").get()?.journal_mode;
  if (mode !== "wal") {
    throw notWritable(path, "its file system cannot be shared by processes (no WAL)");
  }
  // FULL, not NORMAL: an epoch that was handed out must not be handed out again after a power cut.
  db.exec("PRAGMA synchronous = FULL; BEGIN IMMEDIATE");
  try {
    // Asked again under the lock: another process may have made the tables since.
    if (isNew && judgeOwner(db, path)) db.exec(TABLES);
    db.exec("COMMIT");
  } catch (error) {
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}

/**
 * Looks at one state of the file. Between two looks another process may make it a store, and one
 * that was empty a moment ago would have tables of nobody.
 */
function inOneRead<T>(db: DatabaseSync, look: () => T): T {
  db.exec("BEGIN");
  try {
    return look();
  } finally {
    if (db.isTransaction) db.exec("COMMIT");
  }
}

/** true for an empty file, false for a store of ours; throws on anything else. */
function judgeOwner(db: DatabaseSync, path: string): boolean {
  const owner = db.prepare("PRAGMA application_id").get()?.application_id;
  const layout = db.prepare("PRAGMA user_version").get()?.user_version;
  const tables = db.prepare("SELECT count(*) AS count FROM sqlite_schema").get()?.count;
  if (owner === 0 && tables === 0) return true;
  if (owner !== APPLICATION_ID) {
    throw unavailable(path, "it is a database of another program", "Name another path.");
  }
  if (layout !== LAYOUT) {
    throw unavailable(
      path,
      `it has layout ${layout}, and this version of Tideover reads layout ${LAYOUT}`,
      "Run the version of Tideover that made it.",
    );
  }
  return false;
}

/**
 * SQLite's own busy timeout does not cover the switch to WAL, where it fails at once rather than
 * risk a deadlock. Without this, two processes that make one store together fail now and then.
 */
function retryWhileBusy(work: () => void, timeoutMs: number): void {
  const pauseMs = 10;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let left = Math.ceil(timeoutMs / pauseMs); ; left--) {
    try {
      work();
      return;
    } catch (error) {
      if (!isBusy(error) || left <= 0) throw error;
      Atomics.wait(pause, 0, 0, pauseMs);
    }
  }
}
