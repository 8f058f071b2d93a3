import { oneMoment } from "../../ledger/connection.ts";
import { readWatermarks } from "../../ledger/meta.ts";
import { LEAF_BITS, type StoredRecord } from "../../model/record.ts";
import type { IndexSnapshot } from "../../ports/index.ts";
import { stateNow } from "./bookkeeping.ts";
import type { Copy } from "./copy.ts";
import type { LanceTable } from "./driver.ts";
import { within } from "./filter.ts";
import { compareTexts, recordsOf } from "./reading.ts";
import { numbersOf, recordsOfRows, rowIdsOf, textsOf } from "./rows.ts";
import { explained, unavailable } from "./trouble.ts";

/** See IndexStore.openSnapshot: one version of the table, which stays until it is closed. */
export async function openSnapshot(copy: Copy): Promise<IndexSnapshot> {
  const { state, watermarks } = copy.look((connection) =>
    oneMoment(connection, () => {
      return { state: stateNow(connection), watermarks: readWatermarks(connection) };
    }),
  );
  const { named, meta } = state;
  if (named !== null) copy.pinned.add(named);
  let closed = false;
  const table = named === null ? null : await opened(copy, () => copy.lake.at(named));
  const records = async function* (limit: number, first: readonly string[] = []) {
    try {
      for await (const page of pagesOf(table, meta.position.count, limit, first)) {
        if (closed) throw unavailable("the snapshot was closed", "Open another one.");
        yield page;
      }
    } catch (error) {
      throw explained(copy.options.folder, error);
    }
  };
  const close = async (): Promise<void> => {
    closed = true;
    if (named !== null) copy.pinned.delete(named);
  };
  return { position: meta.position, epoch: meta.epoch, watermarks, records, close };
}

async function opened(copy: Copy, open: () => Promise<LanceTable>): Promise<LanceTable> {
  try {
    return await open();
  } catch (error) {
    throw explained(copy.options.folder, error);
  }
}

async function* pagesOf(
  table: LanceTable | null,
  count: number,
  limit: number,
  first: readonly string[],
): AsyncGenerator<readonly StoredRecord[]> {
  if (table === null) return;
  const hot = [...new Set(first)];
  for (let at = 0; at < hot.length; at += limit) {
    const page = await recordsOf(table, hot.slice(at, at + limit));
    if (page.length > 0) yield page;
  }
  const told = new Set(hot);
  for await (const refs of chunks(sortedRefs(table, count), limit)) {
    const page = (await recordsAt(table, refs)).filter(({ id }) => !told.has(id));
    if (page.length > 0) yield page;
  }
}

/** Where a record stands in the order of a snapshot, and in the table. */
interface Ref {
  readonly id: string;
  readonly place: number;
  readonly row: bigint;
}

/** As many records are put in order at once: no more must be held, nor the process be held up. */
const PART = 32_768;

async function* sortedRefs(table: LanceTable, count: number): AsyncGenerator<Ref> {
  const bits = Math.min(LEAF_BITS, Math.max(0, Math.ceil(Math.log2(count / PART))));
  for (let prefix = 0; prefix < 2 ** bits; prefix++) {
    const query = table.query().where(within([{ prefix, bits }]));
    const rows = await query.select(["id", "place"]).withRowId().toArrow();
    const [places, ids] = [numbersOf(rows, "place"), rowIdsOf(rows)];
    yield* textsOf(rows, "id")
      .map((id, at): Ref => ({ id, place: places[at] ?? 0, row: ids[at] ?? 0n }))
      .sort((a, b) => a.place - b.place || compareTexts(a.id, b.id));
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

async function recordsAt(table: LanceTable, refs: readonly Ref[]): Promise<StoredRecord[]> {
  const rows = await table.takeRowIds(refs.map(({ row }) => row)).toArrow();
  const order = new Map(refs.map(({ id }, at) => [id, at]));
  return recordsOfRows(rows).sort((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0));
}
