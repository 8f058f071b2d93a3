import { rangeKey } from "../../core/reconcile/digest.ts";
import { refuseBelow } from "../../core/reconcile/follow.ts";
import { type Connection, transaction } from "../../ledger/connection.ts";
import { baseAt, lowerWatermark, orphanAbove, undoAt } from "../../ledger/log.ts";
import { readMeta, writePosition } from "../../ledger/meta.ts";
import { recount } from "../../ledger/range-sums.ts";
import { leafNode } from "../../ledger/sum.ts";
import { drop, find, put } from "./contents.ts";
import { standing } from "./ranges.ts";
import { Scopes } from "./scopes.ts";

/** See IndexStore.rewindTo. */
export function rewindTo(connection: Connection, seq: number): number {
  return transaction(connection, () => {
    const meta = readMeta(connection);
    const to = Math.max(0, seq);
    const count = meta.position.seq - to;
    if (count <= 0) return 0;
    refuseBelow(meta.base.seq, to);
    const gone = takeBack(connection, to);
    orphanAbove(connection, to);
    // The epoch stays: what this index has seen of ownership is not undone with its entries.
    const position = { ...baseAt(connection, meta, to), count: meta.position.count - gone };
    writePosition(connection, { epoch: meta.epoch, position });
    return count;
  });
}

/** Undoes the entries above a seq, the last one first. Gives by how many records there are fewer. */
function takeBack(connection: Connection, above: number): number {
  const scopes = new Scopes(connection);
  const leaves = new Set<number>();
  let gone = 0;
  const rows = connection.sql(
    "SELECT seq, op, id, audience FROM log WHERE seq > ? ORDER BY seq DESC",
  );
  for (const row of rows.iterate(above)) {
    const [seq, id] = [Number(row.seq), String(row.id)];
    if (row.op === "watermark") lowerWatermark(connection, seq, String(row.audience));
    else {
      gone += undo(connection, { seq, id, written: row.op === "upsert" }, scopes);
      leaves.add(leafNode(rangeKey(id, connection.key)));
    }
  }
  // Counted anew rather than subtracted: a record that was lost behind our back has nothing that
  // could be taken off, and the sums would go on speaking of it.
  recount(connection, leaves, (leaf) => standing(connection, leaf));
  scopes.sweep();
  return gone;
}

interface Undone {
  readonly seq: number;
  readonly id: string;
  /** Whether the entry wrote a record; else it deleted one. */
  readonly written: boolean;
}

function undo(connection: Connection, { seq, id, written }: Undone, scopes: Scopes): number {
  const held = find(connection, id);
  const before = undoAt(connection, seq);
  if (held !== null) scopes.leave(held.scope);
  if (before !== null) put(connection, before, held, scopes.of(before));
  else if (held !== null) drop(connection, held);
  return (written ? 1 : 0) - (before === null ? 0 : 1);
}
