import { rangeKey } from "../../core/reconcile/digest.ts";
import { refuseDamaged, refuseMoved } from "../../core/reconcile/follow.ts";
import { recount } from "../../ledger/range-sums.ts";
import { leafNode, NO_SUM } from "../../ledger/sum.ts";
import type { IndexRepair } from "../../ports/index.ts";
import type { Copy } from "./copy.ts";
import { findAnywhere, standingSums } from "./reading.ts";

/** See IndexStore.repair. */
export function repair(copy: Copy, { at, put, drop }: IndexRepair): Promise<void> {
  return copy.write(async (turn) => {
    const key = copy.options.digestKey;
    refuseMoved(turn.meta.position, at);
    for (const record of put) refuseDamaged(record, key);
    const last = new Map(put.map((record) => [record.id, record]));
    const ids = [...new Set([...drop, ...last.keys()])];
    // A record whose id was damaged stands in another one's range.
    const found = await findAnywhere(turn.table, ids);
    const places = [...ids.map((id) => rangeKey(id, key)), ...found.map(({ place }) => place)];
    const leaves = new Set(places.map(leafNode));
    await turn.replace({ drop: found, put: [...last.values()] });
    const sums = await standingSums(turn.table, leaves);
    await turn.commit((connection) =>
      recount(connection, leaves, (leaf) => sums.get(leaf) ?? NO_SUM),
    );
  });
}
