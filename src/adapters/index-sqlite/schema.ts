import type { DatabaseSync } from "node:sqlite";
import { EMPTY_POSITION } from "../../model/position.ts";

/** "TILo" in ASCII: tells a Tideover index from any other SQLite file. */
const APPLICATION = 0x54494c6f;
const FORMAT = 1;

const ENTRY_COLUMNS = `
  epoch INTEGER NOT NULL,
  op TEXT NOT NULL,
  id TEXT NOT NULL,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  audience TEXT NOT NULL,
  source_time REAL NOT NULL,
  embedding TEXT NOT NULL,
  vector BLOB NOT NULL,
  digest_after TEXT NOT NULL`;

/**
 * `vector` stands before the long texts: a search reads every vector, and a row's later columns
 * lie in overflow pages that it then never touches.
 */
const TABLES = `
  CREATE TABLE records (
    id TEXT PRIMARY KEY,
    audience TEXT NOT NULL,
    embedding TEXT NOT NULL,
    digest TEXT NOT NULL,
    vector BLOB NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL
  ) STRICT;
  CREATE INDEX records_scope ON records (embedding, audience);
  CREATE TABLE log (seq INTEGER PRIMARY KEY, ${ENTRY_COLUMNS}) STRICT;
  CREATE TABLE orphans (n INTEGER PRIMARY KEY, seq INTEGER NOT NULL, ${ENTRY_COLUMNS}) STRICT;
  CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    digest TEXT NOT NULL,
    source_time REAL NOT NULL,
    count INTEGER NOT NULL
  ) STRICT;
  INSERT INTO meta VALUES (1, 0, 0, '${EMPTY_POSITION.digest}', 0, 0);
  PRAGMA application_id = ${APPLICATION};
  PRAGMA user_version = ${FORMAT};`;

/** Makes the tables of a new file. Changes nothing in a file that is not ours. */
export function createTables(db: DatabaseSync): void {
  if (countTables(db) > 0 && pragma(db, "application_id") !== APPLICATION) return;
  db.exec("PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;");
  // FULL: with less, a commit that was acknowledged can be gone after a power cut, and a replica
  // that has it already would then be ahead of its owner.
  db.exec("PRAGMA synchronous = FULL; BEGIN IMMEDIATE;");
  // Inside the transaction, so that two processes that open a new file at once make it once, and
  // a reader sees all tables or none.
  if (countTables(db) === 0) db.exec(TABLES);
  db.exec("COMMIT");
}

/** Why this file is no whole index of ours, or null. Give it a read transaction. */
export function faultOf(db: DatabaseSync): string | null {
  if (countTables(db) === 0) return "is still empty";
  if (pragma(db, "application_id") !== APPLICATION) return "is not an index of Tideover's";
  const format = pragma(db, "user_version");
  if (format !== FORMAT) return `has format ${format}, and this version reads format ${FORMAT}`;
  const whole = db.prepare(WHOLE).get();
  return whole?.whole === 1 ? null : "is damaged: its log, records and position disagree";
}

/**
 * The three are written in one transaction, so only damage from outside can part them: a file
 * copied without its write-ahead log, or put back over another one's.
 */
const WHOLE = `
  SELECT meta.seq = (SELECT coalesce(max(seq), 0) FROM log)
     AND meta.count = (SELECT count(*) FROM records)
     AND meta.digest = coalesce(
       (SELECT digest_after FROM log WHERE log.seq = meta.seq), '${EMPTY_POSITION.digest}'
     ) AS whole
  FROM meta`;

function countTables(db: DatabaseSync): number {
  return Number(db.prepare("SELECT count(*) AS tables FROM sqlite_master").get()?.tables);
}

function pragma(db: DatabaseSync, name: "user_version" | "application_id"): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name]);
}
