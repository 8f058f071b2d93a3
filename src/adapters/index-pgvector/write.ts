import { think } from "../../core/reconcile/batch.ts";
import type { DigestKey } from "../../core/reconcile/digest.ts";
import {
  diverged,
  highestEpoch,
  refuseDigest,
  refuseGap,
  refuseStale,
} from "../../core/reconcile/follow.ts";
import { TideoverError } from "../../lib/errors.ts";
import type { LogEntry } from "../../model/change.ts";
import type { Epoch } from "../../model/ids.ts";
import type { Position } from "../../model/position.ts";
import type { EmbeddedChange } from "../../ports/index.ts";
import { liveOf, versionsOf, writeBatch } from "./batch-rows.ts";
import { bigints } from "./binary.ts";
import type { Session } from "./database.ts";
import { heldNow, type Meta, writeMeta } from "./rows.ts";

/** See IndexStore.append. */
export async function append(
  session: Session,
  meta: Meta,
  epoch: Epoch,
  changes: readonly EmbeddedChange[],
  key: DigestKey,
): Promise<Position> {
  refuseStale(meta.epoch, epoch);
  const entries = changes.map((change, at) => {
    return { ...change, seq: meta.position.seq + 1 + at, epoch, digestAfter: "" };
  });
  return carryOut(session, { ...meta, epoch }, entries, key, () => undefined);
}

/** See IndexStore.apply. */
export async function apply(
  session: Session,
  meta: Meta,
  entries: readonly LogEntry[],
  key: DigestKey,
): Promise<Position> {
  const { seq } = meta.position;
  await refuseOthers(session, meta, entries);
  const fresh = entries.filter((entry) => entry.seq > seq);
  refuseGaps(seq, await lastEpoch(session, seq), fresh);
  const epoch = highestEpoch(meta.epoch, entries);
  return carryOut(session, { ...meta, epoch }, fresh, key, refuseDigest);
}

/** A resend is harmless only when it says what we hold; else one of us has another history. */
async function refuseOthers(
  session: Session,
  { position, base }: Meta,
  entries: readonly LogEntry[],
): Promise<void> {
  // Below the base nothing is known of single entries, and the contents speak for themselves.
  const resent = entries.filter(({ seq }) => seq <= position.seq && seq > base);
  if (resent.length === 0) return;
  const rows = await session.all(
    "SELECT seq, digest_after FROM log WHERE seq = ANY ($1::bigint[])",
    [bigints(resent.map(({ seq }) => seq))],
  );
  const held = new Map(rows.map((row) => [Number(row.seq), row.digest_after]));
  const other = resent.find(({ seq, digestAfter }) => held.get(seq) !== digestAfter);
  if (other !== undefined) throw diverged(`entry ${other.seq} is another one here`);
}

async function lastEpoch(session: Session, seq: number): Promise<Epoch> {
  const [row] = await session.all("SELECT epoch FROM log WHERE seq = $1", [seq]);
  return Number(row?.epoch ?? 0);
}

function refuseGaps(seq: number, epoch: Epoch, entries: readonly LogEntry[]): void {
  let last = { seq, epoch };
  for (const entry of entries) {
    refuseGap(last.seq, last, entry);
    last = entry;
  }
}

/** Largest vector that pgvector keeps. */
const MOST_DIMENSIONS = 16_000;

function refuseTooLong({ id, vector }: LogEntry): void {
  const dimensions = Math.floor(Buffer.byteLength(vector, "base64") / 4);
  if (dimensions <= MOST_DIMENSIONS) return;
  throw new TideoverError(`document "${id}": its vector has ${dimensions} dimensions`, {
    code: "CORPUS_INVALID",
    next: `pgvector keeps at most ${MOST_DIMENSIONS}: choose another model or engine.`,
  });
}

async function carryOut(
  session: Session,
  meta: Meta,
  entries: readonly LogEntry[],
  key: DigestKey,
  check: (entry: LogEntry, digest: string) => void,
): Promise<Position> {
  const { position, watermarks } = meta;
  if (entries.length === 0) {
    await writeMeta(session, meta);
    return position;
  }
  for (const entry of entries) refuseTooLong(entry);
  const live = await liveOf(session, entries, key);
  const versions = await versionsOf(session, entries);
  const batch = think(entries, { position, watermarks, live, versions }, key, check);
  await writeBatch(session, batch, meta.vectorType);
  const after = { position: batch.position, watermarks: batch.watermarks };
  await writeMeta(session, { ...meta, ...after, held: await heldNow(session) });
  return batch.position;
}
