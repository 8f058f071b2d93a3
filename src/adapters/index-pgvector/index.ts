import type { IndexStore } from "../../ports/index.ts";
import { loadDriver, openDatabase, type Session } from "./database.ts";
import { facts } from "./facts.ts";
import { ensureGraphs } from "./graph.ts";
import { entriesAfter, entryAt, markAt, orphans, trimLog } from "./log.ts";
import type { PgvectorOptions } from "./options.ts";
import { repair } from "./repair.ts";
import { abandon, restore } from "./restore.ts";
import { rewindTo } from "./rewind.ts";
import { type Meta, readMeta, standingOf, writeMeta } from "./rows.ts";
import { search } from "./search.ts";
import { openSnapshot } from "./snapshot.ts";
import { marks, partsOf, recordsIn, recordsOf, sums } from "./sums.ts";
import { openTables, type Tables } from "./tables.ts";
import { append, apply } from "./write.ts";

/**
 * One index in one schema of a PostgreSQL database with pgvector. The agent writes; gateways read.
 *
 * Never throws for the server's sake: every call throws INDEX_UNAVAILABLE while it cannot be
 * reached or is not set up, and works again as soon as it can. Throws INDEX_UNAVAILABLE at once
 * when the package `pg` is not installed, or `url` is no connection string.
 */
export async function openPgvectorIndex(options: PgvectorOptions): Promise<IndexStore> {
  const { key, readOnly = false } = options;
  const database = await openDatabase(options, await loadDriver());
  const tables = openTables(database, options);
  const { look, read, write } = tables;
  const keepGraphs = graphKeeper(tables, options);
  const changed = async <T>(work: (session: Session, meta: Meta) => Promise<T>): Promise<T> => {
    if (options.hnsw === undefined) return write(work);
    const { result, held } = await write(async (session, meta) => {
      const result = await work(session, meta);
      return { result, held: (await readMeta(session, false)).held };
    });
    await keepGraphs(held);
    return result;
  };
  // A writer's tables exist from the start, so that readers tell "empty" from "no agent yet".
  if (!readOnly) await attempt(() => forgetHalf(tables));

  return {
    position: () => look(async (_, { position }) => position),
    epoch: () => look(async (_, { epoch }) => epoch),
    watermarks: () => look(async (_, { watermarks }) => watermarks),
    vectors: () => look(async (_, { held }) => held),
    fence: (epoch) =>
      write((session, meta) => writeMeta(session, { ...meta, epoch: Math.max(epoch, meta.epoch) })),
    append: (epoch, changes) =>
      changed((session, meta) => append(session, meta, epoch, changes, key)),
    apply: (entries) => changed((session, meta) => apply(session, meta, entries, key)),
    base: () => look(async (_, { base }) => base),
    entriesAfter: (after, limit) => read((session) => entriesAfter(session, after, limit)),
    entryAt: (seq) => read((session) => entryAt(session, seq)),
    markAt: (seq) => look((session) => markAt(session, seq)),
    rewindTo: (seq) => changed((session, meta) => rewindTo(session, meta, seq, key)),
    orphans: () => read(orphans),
    trimLog: (upTo) => write((session, meta) => trimLog(session, meta, upTo)),
    search: (query) => tables.search((session, meta) => search(session, meta, query, options)),
    standing: () => look(async (_, meta) => standingOf(meta)),
    quarantine: (because) =>
      write((session, meta) => writeMeta(session, { ...meta, quarantine: because })),
    facts: () => tables.trial((session, meta) => facts(session, meta, options)),
    sums: async (ranges, split) => {
      for (const range of ranges) partsOf(range, split);
      return read((session) => sums(session, ranges, split));
    },
    marks: (range) => read((session) => marks(session, range)),
    recordsIn: (range) => read((session) => recordsIn(session, range)),
    recordsOf: (ids) => read((session) => recordsOf(session, ids)),
    repair: (fix) => changed((session, meta) => repair(session, meta, fix, key)),
    openSnapshot: () => openSnapshot(tables),
    restore: (from) => restore(tables, options, from),
    close: () => database.close(),
  };
}

/**
 * Makes what graphs lack after a write. A new embedding version comes with its first record, so
 * that its graph is made while it is empty; one that `hnsw` came to later is built here for a while.
 */
function graphKeeper(tables: Tables, { hnsw }: PgvectorOptions) {
  let kept = "";
  return async (held: Meta["held"]): Promise<void> => {
    const now = JSON.stringify(held);
    if (hnsw === undefined || now === kept) return;
    // The write is done, and must not look as if it were not. `facts` tells what lacks, and the
    // next write tries again.
    await attempt(async () => {
      await tables.build((session, meta) => ensureGraphs(session, "records", meta, hnsw));
      kept = now;
    });
  };
}

/** A restore is its process's own: one that was killed has left half a table. */
async function forgetHalf({ read, write }: Tables): Promise<void> {
  const half = await read(async (session) => {
    const [row] = await session.all("SELECT to_regclass('restored') IS NOT NULL AS half");
    return row?.half === true;
  });
  if (half) await write(abandon);
}

/** What is wrong with the server now, every call will say again: opening is no reason to fail. */
async function attempt(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch {}
}
