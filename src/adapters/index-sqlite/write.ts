import { TideoverError } from "../../lib/errors.ts";
import type { LogEntry } from "../../model/change.ts";
import type { Epoch } from "../../model/ids.ts";
import type { Position } from "../../model/position.ts";
import type { EmbeddedChange } from "../../ports/index.ts";
import { type Connection, transaction } from "./connection.ts";
import { rebuild, settle } from "./records.ts";
import { ENTRY_COLUMNS, type Meta, readEntry, readMeta, writeEntry, writeMeta } from "./rows.ts";

/** See IndexStore.fence. */
export function fence(connection: Connection, epoch: Epoch): void {
  transaction(connection, () => {
    const meta = readMeta(connection);
    writeMeta(connection, { ...meta, epoch: Math.max(meta.epoch, epoch) });
  });
}

/** See IndexStore.append. */
export function append(
  connection: Connection,
  epoch: Epoch,
  changes: readonly EmbeddedChange[],
): Position {
  return transaction(connection, () => {
    const meta = readMeta(connection);
    refuseStale(meta, epoch);
    let position = meta.position;
    for (const change of changes) {
      const settled = settle(connection, position, change);
      position = settled.position;
      const entry = { ...change, seq: position.seq, epoch, digestAfter: position.digest };
      writeEntry(connection, entry, settled.vector);
    }
    writeMeta(connection, { epoch, position });
    return position;
  });
}

function refuseStale(meta: Meta, epoch: Epoch): void {
  if (epoch >= Math.max(1, meta.epoch)) return;
  throw new TideoverError(`append under epoch ${epoch}, but this index has seen ${meta.epoch}`, {
    code: "EPOCH_STALE",
    next: "Stop writing: another region owns this index now. Follow it as a replica.",
  });
}

/** See IndexStore.apply. */
export function apply(connection: Connection, entries: readonly LogEntry[]): Position {
  return transaction(connection, () => {
    const meta = readMeta(connection);
    let position = meta.position;
    let before = readEntry(connection, position.seq);
    for (const entry of entries) {
      if (entry.seq <= position.seq) {
        refuseOther(readEntry(connection, entry.seq), entry);
        continue;
      }
      refuseGap(position, before, entry);
      const settled = settle(connection, position, entry);
      refuseDigest(settled.position, entry);
      writeEntry(connection, entry, settled.vector);
      position = settled.position;
      before = entry;
    }
    writeMeta(connection, { epoch: highest(meta.epoch, entries), position });
    return position;
  });
}

function highest(epoch: Epoch, entries: readonly LogEntry[]): Epoch {
  return entries.reduce((most, entry) => Math.max(most, entry.epoch), epoch);
}

/** A resend is harmless only when it says what we hold; else one of us has another history. */
function refuseOther(held: LogEntry | null, entry: LogEntry): void {
  if (held?.digestAfter === entry.digestAfter) return;
  throw diverged(`entry ${entry.seq} is another one here`);
}

function refuseGap(position: Position, before: LogEntry | null, entry: LogEntry): void {
  if (entry.seq !== position.seq + 1) {
    throw diverged(`entry ${entry.seq} does not follow on from seq ${position.seq}`);
  }
  // Epochs never fall along an owner's log, since it refuses its own appends under a lower one.
  // This entry was written by an owner that was replaced before our last one was.
  if (before !== null && entry.epoch < before.epoch) {
    throw diverged(`entry ${entry.seq} of epoch ${entry.epoch} comes after epoch ${before.epoch}`);
  }
}

function refuseDigest(position: Position, entry: LogEntry): void {
  if (position.digest === entry.digestAfter) return;
  throw diverged(
    `entry ${entry.seq} gives digest ${position.digest} here and ${entry.digestAfter} at its source`,
  );
}

function diverged(fault: string): TideoverError {
  return new TideoverError(`index has diverged: ${fault}`, {
    code: "INDEX_DIVERGED",
    next: "Rewind to the last entry in common with the owner, then pull from there.",
  });
}

/** See IndexStore.rewindTo. */
export function rewindTo(connection: Connection, seq: number, path: string): number {
  return transaction(connection, () => {
    const { sql } = connection;
    const meta = readMeta(connection);
    const count = meta.position.seq - Math.max(0, seq);
    if (count <= 0) return 0;
    sql(
      `INSERT INTO orphans (${ENTRY_COLUMNS}) SELECT ${ENTRY_COLUMNS} FROM log WHERE seq > ? ORDER BY seq`,
    ).run(seq);
    sql("DELETE FROM log WHERE seq > ?").run(seq);
    // The epoch stays: what this index has seen of ownership is not undone with its entries.
    writeMeta(connection, {
      epoch: meta.epoch,
      position: rebuild(connection, Math.max(0, seq), path),
    });
    return count;
  });
}
