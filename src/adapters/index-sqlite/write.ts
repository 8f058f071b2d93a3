import {
  highestEpoch,
  refuseDigest,
  refuseGap,
  refuseOther,
  refuseStale,
  type Word,
} from "../../core/reconcile/follow.ts";
import { type Connection, transaction } from "../../ledger/connection.ts";
import { wordOf, writeEntry } from "../../ledger/entries.ts";
import { readMeta, writePosition } from "../../ledger/meta.ts";
import type { LogEntry } from "../../model/change.ts";
import type { Epoch } from "../../model/ids.ts";
import type { Position } from "../../model/position.ts";
import type { EmbeddedChange } from "../../ports/index.ts";
import { Settling } from "./settle.ts";

/** See IndexStore.append. */
export function append(
  connection: Connection,
  epoch: Epoch,
  changes: readonly EmbeddedChange[],
): Position {
  return transaction(connection, () => {
    const meta = readMeta(connection);
    refuseStale(meta.epoch, epoch);
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
      refuseGap(position.seq, before, entry);
      const settled = settling.settle(position, entry);
      refuseDigest(entry, settled.position.digest);
      writeEntry(connection, entry, settled.vector);
      position = settled.position;
      before = entry;
    }
    settling.finish();
    writePosition(connection, { epoch: highestEpoch(meta.epoch, entries), position });
    return position;
  });
}
