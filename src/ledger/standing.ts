import type { Epoch } from "../model/ids.ts";
import { type Connection, transaction } from "./connection.ts";
import { readMeta, writePosition } from "./meta.ts";

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

/** How much of a restore that is under way answers already; null: none. */
export function showPart({ sql }: Connection, loaded: number | null, total: number | null): void {
  sql("UPDATE meta SET loaded = ?, total = ?").run(loaded, total);
}
