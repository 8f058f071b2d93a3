import type { DigestedRecord } from "../../core/reconcile/digest.ts";
import type { Connection } from "../../ledger/connection.ts";

type Whose = Pick<DigestedRecord, "embedding" | "audience" | "labels">;

/** Numbers of the scopes during one transaction: a batch has few, and they need one look-up each. */
export class Scopes {
  readonly #connection: Connection;
  readonly #prefix: string;
  readonly #known = new Map<string, number>();
  readonly #left = new Set<number>();

  /** `prefix`: of the tables, see `contentTables`. */
  constructor(connection: Connection, prefix = "") {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  /** The scope's number; it is made when there is none. */
  of({ embedding, audience, labels }: Whose): number {
    const name = JSON.stringify([embedding, audience, labels]);
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const scope = this.#numberOf(embedding, audience, JSON.stringify(labels));
    this.#known.set(name, scope);
    return scope;
  }

  #numberOf(...parts: readonly [string, string, string]): number {
    const { sql } = this.#connection;
    const table = `${this.#prefix}scopes`;
    const found = sql(
      `SELECT scope FROM ${table} WHERE embedding = ? AND audience = ? AND labels = ?`,
    ).get(...parts);
    if (found !== undefined) return Number(found.scope);
    const insert = sql(`INSERT INTO ${table} (embedding, audience, labels) VALUES (?, ?, ?)`);
    return Number(insert.run(...parts).lastInsertRowid);
  }

  /** A record of this scope has gone or moved on; perhaps it was the last one. */
  leave(scope: number): void {
    this.#left.add(scope);
  }

  /** Forgets the scopes that have no records left. To be called once, at the end. */
  sweep(): void {
    const { sql } = this.#connection;
    for (const scope of this.#left) {
      sql(
        "DELETE FROM scopes WHERE scope = ? AND NOT EXISTS (SELECT 1 FROM records WHERE scope = ?)",
      ).run(scope, scope);
    }
  }
}

/** Dimensions of the live records of an embedding version; null when there are none. */
export function dimensionsOf({ sql }: Connection, embedding: string): number | null {
  const row = sql(`
    SELECT length(vector) / 4 AS dimensions FROM scopes s CROSS JOIN records r
    ON r.scope = s.scope WHERE s.embedding = ? LIMIT 1`).get(embedding);
  return row === undefined ? null : Number(row.dimensions);
}
