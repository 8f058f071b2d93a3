import type { LogEntry } from "../../model/change.ts";
import type { IndexStore } from "../../ports/index.ts";
import { type Connection, unavailable } from "./connection.ts";
import { indexFile } from "./index-file.ts";
import { ENTRY_COLUMNS, entryOf, readEntry, readMeta } from "./rows.ts";
import { search } from "./search.ts";
import { append, apply, fence, rewindTo } from "./write.ts";

/**
 * One index in one SQLite file with a write-ahead log: one process writes (the agent), any number
 * read (gateways) without waiting for it.
 *
 * Never throws for the file's sake: every call throws INDEX_UNAVAILABLE while the file is missing,
 * damaged or not ours, and works again as soon as it is not. So a gateway starts before its agent.
 *
 * The work is done within the call, on this thread: a call holds up the process for its time.
 */
export async function openSqliteIndex(options: {
  readonly path: string;
  /** true: never writes; the file may appear later. */
  readonly readOnly?: boolean;
}): Promise<IndexStore> {
  const { path, readOnly = false } = options;
  const file = indexFile(path, readOnly);
  const read = file.use;
  const write = <T>(work: (connection: Connection) => T): T => {
    if (!readOnly) return file.use(work);
    throw unavailable(`index file ${path} is open for reading only`, "Write through its agent.");
  };
  // A writer's file exists from the start, so that readers tell "empty" from "no agent yet".
  await attempt(() => read(readMeta));

  return {
    position: async () => read(readMeta).position,
    epoch: async () => read(readMeta).epoch,
    fence: async (epoch) => write((connection) => fence(connection, epoch)),
    append: async (epoch, changes) => write((connection) => append(connection, epoch, changes)),
    apply: async (entries) => write((connection) => apply(connection, entries)),
    entriesAfter: async (after, limit) =>
      read((connection) => entriesAfter(connection, after, limit)),
    entryAt: async (seq) => read((connection) => readEntry(connection, seq)),
    rewindTo: async (seq) => write((connection) => rewindTo(connection, seq, path)),
    orphans: async () => read(orphans),
    search: async (query) => read((connection) => search(connection, query)),
    close: async () => file.close(),
  };
}

/** What is wrong with the file now, every call will say again: opening it is no reason to fail. */
async function attempt(work: () => unknown): Promise<void> {
  try {
    work();
  } catch {}
}

function entriesAfter({ sql }: Connection, after: number, limit: number): LogEntry[] {
  const rows = sql(`SELECT ${ENTRY_COLUMNS} FROM log WHERE seq > ? ORDER BY seq LIMIT ?`);
  return rows.all(after, limit).map(entryOf);
}

function orphans({ sql }: Connection): LogEntry[] {
  return sql(`SELECT ${ENTRY_COLUMNS} FROM orphans ORDER BY n`).all().map(entryOf);
}
