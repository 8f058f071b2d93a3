import { entriesAfter, orphans, readEntry, readMark } from "../../ledger/entries.ts";
import { indexFile } from "../../ledger/index-file.ts";
import { trimLog } from "../../ledger/log.ts";
import { readMeta, readWatermarks } from "../../ledger/meta.ts";
import { sums } from "../../ledger/ranges.ts";
import { fence, quarantine } from "../../ledger/standing.ts";
import type { IndexFacts } from "../../model/index-health.ts";
import type { IndexStore } from "../../ports/index.ts";
import { LAYOUT, readState } from "./bookkeeping.ts";
import { Copy } from "./copy.ts";
import { loadDriver } from "./driver.ts";
import { openLake } from "./lake.ts";
import type { LanceOptions } from "./options.ts";
import { marks, recordsIn, recordsOf } from "./reading.ts";
import { repair } from "./repair.ts";
import { forgetHalf, restore } from "./restore.ts";
import { rewindTo } from "./rewind.ts";
import { search } from "./search.ts";
import { openSnapshot } from "./snapshot.ts";
import { tidy } from "./tidy.ts";
import { append, apply } from "./write.ts";

/**
 * One index in Lance tables, with a SQLite file beside them for log, position and sums (`ledger/`).
 * Lance has no transaction over several tables: the file's is the one that counts, and it names the
 * version of the table that belongs to it. One process writes (the agent), any number read.
 *
 * Never throws for the storage's sake: every call throws INDEX_UNAVAILABLE while file or folder
 * cannot be read, and works again as soon as they can. Throws INDEX_UNAVAILABLE at once when
 * `@lancedb/lancedb` is not installed.
 *
 * Searches and writes of records run on Lance's own threads.
 */
export async function openLanceIndex(options: LanceOptions): Promise<IndexStore> {
  const { path, digestKey, readOnly = false } = options;
  const place = digestKey === undefined ? { path } : { path, digestKey };
  const file = indexFile(place, readOnly, LAYOUT);
  const copy = new Copy(options, file, openLake(options, loadDriver()), tidy);
  // A writer's file exists from the start, so that readers tell "empty" from "no agent yet".
  await attempt(async () => (readOnly ? copy.look(readMeta) : copy.alone(() => forgetHalf(copy))));

  return {
    position: async () => copy.look(readMeta).position,
    epoch: async () => copy.look(readMeta).epoch,
    watermarks: async () => copy.look(readWatermarks),
    vectors: async () => copy.look(readState).named?.held ?? [],
    fence: async (epoch) => copy.note((connection) => fence(connection, epoch)),
    append: (epoch, changes) => append(copy, epoch, changes),
    apply: (entries) => apply(copy, entries),

    base: async () => copy.look(readMeta).base.seq,
    entriesAfter: async (after, limit) =>
      copy.look((connection) => entriesAfter(connection, after, limit)),
    markAt: async (seq) => copy.look((connection) => readMark(connection, seq)),
    entryAt: async (seq) => copy.look((connection) => readEntry(connection, seq)),
    rewindTo: (seq) => rewindTo(copy, seq),
    orphans: async () => copy.look(orphans),
    // A rewind that is under way reads what this would take away.
    trimLog: (upTo) => copy.alone(async () => copy.note((connection) => trimLog(connection, upTo))),

    search: (query) => search(copy, query),
    standing: async () => copy.look(readMeta).standing,
    quarantine: async (because) => copy.note((connection) => quarantine(connection, because)),
    facts: async () => {
      copy.look(readMeta);
      return factsOf(options);
    },

    sums: async (ranges, split) => copy.look((connection) => sums(connection, ranges, split)),
    marks: (range) => copy.read((table) => marks(table, range)),
    recordsIn: (range) => copy.read((table) => recordsIn(table, range)),
    recordsOf: (ids) => copy.read((table) => recordsOf(table, ids, digestKey)),
    repair: (fix) => repair(copy, fix),

    openSnapshot: () => openSnapshot(copy),
    restore: (from) => restore(copy, from),
    close: () => copy.close(),
  };
}

/** What is wrong with the storage now, every call will say again: opening it is no reason to fail. */
async function attempt(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch {}
}

function factsOf({ digestKey }: LanceOptions): IndexFacts {
  const digests = digestKey === undefined ? "plain" : "keyed";
  const settings = { search: "exact", metric: "cosine", numbers: "f32", digests };
  return { engine: "lancedb", approximate: false, tenantGuard: "query", settings, faults: [] };
}
