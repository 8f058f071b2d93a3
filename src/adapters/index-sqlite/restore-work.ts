import { rangeKey } from "../../core/reconcile/digest.ts";
import { diverged, refuseDamaged } from "../../core/reconcile/follow.ts";
import { type Connection, transaction } from "../../ledger/connection.ts";
import { LeafSums } from "../../ledger/leaf-sums.ts";
import { beginLog } from "../../ledger/log.ts";
import { readMeta, writeGeneration, writePosition } from "../../ledger/meta.ts";
import { writeSums } from "../../ledger/range-sums.ts";
import { showPart } from "../../ledger/standing.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { IndexRestore } from "../../ports/index.ts";
import { dropNext, dropOld, indexNext, makeNext, NEXT, swapTables } from "./restore-tables.ts";
import { Scopes } from "./scopes.ts";

/**
 * A restore on the side of the file: the snapshot is loaded into tables of its own, which take the
 * place of the live ones in one transaction when they are whole. Until then the former contents
 * answer, or the snapshot's hot part out of the new tables, and a kill leaves them as they were.
 */
export class RestoreWork {
  readonly #goal: RestoreGoal;
  readonly #loaded = new LeafSums();

  constructor(connection: Connection, goal: RestoreGoal) {
    this.#goal = goal;
    transaction(connection, () => start(connection));
  }

  load(connection: Connection, page: readonly StoredRecord[]): void {
    load(connection, page, this.#loaded, this.#goal);
  }

  finish(connection: Connection): void {
    this.#loaded.judge(this.#goal.position);
    finish(connection, this.#loaded, this.#goal);
    transaction(connection, () => dropOld(connection));
  }
}

/** All that a restore knows before its first record. Plain data: it crosses threads. */
export type RestoreGoal = Omit<IndexRestore, "records">;

function start(connection: Connection): void {
  showPart(connection, null, null);
  makeNext(connection);
}

/** Takes away what is loaded so far. */
export function abandon(connection: Connection): void {
  transaction(connection, () => {
    showPart(connection, null, null);
    dropNext(connection);
  });
}

/** What a killed process was loading, nobody goes on with. Its tables go with the next restore. */
export function forgetHalf(connection: Connection): void {
  const { loaded } = connection.sql("SELECT loaded FROM meta").get() ?? {};
  if (loaded !== null) showPart(connection, null, null);
}

function load(
  connection: Connection,
  page: readonly StoredRecord[],
  loaded: LeafSums,
  { hot, position }: RestoreGoal,
): void {
  lazily(connection, () =>
    transaction(connection, () => {
      insertAll(connection, page, loaded);
      if (hot !== undefined && loaded.count >= hot) {
        showPart(connection, loaded.count, position.count);
      }
    }),
  );
}

/**
 * Pages need not be on disk when they are in: a kill or a power cut throws all of them away, and
 * what is on disk stays whole in any case. The last transaction waits for everything before it.
 */
function lazily(connection: Connection, work: () => void): void {
  connection.db.exec("PRAGMA synchronous = NORMAL");
  try {
    work();
  } finally {
    connection.db.exec("PRAGMA synchronous = FULL");
  }
}

function insertAll(connection: Connection, page: readonly StoredRecord[], loaded: LeafSums): void {
  const { sql, key } = connection;
  const scopes = new Scopes(connection, NEXT);
  const record = sql(`INSERT INTO ${NEXT}records VALUES (?, ?, ?, ?, ?, ?)`);
  const texts = sql(`INSERT INTO ${NEXT}texts VALUES (?, ?, ?, ?)`);
  for (const one of page) {
    const { id, digest, vector, title, text, payload } = one;
    refuseDamaged(one, key);
    const place = rangeKey(id, key);
    const bytes = Buffer.from(digest, "hex");
    loaded.add(place, bytes);
    record.run(loaded.count, place, id, scopes.of(one), bytes, vector);
    texts.run(loaded.count, title, text, JSON.stringify(payload));
  }
}

function finish(connection: Connection, loaded: LeafSums, from: RestoreGoal): void {
  transaction(connection, () => {
    const { epoch, generation } = readMeta(connection);
    indexOnce(connection, generation + 1);
    writeSums(connection, loaded, NEXT);
    swapTables(connection);
    beginLog(connection, from);
    showPart(connection, null, null);
    writeGeneration(connection, generation + 1);
    writePosition(connection, { epoch: Math.max(epoch, from.epoch), position: from.position });
  });
}

function indexOnce(connection: Connection, generation: number): void {
  try {
    indexNext(connection, generation);
  } catch (error) {
    const twice = error instanceof Error && /UNIQUE constraint failed/.test(error.message);
    throw twice ? diverged("the snapshot has a record twice") : error;
  }
}
