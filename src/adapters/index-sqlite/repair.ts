import { rangeKey } from "../../core/reconcile/digest.ts";
import { refuseDamaged, refuseMoved } from "../../core/reconcile/follow.ts";
import { type Connection, transaction } from "../../ledger/connection.ts";
import { readMeta } from "../../ledger/meta.ts";
import { recount } from "../../ledger/range-sums.ts";
import { leafNode } from "../../ledger/sum.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { IndexRepair } from "../../ports/index.ts";
import { drop, find, put } from "./contents.ts";
import { standing } from "./ranges.ts";
import { Scopes } from "./scopes.ts";

/** See IndexStore.repair. */
export function repair(connection: Connection, fix: IndexRepair): void {
  transaction(connection, () => {
    refuseMoved(readMeta(connection).position, fix.at);
    const scopes = new Scopes(connection);
    const leaves = new Set<number>();
    for (const id of dropAll(connection, fix.drop, scopes, leaves))
      leaves.add(leafOfId(connection, id));
    for (const record of fix.put) {
      putOne(connection, record, scopes);
      leaves.add(leafOfId(connection, record.id));
    }
    recount(connection, leaves, (leaf) => standing(connection, leaf));
    scopes.sweep();
  });
}

function leafOfId({ key }: Connection, id: string): number {
  return leafNode(rangeKey(id, key));
}

function dropAll(
  connection: Connection,
  ids: readonly string[],
  scopes: Scopes,
  leaves: Set<number>,
): readonly string[] {
  const astray: string[] = [];
  for (const id of ids) {
    const held = find(connection, id);
    if (held === null) astray.push(id);
    else {
      scopes.leave(held.scope);
      drop(connection, held);
    }
  }
  if (astray.length > 0) dropAstray(connection, astray, leaves);
  return ids;
}

/** A record whose id was damaged stands in another one's range, where only a scan finds it. */
function dropAstray({ sql }: Connection, ids: readonly string[], leaves: Set<number>): void {
  const rows = sql(
    "DELETE FROM records WHERE id IN (SELECT value FROM json_each(?)) RETURNING n, range_key",
  ).all(JSON.stringify(ids));
  for (const { n, range_key } of rows) {
    sql("DELETE FROM texts WHERE n = ?").run(Number(n));
    leaves.add(leafNode(Number(range_key)));
  }
}

function putOne(connection: Connection, record: StoredRecord, scopes: Scopes): void {
  refuseDamaged(record, connection.key);
  const held = find(connection, record.id);
  if (held !== null) scopes.leave(held.scope);
  put(connection, record, held, scopes.of(record));
}
