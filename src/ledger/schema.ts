import type { DatabaseSync } from "node:sqlite";
import { hexOf } from "./sum.ts";

/** What tells one engine's files from another's, and what they hold besides the ledger. */
export interface Layout {
  /** SQLite's application_id of such a file. */
  readonly application: number;
  /** Version of all its tables, these ones here included. */
  readonly format: number;
  /** SQL that makes the engine's own tables. */
  readonly tables: string;
  /** Loads into a new connection what its statements need. */
  readonly extend?: (db: DatabaseSync) => void;
}

const ENTRY_COLUMNS = `
  epoch INTEGER NOT NULL,
  op TEXT NOT NULL,
  id TEXT NOT NULL,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  audience TEXT NOT NULL,
  labels TEXT NOT NULL,
  payload TEXT NOT NULL,
  source_time REAL NOT NULL,
  embedding TEXT NOT NULL,
  vector BLOB NOT NULL,
  digest_after TEXT NOT NULL`;

/**
 * `ranges` is a tree of kept sums in heap order: node 1 is all, node 2^bits + prefix a range. Kept
 * are the levels of 0, 8 and 16 bits. A sum is 32 hex digits.
 */
export function rangesTable(prefix: string): string {
  return `
  CREATE TABLE ${prefix}ranges (
    node INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    sum TEXT NOT NULL
  ) STRICT;`;
}

/**
 * `undo` holds what an entry replaced, `undo_watermarks` what a watermark raised: what a rewind
 * puts back. `base` is where the log begins, with the position that the index had there.
 */
const TABLES = `
  ${rangesTable("")}
  CREATE TABLE log (seq INTEGER PRIMARY KEY, ${ENTRY_COLUMNS}) STRICT;
  CREATE TABLE orphans (n INTEGER PRIMARY KEY, seq INTEGER NOT NULL, ${ENTRY_COLUMNS}) STRICT;
  CREATE TABLE undo (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    audience TEXT NOT NULL,
    labels TEXT NOT NULL,
    embedding TEXT NOT NULL,
    digest BLOB NOT NULL,
    vector BLOB NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    payload TEXT NOT NULL
  ) STRICT;
  CREATE TABLE undo_watermarks (seq INTEGER PRIMARY KEY, source_time REAL) STRICT;
  CREATE TABLE watermarks (audience TEXT PRIMARY KEY, source_time REAL NOT NULL) STRICT;
  CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    digest TEXT NOT NULL,
    source_time REAL NOT NULL,
    count INTEGER NOT NULL,
    base INTEGER NOT NULL,
    base_digest TEXT NOT NULL,
    base_source_time REAL NOT NULL,
    key_check TEXT NOT NULL,
    generation INTEGER NOT NULL,
    quarantine TEXT,
    loaded INTEGER,
    total INTEGER
  ) STRICT;`;

const EMPTY = hexOf(0n);

/** Makes the tables of a new file. Changes nothing in a file that is not ours. */
export function createTables(db: DatabaseSync, keyCheck: string, layout: Layout): void {
  const { application, format, tables } = layout;
  if (countTables(db) > 0 && pragma(db, "application_id") !== application) return;
  db.exec("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;");
  // FULL: with less, a commit that was acknowledged can be gone after a power cut, and a replica
  // that has it already would then be ahead of its owner.
  db.exec("PRAGMA synchronous = FULL; BEGIN IMMEDIATE;");
  // Inside the transaction, so that two processes that open a new file at once make it once, and
  // a reader sees all tables or none.
  if (countTables(db) === 0) {
    db.exec(`${TABLES} ${tables}`);
    db.exec(`PRAGMA application_id = ${application}; PRAGMA user_version = ${format};`);
    const meta = "INSERT INTO meta VALUES (1, 0, 0, ?, 0, 0, 0, ?, 0, ?, 0, NULL, NULL, NULL)";
    db.prepare(meta).run(EMPTY, EMPTY, keyCheck);
  }
  if (pragma(db, "user_version") === format) adoptKey(db, keyCheck);
  db.exec("COMMIT");
}

/** An index that never held anything has no digests yet that another key could contradict. */
function adoptKey(db: DatabaseSync, keyCheck: string): void {
  db.prepare("UPDATE meta SET key_check = ?1 WHERE seq = 0 AND key_check <> ?1").run(keyCheck);
}

/** Why this file is no whole index of ours, and what to do; null when it is. */
export function faultOf(db: DatabaseSync, keyCheck: string, layout: Layout): Fault | null {
  if (countTables(db) === 0) return { is: "is still empty", next: REPLACE };
  if (pragma(db, "application_id") !== layout.application) {
    return { is: "is not an index of Tideover's", next: REPLACE };
  }
  const format = pragma(db, "user_version");
  if (format !== layout.format) return otherFormat(format, layout);
  const row = db.prepare(WHOLE).get();
  if (row?.whole !== 1) {
    return { is: "is damaged: its log, sums and position disagree", next: REPLACE };
  }
  return row.key_check === keyCheck ? null : OTHER_KEY;
}

interface Fault {
  readonly is: string;
  readonly next: string;
}

/** What to do about a file that cannot be used. Nothing is lost: the owner has the log. */
export const REPLACE =
  "Stop this region's agent, move the file and its -wal and -shm away, and start the agent: it fills a new copy from the owner.";

function otherFormat(format: number, layout: Layout): Fault {
  const is = `has format ${format}, and this version reads format ${layout.format}`;
  if (format > layout.format)
    return { is, next: "Run the version of Tideover that made the file." };
  const next =
    "Move the file and its -wal and -shm away in every region, start the agents, and ingest the documents again.";
  return { is, next };
}

const OTHER_KEY: Fault = {
  is: "was made with another digest key, or with none",
  next: "Give `indexes.<name>.digestKeyEnv` the key that the file was made with, or replace the copies of every region.",
};

/**
 * Log, sums and position are written in one transaction, so only damage from outside can part
 * them: a file copied without its write-ahead log, or put back over another one's. The records
 * themselves are not read here: a file of a million must open at once, and a scrub looks at them.
 */
const WHOLE = `
  SELECT key_check,
    meta.seq = (SELECT coalesce(max(seq), meta.base) FROM log)
    AND meta.digest = coalesce(
      (SELECT digest_after FROM log WHERE log.seq = meta.seq), meta.base_digest
    )
    AND (SELECT coalesce(sum(count), 0) FROM ranges WHERE node = 1)
      = (SELECT coalesce(sum(count), 0) FROM ranges WHERE node BETWEEN 256 AND 511) AS whole
  FROM meta`;

function countTables(db: DatabaseSync): number {
  return Number(db.prepare("SELECT count(*) AS tables FROM sqlite_master").get()?.tables);
}

function pragma(db: DatabaseSync, name: "user_version" | "application_id"): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}
