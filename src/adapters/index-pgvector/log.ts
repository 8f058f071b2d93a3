import type { LogEntry, LogMark } from "../../model/change.ts";
import type { Session } from "./database.ts";
import { ENTRY_COLUMNS, entryOf, type Meta, writeMeta } from "./rows.ts";

/** See IndexStore.entriesAfter. */
export async function entriesAfter(
  session: Session,
  after: number,
  limit: number,
): Promise<LogEntry[]> {
  const rows = await session.all(
    `SELECT ${ENTRY_COLUMNS} FROM log WHERE seq > $1 ORDER BY seq LIMIT $2`,
    [after, limit],
  );
  return rows.map(entryOf);
}

/** See IndexStore.entryAt. */
export async function entryAt(session: Session, seq: number): Promise<LogEntry | null> {
  const [row] = await session.all(`SELECT ${ENTRY_COLUMNS} FROM log WHERE seq = $1`, [seq]);
  return row === undefined ? null : entryOf(row);
}

/** See IndexStore.markAt. The reader role may see these columns alone. */
export async function markAt(session: Session, seq: number): Promise<LogMark | null> {
  const [row] = await session.all("SELECT seq, epoch, digest_after FROM log WHERE seq = $1", [seq]);
  if (row === undefined) return null;
  const { seq: at, epoch, digest_after } = row;
  return { seq: Number(at), epoch: Number(epoch), digestAfter: String(digest_after) };
}

/** See IndexStore.orphans. */
export async function orphans(session: Session): Promise<LogEntry[]> {
  const rows = await session.all(`SELECT ${ENTRY_COLUMNS} FROM orphans ORDER BY n`);
  return rows.map(entryOf);
}

/** See IndexStore.trimLog. */
export async function trimLog(session: Session, meta: Meta, upTo: number): Promise<number> {
  const base = Math.min(upTo, meta.position.seq - 1);
  if (base <= meta.base) return meta.base;
  await session.all("DELETE FROM log WHERE seq <= $1", [base]);
  await session.all("DELETE FROM undo WHERE seq <= $1", [base]);
  await writeMeta(session, { ...meta, base });
  return base;
}
