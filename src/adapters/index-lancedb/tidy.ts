import { transaction } from "../../ledger/connection.ts";
import { nameFresh, readState, type State, stateNow } from "./bookkeeping.ts";
import type { Copy } from "./copy.ts";
import type { LanceTable } from "./driver.ts";

/**
 * Every write leaves a file and a version behind, and a search opens all files. Putting them in
 * order writes most of the table anew (Lance makes one file of a million records), so that it waits
 * until an eighth of the records has come since, or until there are very many files.
 */
const FEWEST_WRITES = 64;
const MOST_WRITES = 512;
const SHARE = 1 / 8;

/** Other processes read a version for as long as one search takes. */
export const KEEP_MS = 60_000;

/** To be called with nothing else writing. */
export async function tidy(copy: Copy): Promise<void> {
  const state = copy.look(readState);
  if (state.named === null || !isDue(state)) return;
  await clear(copy);
  const writer = await copy.lake.writer(state.named);
  await writer.tidy(await keepFrom(copy, writer.table));
  await writer.sync();
  const named = { ...state.named, version: writer.version };
  copy.note((connection) =>
    transaction(connection, () => {
      const now = stateNow(connection);
      if (JSON.stringify(now.named) !== JSON.stringify(state.named)) return;
      nameFresh(connection, named, 0);
    }),
  );
}

function isDue({ wear, meta }: State): boolean {
  if (wear.writes >= MOST_WRITES) return true;
  return wear.writes >= FEWEST_WRITES && wear.rows >= meta.position.count * SHARE;
}

/**
 * The time of the newest version that everybody has left behind: one that was the newest a while
 * ago may have been made long before, and was read until another one came.
 */
async function keepFrom(copy: Copy, table: LanceTable): Promise<Date> {
  const before = Date.now() - KEEP_MS;
  const pinned = Math.min(...[...copy.pinned].map(({ version }) => version));
  const old = (await table.listVersions())
    .filter(({ version, timestamp }) => version <= pinned && timestamp.getTime() <= before)
    .map(({ timestamp }) => timestamp.getTime());
  return new Date(Math.max(0, ...old));
}

/** Drops the tables that nobody names or reads any more. */
export async function clear(copy: Copy): Promise<void> {
  const { named, next } = copy.look(readState);
  const used = new Set([named, next, ...copy.pinned].flatMap((one) => one?.name ?? []));
  for (const [name, since] of copy.retired) {
    if (Date.now() - since < KEEP_MS) used.add(name);
    else copy.retired.delete(name);
  }
  for (const name of await copy.lake.names()) {
    if (!used.has(name)) await copy.lake.drop(name);
  }
}
