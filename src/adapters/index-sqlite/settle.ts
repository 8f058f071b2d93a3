import { addDigest, rangeKey, recordDigest, removeDigest } from "../../core/reconcile/digest.ts";
import { type Change, judgeChange } from "../../core/reconcile/entry.ts";
import type { Connection } from "../../ledger/connection.ts";
import { raiseWatermark } from "../../ledger/log.ts";
import { Tally } from "../../ledger/range-sums.ts";
import type { Position } from "../../model/position.ts";
import { drop, find, type Held, put, RECORD_COLUMNS, recordTables } from "./contents.ts";
import { dimensionsOf, Scopes } from "./scopes.ts";

/** What the records are after one more change, and the change's vector as bytes. */
interface Settled {
  readonly position: Position;
  readonly vector: Uint8Array;
}

/** The changes of one transaction on the live records. `finish` belongs to its end. */
export class Settling {
  readonly #connection: Connection;
  readonly #tally = new Tally();
  readonly #scopes: Scopes;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#scopes = new Scopes(connection);
  }

  /**
   * Carries out one change, and keeps what it replaces for a rewind. Throws CORPUS_INVALID before
   * it writes anything.
   */
  settle(before: Position, change: Change): Settled {
    const vector = judgeChange(change, dimensionsOf(this.#connection, change.embedding));
    const next = { ...before, seq: before.seq + 1, sourceTime: change.sourceTime };
    if (change.op === "watermark") {
      raiseWatermark(this.#connection, next.seq, change);
      return { position: next, vector };
    }
    const held = find(this.#connection, change.id);
    const without = held === null ? next : this.#leave(next, change.id, held);
    if (change.op === "upsert")
      return { position: this.#put(without, change, vector, held), vector };
    if (held !== null) drop(this.#connection, held);
    // Deleting what is not there is no fault: the source says the same of every copy.
    return { position: without, vector };
  }

  #leave(position: Position, id: string, held: Held): Position {
    remember(this.#connection, position.seq, held);
    this.#tally.remove(rangeKey(id, this.#connection.key), held.digest);
    this.#scopes.leave(held.scope);
    const digest = removeDigest(position.digest, held.digest);
    return { ...position, digest, count: position.count - 1 };
  }

  #put(position: Position, change: Change, vector: Uint8Array, held: Held | null): Position {
    const { key } = this.#connection;
    const digest = recordDigest({ ...change, vector }, key);
    put(this.#connection, { ...change, vector, digest }, held, this.#scopes.of(change));
    this.#tally.add(rangeKey(change.id, key), digest);
    const count = position.count + 1;
    return { ...position, digest: addDigest(position.digest, digest), count };
  }

  finish(): void {
    this.#tally.write(this.#connection);
    this.#scopes.sweep();
  }
}

function remember({ sql }: Connection, seq: number, { n }: Held): void {
  sql(`
    INSERT INTO undo (seq, id, audience, labels, embedding, digest, vector, title, text, payload)
    SELECT ?, id, audience, labels, embedding, unhex(digest), vector, title, text, payload
    FROM (SELECT ${RECORD_COLUMNS} FROM ${recordTables()} WHERE r.n = ?)`).run(seq, n);
}
