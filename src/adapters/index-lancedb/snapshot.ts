import type { DigestKey } from "../../core/reconcile/digest.ts";
import { oneMoment } from "../../ledger/connection.ts";
import { readWatermarks } from "../../ledger/meta.ts";
import { LEAF_BITS, type StoredRecord } from "../../model/record.ts";
import type { IndexSnapshot } from "../../ports/index.ts";
import { type Named, stateNow } from "./bookkeeping.ts";
import type { Copy } from "./copy.ts";
import type { LanceTable } from "./driver.ts";
import { within } from "./filter.ts";
import { compareTexts, recordsOf } from "./reading.ts";
import { numbersOf, recordsOfRows } from "./rows.ts";
import { explained, unavailable } from "./trouble.ts";

/** See IndexStore.openSnapshot: one version of the table, which stays until it is closed. */
export async function openSnapshot(copy: Copy): Promise<IndexSnapshot> {
  const { state, watermarks } = copy.look((connection) =>
    oneMoment(connection, () => {
      return { state: stateNow(connection), watermarks: readWatermarks(connection) };
    }),
  );
  const { named, meta } = state;
  const close = async (): Promise<void> => {
    closed = true;
    if (named !== null) copy.pinned.delete(named);
  };
  if (named !== null) copy.pinned.add(named);
  let closed = false;
  const table = await opened(copy, named).catch(async (error: unknown) => {
    await close();
    throw explained(copy.options.folder, error);
  });
  const source = { table, count: meta.position.count, key: copy.options.digestKey };
  const records = async function* (limit: number, first: readonly string[] = []) {
    try {
      for await (const page of pagesOf(source, limit, first)) {
        if (closed) throw unavailable("the snapshot was closed", "Open another one.");
        yield page;
      }
    } catch (error) {
      throw explained(copy.options.folder, error);
    }
  };
  return { position: meta.position, epoch: meta.epoch, watermarks, records, close };
}

async function opened({ lake }: Copy, named: Named | null): Promise<LanceTable | null> {
  return named === null ? null : lake.at(named);
}

/** What a snapshot is read from. */
interface Source {
  readonly table: LanceTable | null;
  readonly count: number;
  readonly key: DigestKey;
}

async function* pagesOf(
  { table, count, key }: Source,
  limit: number,
  first: readonly string[],
): AsyncGenerator<readonly StoredRecord[]> {
  if (table === null) return;
  const hot = [...new Set(first)];
  for (let at = 0; at < hot.length; at += limit) {
    const page = await recordsOf(table, hot.slice(at, at + limit), key);
    if (page.length > 0) yield page;
  }
  const told = new Set(hot);
  for await (const all of chunks(sorted(table, count), limit)) {
    const page = all.filter(({ id }) => !told.has(id));
    if (page.length > 0) yield page;
  }
}

/** As many records are read and put in order at once. */
const PART = 16_384;

/** By range key and id. */
async function* sorted(table: LanceTable, count: number): AsyncGenerator<StoredRecord> {
  const bits = Math.min(LEAF_BITS, Math.max(0, Math.ceil(Math.log2(count / PART))));
  for (let prefix = 0; prefix < 2 ** bits; prefix++) {
    const rows = await table
      .query()
      .where(within([{ prefix, bits }]))
      .toArrow();
    const places = numbersOf(rows, "place");
    yield* recordsOfRows(rows)
      .map((record, at) => ({ record, place: places[at] ?? 0 }))
      .sort((a, b) => a.place - b.place || compareTexts(a.record.id, b.record.id))
      .map(({ record }) => record);
  }
}

async function* chunks<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let chunk: T[] = [];
  for await (const item of items) {
    chunk.push(item);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
