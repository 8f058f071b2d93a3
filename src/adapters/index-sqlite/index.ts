import { type Connection, type Place, unavailable } from "../../ledger/connection.ts";
import { entriesAfter, orphans, readEntry, readMark } from "../../ledger/entries.ts";
import { trimLog } from "../../ledger/log.ts";
import { readMeta, readWatermarks } from "../../ledger/meta.ts";
import { sums } from "../../ledger/ranges.ts";
import { fence, quarantine } from "../../ledger/standing.ts";
import type { IndexFacts } from "../../model/index-health.ts";
import type { IndexHit, IndexQuery, IndexStore } from "../../ports/index.ts";
import { marks, recordsIn, recordsOf } from "./ranges.ts";
import { repair } from "./repair.ts";
import { restoresOf } from "./restore.ts";
import { forgetHalf } from "./restore-work.ts";
import { rewindTo } from "./rewind.ts";
import { sqliteFile } from "./schema.ts";
import { heldVectors } from "./search.ts";
import { openSnapshot } from "./snapshot.ts";
import { Thread } from "./thread.ts";
import { append, apply } from "./write.ts";

const SEARCH = new URL("./search-worker.ts", import.meta.url);

/**
 * One index in one SQLite file with a write-ahead log: one process writes (the agent), any number
 * read (gateways) without waiting for it.
 *
 * Never throws for the file's sake: every call throws INDEX_UNAVAILABLE while the file is missing,
 * damaged or not ours, and works again as soon as it is not. So a gateway starts before its agent.
 *
 * Searches and restores run on threads of their own. Everything else is done within the call, on this thread: a
 * call holds up the process for its time.
 */
export async function openSqliteIndex(
  options: Place & {
    /** true: never writes; the file may appear later. */
    readonly readOnly?: boolean;
  },
): Promise<IndexStore> {
  const { readOnly = false, ...place } = options;
  const file = sqliteFile(place, readOnly);
  const searches = new Thread<IndexQuery, IndexHit[]>(SEARCH, place);
  const read = file.use;
  const write = <T>(work: (connection: Connection) => T): T => {
    if (!readOnly) return file.use(work);
    throw unavailable(
      `index file ${place.path} is open for reading only`,
      "Write through its agent.",
    );
  };
  const restores = restoresOf(place, () => write(readMeta));
  // A writer's file exists from the start, so that readers tell "empty" from "no agent yet".
  await attempt(() => (readOnly ? read(readMeta) : write(forgetHalf)));

  return {
    position: async () => read(readMeta).position,
    epoch: async () => read(readMeta).epoch,
    watermarks: async () => read(readWatermarks),
    vectors: async () => read((connection) => heldVectors(connection)),
    fence: async (epoch) => write((connection) => fence(connection, epoch)),
    append: async (epoch, changes) => write((connection) => append(connection, epoch, changes)),
    apply: async (entries) => write((connection) => apply(connection, entries)),

    base: async () => read(readMeta).base.seq,
    entriesAfter: async (after, limit) =>
      read((connection) => entriesAfter(connection, after, limit)),
    entryAt: async (seq) => read((connection) => readEntry(connection, seq)),
    markAt: async (seq) => read((connection) => readMark(connection, seq)),
    rewindTo: async (seq) => write((connection) => rewindTo(connection, seq)),
    orphans: async () => read(orphans),
    trimLog: async (upTo) => write((connection) => trimLog(connection, upTo)),

    // A copy: of a part of a longer array, all of that array would be sent.
    search: async (query) => searches.ask({ ...query, vector: query.vector.slice() }),
    standing: async () => read(readMeta).standing,
    quarantine: async (because) => write((connection) => quarantine(connection, because)),
    facts: async () => {
      read(readMeta);
      return factsOf(place);
    },

    sums: async (ranges, split) => read((connection) => sums(connection, ranges, split)),
    marks: async (range) => read((connection) => marks(connection, range)),
    recordsIn: async (range) => read((connection) => recordsIn(connection, range)),
    recordsOf: async (ids) => read((connection) => recordsOf(connection, ids)),
    repair: async (fix) => write((connection) => repair(connection, fix)),

    openSnapshot: async () => openSnapshot(file),
    restore: restores.restore,
    close: async () => {
      file.close();
      await Promise.all([searches.close(), restores.close()]);
    },
  };
}

/** What is wrong with the file now, every call will say again: opening it is no reason to fail. */
async function attempt(work: () => unknown): Promise<void> {
  try {
    work();
  } catch {}
}

function factsOf({ digestKey }: Place): IndexFacts {
  const digests = digestKey === undefined ? "plain" : "keyed";
  const settings = { search: "exact", metric: "cosine", numbers: "f32", digests };
  return { engine: "sqlite", approximate: false, tenantGuard: "query", settings, faults: [] };
}
