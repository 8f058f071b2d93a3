import { rangeKey } from "../../core/reconcile/digest.ts";
import { refuseBelow } from "../../core/reconcile/follow.ts";
import type { Connection } from "../../ledger/connection.ts";
import { baseAt, lowerWatermark, orphanAbove, undoAt } from "../../ledger/log.ts";
import { writePosition } from "../../ledger/meta.ts";
import { recount } from "../../ledger/range-sums.ts";
import { leafNode, NO_SUM } from "../../ledger/sum.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { Copy } from "./copy.ts";
import { find, standingSums } from "./reading.ts";

/** See IndexStore.rewindTo. */
export function rewindTo(copy: Copy, seq: number): Promise<number> {
  return copy.write(async (turn) => {
    const { meta } = turn;
    const to = Math.max(0, seq);
    const count = meta.position.seq - to;
    if (count <= 0) return 0;
    refuseBelow(meta.base.seq, to);
    const { images, gone, watermarks } = turn.look((connection) => above(connection, to));
    const ids = [...images.keys()];
    const key = copy.options.digestKey;
    const leaves = new Set(ids.map((id) => leafNode(rangeKey(id, key))));
    const drop = await find(turn.table, ids, key);
    await turn.replace({ drop, put: [...images.values()].flatMap((image) => image ?? []) });
    // Counted anew rather than subtracted: a record that was lost behind our back has nothing that
    // could be taken off, and the sums would go on speaking of it.
    const sums = await standingSums(turn.table, leaves);
    await turn.commit((connection, now) => {
      for (const { seq: at, audience } of watermarks) lowerWatermark(connection, at, audience);
      recount(connection, leaves, (leaf) => sums.get(leaf) ?? NO_SUM);
      const position = { ...baseAt(connection, now, to), count: meta.position.count - gone };
      orphanAbove(connection, to);
      // The epoch stays: what this index has seen of ownership is not undone with its entries.
      writePosition(connection, { epoch: now.epoch, position });
    });
    return count;
  });
}

interface Above {
  /** What each document was at that seq; null: it was not there. */
  readonly images: ReadonlyMap<string, StoredRecord | null>;
  /** By how many records there are fewer when all is taken back. */
  readonly gone: number;
  /** The last one first. */
  readonly watermarks: readonly { readonly seq: number; readonly audience: string }[];
}

function above(connection: Connection, to: number): Above {
  const images = new Map<string, StoredRecord | null>();
  const watermarks: Above["watermarks"][number][] = [];
  let gone = 0;
  const rows = connection.sql(
    "SELECT seq, op, id, audience FROM log WHERE seq > ? ORDER BY seq DESC",
  );
  for (const row of rows.all(to)) {
    const seq = Number(row.seq);
    if (row.op === "watermark") watermarks.push({ seq, audience: String(row.audience) });
    else {
      const image = undoAt(connection, seq);
      images.set(String(row.id), image);
      gone += (row.op === "upsert" ? 1 : 0) - (image === null ? 0 : 1);
    }
  }
  return { images, gone, watermarks };
}
