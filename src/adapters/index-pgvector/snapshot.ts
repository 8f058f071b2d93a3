import type { StoredRecord } from "../../model/record.ts";
import type { IndexSnapshot } from "../../ports/index.ts";
import { texts } from "./binary.ts";
import type { Session } from "./database.ts";
import { type Meta, RECORD_COLUMNS, type Row, recordOf, wanted } from "./rows.ts";
import type { Tables } from "./tables.ts";
import { toColumn } from "./text.ts";
import { diverged } from "./write.ts";

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
  for (let after: string | null = ""; after !== null; ) {
    const from: string = after;
    const { records, end } = await page((session) => recordsAfter(session, seq, from, limit));
    const fresh = records.filter(({ id }) => !told.has(id));
    for (let at = 0; at < fresh.length; at += limit) yield fresh.slice(at, at + limit);
    after = end;
  }
}

/** Of each of these documents that was touched since, the image that was taken first. */
function images(where: string): string {
  return `SELECT DISTINCT ON (undo.id) undo.* FROM undo JOIN log USING (seq)
    WHERE seq > $1 AND op <> 'watermark' AND ${where} ORDER BY undo.id, seq`;
}

function asOf(where: (column: string) => string): string {
  return `WITH image AS (${images(where("undo.id"))})
    SELECT ${RECORD_COLUMNS} FROM records
    WHERE ${where("id")} AND NOT EXISTS (SELECT FROM image WHERE image.id = records.id)
    UNION ALL
    SELECT ${RECORD_COLUMNS} FROM image WHERE digest IS NOT NULL`;
}

async function recordsOf(
  session: Session,
  seq: number,
  ids: readonly string[],
): Promise<StoredRecord[]> {
  const rows = await session.all(
    asOf((column) => `${column} = ANY ($2::text[])`),
    [seq, texts(ids)],
  );
  const byId = new Map(rows.map(recordOf).map((record) => [toColumn(record.id), record]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

/** A share by id: the next `limit` records that there are now, and what else was among them. */
async function recordsAfter(
  session: Session,
  seq: number,
  after: string,
  limit: number,
): Promise<{ records: StoredRecord[]; end: string | null }> {
  const [last] = await session.all(
    "SELECT id FROM records WHERE id > $1 ORDER BY id OFFSET $2 LIMIT 1",
    [after, limit - 1],
  );
  const end = last === undefined ? null : String(last.id);
  const rows: Row[] =
    end === null
      ? await session.all(
          asOf((column) => `${column} > $2`),
          [seq, after],
        )
      : await session.all(
          asOf((column) => `${column} > $2 AND ${column} <= $3`),
          [seq, after, end],
        );
  return { records: rows.map(recordOf), end };
}
