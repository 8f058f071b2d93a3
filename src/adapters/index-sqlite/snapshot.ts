import type { Connection } from "../../ledger/connection.ts";
import { recordOf } from "../../ledger/entries.ts";
import type { IndexFile } from "../../ledger/index-file.ts";
import { readMeta, readWatermarks } from "../../ledger/meta.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { IndexSnapshot } from "../../ports/index.ts";
import { RECORD_COLUMNS, recordTables } from "./contents.ts";
import { recordsNow } from "./ranges.ts";

/**
 * See IndexStore.openSnapshot. One read transaction on a connection of its own: SQLite keeps that
 * moment in the write-ahead log, which therefore grows until the snapshot is closed.
 */
export function openSnapshot(file: IndexFile): IndexSnapshot {
  const connection = file.openAnother();
  try {
    return snapshotOf(connection, file);
  } catch (error) {
    connection.db.close();
    throw file.explain(error);
  }
}

function snapshotOf(connection: Connection, file: IndexFile): IndexSnapshot {
  connection.db.exec("BEGIN");
  const { position, epoch } = readMeta(connection);
  const watermarks = readWatermarks(connection);
  const records = async function* (limit: number, first: readonly string[] = []) {
    try {
      yield* pagesOf(connection, limit, first);
    } catch (error) {
      throw file.explain(error);
    }
  };
  const close = async (): Promise<void> => {
    if (connection.db.isOpen) connection.db.close();
  };
  return { position, epoch, watermarks, records, close };
}

function* pagesOf(connection: Connection, limit: number, first: readonly string[]) {
  const hot = [...new Set(first)];
  for (let at = 0; at < hot.length; at += limit) {
    const page = recordsNow(connection, hot.slice(at, at + limit));
    if (page.length > 0) yield page;
  }
  yield* others(connection, limit, new Set(hot));
}

/** By place, as a restore from this lays them down: then the next snapshot reads them in a row. */
function* others(connection: Connection, limit: number, told: ReadonlySet<string>) {
  const rows = connection.sql(`
    SELECT r.range_key, ${RECORD_COLUMNS} FROM ${recordTables()}
    WHERE (r.range_key, r.id) > (?, ?) ORDER BY r.range_key, r.id LIMIT ?`);
  let after: [number, string] = [-1, ""];
  for (;;) {
    const found = rows.all(...after, limit);
    const last = found.at(-1);
    if (last === undefined) return;
    after = [Number(last.range_key), String(last.id)];
    const page: StoredRecord[] = found.map(recordOf).filter(({ id }) => !told.has(id));
    if (page.length > 0) yield page;
  }
}
