import { diverged } from "../../core/reconcile/follow.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { IndexSnapshot } from "../../ports/index.ts";
import { texts } from "./binary.ts";
import type { Session } from "./database.ts";
import { type Meta, RECORD_COLUMNS, recordOf, wanted } from "./rows.ts";
import type { Tables } from "./tables.ts";
import { toColumn } from "./text.ts";

/**
 * See IndexStore.openSnapshot. No transaction stays open over the whole of it, which for a large
 * index would keep the server from clearing up for hours: each page is read as it is now, and what
 * was written since is taken from the undo images.
 */
export async function openSnapshot(tables: Tables): Promise<IndexSnapshot> {
  const meta = await tables.read(async (_, meta) => meta);
  const { position, epoch, watermarks } = meta;
  let closed = false;
  const page = <T>(work: (session: Session) => Promise<T>): Promise<T> =>
    tables.read(async (session, now) => {
      if (closed) throw diverged("the snapshot was closed");
      await refuseLost(session, meta, now);
      return work(session);
    });
  return {
    position,
    epoch,
    watermarks,
    records: (limit, first = []) => pages(page, meta, limit, first),
    close: async () => {
      closed = true;
    },
  };
}

/** What a snapshot is made of has to be there: the same entries, and all that came after them. */
async function refuseLost(session: Session, then: Meta, now: Meta): Promise<void> {
  const { seq, digest } = then.position;
  if (now.generation !== then.generation || now.base > seq) {
    throw diverged(`it no longer holds what it was at seq ${seq}`);
  }
  const [row] = await session.all("SELECT digest_after FROM log WHERE seq = $1", [seq]);
  const known = row === undefined ? now.base === seq : row.digest_after === digest;
  if (!known || now.position.seq < seq) throw diverged(`entry ${seq} was taken back`);
}

type Page = <T>(work: (session: Session) => Promise<T>) => Promise<T>;

async function* pages(
  page: Page,
  meta: Meta,
  limit: number,
  first: readonly string[],
): AsyncGenerator<readonly StoredRecord[]> {
  const { seq } = meta.position;
  const hot = [...new Set(first)];
  for (let at = 0; at < hot.length; at += limit) {
    const ids = wanted(hot.slice(at, at + limit));
    const records = await page((session) => recordsOf(session, seq, ids));
    if (records.length > 0) yield records;
  }
  const told = new Set(hot);
  for (let after: Place | null = START; after !== null; ) {
    const from: Place = after;
    const { records, end } = await page((session) => recordsAfter(session, seq, from, limit));
    const fresh = records.filter(({ id }) => !told.has(id));
    for (let at = 0; at < fresh.length; at += limit) yield fresh.slice(at, at + limit);
    after = end;
  }
}

/** Where a record stands in the order of a snapshot. */
interface Place {
  readonly key: number;
  readonly id: string;
}
const START: Place = { key: -1, id: "" };

/** Of each of these documents that was touched since, the image that was taken first. */
function images(where: string): string {
  return `SELECT DISTINCT ON (undo.id) undo.* FROM undo JOIN log USING (seq)
    WHERE seq > $1 AND op <> 'watermark' AND ${where} ORDER BY undo.id, seq`;
}

function asOf(records: string, touched: string): string {
  return `WITH image AS (${images(touched)})
    SELECT range_key, ${RECORD_COLUMNS} FROM records
    WHERE ${records} AND NOT EXISTS (SELECT FROM image WHERE image.id = records.id)
    UNION ALL
    SELECT range_key, ${RECORD_COLUMNS} FROM image WHERE digest IS NOT NULL`;
}

async function recordsOf(
  session: Session,
  seq: number,
  ids: readonly string[],
): Promise<StoredRecord[]> {
  const rows = await session.all(asOf("id = ANY ($2::text[])", "undo.id = ANY ($2::text[])"), [
    seq,
    texts(ids),
  ]);
  const byId = new Map(rows.map(recordOf).map((record) => [toColumn(record.id), record]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

/** The next `limit` records that there are now, by range key, and what else was among them. */
async function recordsAfter(
  session: Session,
  seq: number,
  after: Place,
  limit: number,
): Promise<{ records: StoredRecord[]; end: Place | null }> {
  const [last] = await session.all(
    `SELECT range_key, id FROM records WHERE (range_key, id) > ($1::bigint, $2)
     ORDER BY range_key, id OFFSET $3 LIMIT 1`,
    [after.key, after.id, limit - 1],
  );
  const end = last === undefined ? null : { key: Number(last.range_key), id: String(last.id) };
  const rows = await session.all(
    `${asOf(between("records"), `(undo.range_key IS NULL OR (${between("undo")}))`)}
     ORDER BY range_key, id`,
    [seq, after.key, after.id, end?.key ?? BEHIND_ALL, end?.id ?? ""],
  );
  return { records: rows.map(recordOf), end };
}

/** Range keys have 32 bits. */
const BEHIND_ALL = 2 ** 32;

/** An image of what was not there yet has no range key: it hides a record, wherever that is. */
function between(table: string): string {
  const place = `(${table}.range_key, ${table}.id)`;
  return `${place} > ($2::bigint, $3) AND ${place} <= ($4::bigint, $5)`;
}
