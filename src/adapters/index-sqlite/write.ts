import { TideoverError } from "../../lib/errors.ts";
import type { LogEntry } from "../../model/change.ts";
import type { Epoch } from "../../model/ids.ts";
import type { Position } from "../../model/position.ts";
import type { EmbeddedChange } from "../../ports/index.ts";
import { type Connection, diverged, transaction } from "./connection.ts";
import { wordOf, writeEntry } from "./entries.ts";
import { type Meta, readMeta, writePosition } from "./meta.ts";
import { Settling } from "./settle.ts";

/** What is compared of entries that are there already. */
type Word = Pick<LogEntry, "epoch" | "digestAfter">;

/** See IndexStore.fence. */
export function fence(connection: Connection, epoch: Epoch): void {
  transaction(connection, () => {
    const meta = readMeta(connection);
    writePosition(connection, { ...meta, epoch: Math.max(meta.epoch, epoch) });
  });
}

/** See IndexStore.quarantine. */
export function quarantine({ sql }: Connection, because: string | null): void {
  sql("UPDATE meta SET quarantine = ?").run(because);
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
    const settling = new Settling(connection);
    let position = meta.position;
    for (const change of changes) {
      const settled = settling.settle(position, change);
      position = settled.position;
      const entry = { ...change, seq: position.seq, epoch, digestAfter: position.digest };
      writeEntry(connection, entry, settled.vector);
    }
    settling.finish();
    writePosition(connection, { epoch, position });
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
    let before: Word | null = wordOf(connection, position.seq);
    const settling = new Settling(connection);
    for (const entry of entries) {
      if (entry.seq <= position.seq) {
        // Below the base nothing is known of single entries, and the contents speak for themselves.
        if (entry.seq > meta.base.seq) refuseOther(wordOf(connection, entry.seq), entry);
        continue;
      }
      refuseGap(position, before, entry);
      const settled = settling.settle(position, entry);
      refuseDigest(settled.position, entry);
      writeEntry(connection, entry, settled.vector);
      position = settled.position;
      before = entry;
    }
    settling.finish();
    writePosition(connection, { epoch: highest(meta.epoch, entries), position });
    return position;
  });
}

function highest(epoch: Epoch, entries: readonly LogEntry[]): Epoch {
  return entries.reduce((most, entry) => Math.max(most, entry.epoch), epoch);
}

/** A resend is harmless only when it says what we hold; else one of us has another history. */
function refuseOther(held: Word | null, entry: LogEntry): void {
  if (held?.digestAfter === entry.digestAfter) return;
  throw diverged(`entry ${entry.seq} is another one here`);
}

function refuseGap(position: Position, before: Word | null, entry: LogEntry): void {
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
