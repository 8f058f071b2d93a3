import { load } from "sqlite-vec";
import type { Place } from "../../ledger/connection.ts";
import { type IndexFile, indexFile } from "../../ledger/index-file.ts";
import type { Layout } from "../../ledger/schema.ts";

/** Tables that hold an index's contents, and that a restore makes anew beside the old ones. */
export const CONTENT_TABLES = ["records", "texts", "scopes", "ranges"] as const;

/**
 * The contents. A search reads every vector, so that nothing long stands beside them: texts are
 * read for the few hits only. `scope` says in one number whose a record is, so that a search
 * compares numbers and not lists of labels.
 */
export function contentTables(prefix: string): string {
  return `
  CREATE TABLE ${prefix}records (
    n INTEGER PRIMARY KEY,
    range_key INTEGER NOT NULL,
    id TEXT NOT NULL,
    scope INTEGER NOT NULL,
    digest BLOB NOT NULL,
    vector BLOB NOT NULL
  ) STRICT;
  CREATE TABLE ${prefix}texts (
    n INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    payload TEXT NOT NULL
  ) STRICT;
  CREATE TABLE ${prefix}scopes (
    scope INTEGER PRIMARY KEY,
    embedding TEXT NOT NULL,
    audience TEXT NOT NULL,
    labels TEXT NOT NULL,
    UNIQUE (embedding, audience, labels)
  ) STRICT;`;
}

/**
 * A record is found by range key and id together: both are known whenever one is, and a second
 * index in another random order would double what a small write touches. The generation is part of
 * the names since a table takes its indexes along when it is renamed.
 */
export function contentIndexes(prefix: string, generation: number): string {
  return `
  CREATE UNIQUE INDEX records_place_${generation} ON ${prefix}records (range_key, id);
  CREATE INDEX records_scope_${generation} ON ${prefix}records (scope);`;
}

/** "TILo" in ASCII: tells a Tideover index from any other SQLite file. */
const APPLICATION = 0x54494c6f;
const FORMAT = 2;

const LAYOUT: Layout = {
  application: APPLICATION,
  format: FORMAT,
  tables: `${contentTables("")} ${contentIndexes("", 0)}`,
  extend: load,
};

/** The file of one index: ledger and records. */
export function sqliteFile(place: Place, readOnly: boolean): IndexFile {
  return indexFile(place, readOnly, LAYOUT);
}
