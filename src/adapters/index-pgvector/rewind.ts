import type { DigestKey } from "../../core/reconcile/digest.ts";
import { diverged, refuseBelow } from "../../core/reconcile/follow.ts";
import { watermarksSchema } from "../../model/index-health.ts";
import type { Position } from "../../model/position.ts";
import type { Session } from "./database.ts";
import { heldNow, type Meta, text, writeMeta } from "./rows.ts";
import { recount } from "./sums.ts";

/**
 * See IndexStore.rewindTo. Undo images and no rebuild from the start of the log: the start may be
 * gone, and the work is then as much as what is taken back.
 */
export async function rewindTo(
  session: Session,
  meta: Meta,
  seq: number,
  key: DigestKey,
): Promise<number> {
  const to = Math.max(0, seq);
  const count = meta.position.seq - to;
  if (count <= 0) return 0;
  refuseBelow(meta.base, to);
  const touched = await touchedAbove(session, to);
  const position = await positionAt(session, to);
  const watermarks = await watermarksAt(session, to, meta);
  await putBack(session, to);
  await recount(session, touched, key);
  await cutLog(session, to);
  // The epoch stays: what this index has seen of ownership is not undone with its entries.
  await writeMeta(session, { ...meta, position, watermarks, held: await heldNow(session) });
  return count;
}

/** Of each document that is touched, the image that was taken first: what it was at that seq. */
const IMAGES = `SELECT DISTINCT ON (undo.id) undo.* FROM undo JOIN log USING (seq)
  WHERE seq > $1 AND op <> 'watermark' ORDER BY undo.id, seq`;

async function touchedAbove(session: Session, seq: number): Promise<string[]> {
  const rows = await session.all(
    "SELECT DISTINCT id FROM log WHERE seq > $1 AND op <> 'watermark'",
    [seq],
  );
  return rows.map((row) => text(row.id));
}

async function positionAt(session: Session, seq: number): Promise<Position> {
  const [row] = await session.all(
    `SELECT position_digest, position_source_time, position_count FROM undo WHERE seq = $1`,
    [seq + 1],
  );
  if (row === undefined) throw diverged(`it has lost what was before entry ${seq + 1}`);
  return {
    seq,
    digest: String(row.position_digest),
    sourceTime: Number(row.position_source_time),
    count: Number(row.position_count),
  };
}

async function watermarksAt(
  session: Session,
  seq: number,
  meta: Meta,
): Promise<Meta["watermarks"]> {
  const [row] = await session.all(
    `SELECT watermarks::text AS watermarks FROM undo
     WHERE seq > $1 AND watermarks IS NOT NULL ORDER BY seq LIMIT 1`,
    [seq],
  );
  if (row === undefined) return meta.watermarks;
  return watermarksSchema.parse(JSON.parse(String(row.watermarks)));
}

async function putBack(session: Session, to: number): Promise<void> {
  await session.all(
    `DELETE FROM records WHERE id IN
       (SELECT undo.id FROM undo JOIN log USING (seq) WHERE seq > $1 AND op <> 'watermark')`,
    [to],
  );
  await session.all(
    `INSERT INTO records
     SELECT id, range_key, audience, labels, embedding, digest, vector, title, text, payload
     FROM (${IMAGES}) AS image WHERE image.digest IS NOT NULL`,
    [to],
  );
}

async function cutLog(session: Session, to: number): Promise<void> {
  await session.all(
    `INSERT INTO orphans (${LOG_COLUMNS}) SELECT ${LOG_COLUMNS} FROM log WHERE seq > $1 ORDER BY seq`,
    [to],
  );
  await session.all("DELETE FROM log WHERE seq > $1", [to]);
  await session.all("DELETE FROM undo WHERE seq > $1", [to]);
}

const LOG_COLUMNS = `seq, epoch, op, id, title, text, audience, labels, payload, source_time,
  embedding, vector, digest_after`;
