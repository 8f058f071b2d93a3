import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { TideoverError } from "../../lib/errors.ts";
import type { CommitResult, Compare, StoreEntry } from "../../ports/store.ts";
import { afterPrefix, type Write } from "./keys.ts";

/** One entry as it lies in the file: its value still as JSON. */
export interface Row {
  readonly key: string;
  readonly json: string;
  readonly revision: number;
}

type Statements = ReturnType<typeof prepareAll>;

/** The statements on the store's tables. Whoever calls holds the lock that the call needs. */
export class Tables {
  readonly #sql: Statements;

  constructor(db: DatabaseSync) {
    this.#sql = prepareAll(db);
  }

  revision(): number {
    return Number(this.#sql.revision.get()?.value);
  }

  get(key: string): Row | null {
    const row = this.#sql.get.get(key);
    return row === undefined ? null : rowOf(row);
  }

  /** One statement, hence one snapshot of the file, hence all entries at one revision. */
  list(prefix: string): Row[] {
    const after = afterPrefix(prefix);
    const rows =
      after === null ? this.#sql.listFrom.all(prefix) : this.#sql.list.all(prefix, after);
    return rows.map(rowOf);
  }

  /** When the next lease runs out; Infinity when there is none. */
  firstDeadline(): number {
    const first = this.#sql.firstDeadline.get()?.first;
    return typeof first === "number" ? first : Number.POSITIVE_INFINITY;
  }

  /** Needs the write lock. */
  commit(compares: readonly Compare[], writes: readonly Write[]): CommitResult {
    for (const compare of compares) {
      const actual = Number(this.#sql.revisionOf.get(compare.key)?.revision ?? 0);
      if (actual !== compare.revision) return { ok: false, conflict: { ...compare, actual } };
    }
    const revision = this.revision() + 1;
    const changed = writes.filter((write) => this.#write(write, revision)).length;
    // A transaction that changed nothing has no revision of its own.
    if (changed === 0) return { ok: true, revision: revision - 1 };
    this.#sql.setRevision.run(revision);
    return { ok: true, revision };
  }

  /** false when there was nothing to delete. */
  #write({ key, json, lease }: Write, revision: number): boolean {
    if (json === null) return Number(this.#sql.delete.run(key).changes) > 0;
    // In the same write as the put: a check before it could be overtaken by the lease's end, and
    // the key would then outlive its owner.
    if (lease !== null && this.#sql.leaseExists.get(lease) === undefined) {
      throw new TideoverError(`${key} was not written: its lease ${lease} is gone`, {
        code: "LEASE_LOST",
        next: "Stop acting under this lease; grant a new one and win the key again.",
      });
    }
    this.#sql.put.run(key, json, revision, lease);
    return true;
  }

  /** Deletes the leases that are over at `now`, and their keys. Needs the write lock. */
  expire(now: number): void {
    for (const { id } of this.#sql.over.all(now)) this.revoke(String(id));
  }

  /** Needs the write lock. */
  revoke(lease: string): void {
    const keys = Number(this.#sql.deleteUnder.run(lease).changes);
    this.#sql.deleteLease.run(lease);
    // Vanished keys are a change like any other: without a revision no watcher would look.
    if (keys > 0) this.#sql.setRevision.run(this.revision() + 1);
  }

  /** Needs the write lock. */
  grant(ttlMs: number, now: number): string {
    const id = randomUUID();
    this.#sql.grant.run(id, ttlMs, now + ttlMs);
    return id;
  }

  /** Needs the write lock. */
  keepAlive(lease: string, now: number): boolean {
    return Number(this.#sql.keepAlive.run(now, lease).changes) === 1;
  }

  /**
   * Gives leases of an earlier boot their full time again: their deadlines were measured on a clock
   * that has since started over, and say nothing about now. Needs the write lock.
   */
  rebase(bootId: string, now: number): void {
    const sameBoot = this.#sql.boot.get()?.value === bootId;
    if (sameBoot) return;
    this.#sql.rebase.run(now);
    this.#sql.setBoot.run(bootId);
  }
}

export function entryOf(row: Row): StoreEntry {
  return { key: row.key, value: JSON.parse(row.json), revision: row.revision };
}

function rowOf(row: Readonly<Record<string, unknown>>): Row {
  return { key: String(row.key), json: String(row.value), revision: Number(row.revision) };
}

function prepareAll(db: DatabaseSync) {
  return {
    revision: db.prepare("SELECT value FROM meta WHERE name = 'revision'"),
    setRevision: db.prepare("UPDATE meta SET value = ? WHERE name = 'revision'"),
    boot: db.prepare("SELECT value FROM meta WHERE name = 'boot'"),
    setBoot: db.prepare("UPDATE meta SET value = ? WHERE name = 'boot'"),
    get: db.prepare("SELECT key, value, revision FROM entries WHERE key = ?"),
    revisionOf: db.prepare("SELECT revision FROM entries WHERE key = ?"),
    list: db.prepare(
      "SELECT key, value, revision FROM entries WHERE key >= ? AND key < ? ORDER BY key",
    ),
    listFrom: db.prepare("SELECT key, value, revision FROM entries WHERE key >= ? ORDER BY key"),
    // A put without a lease frees the key from the one that it was under.
    put: db.prepare(
      "INSERT OR REPLACE INTO entries (key, value, revision, lease) VALUES (?,?,?,?)",
    ),
    delete: db.prepare("DELETE FROM entries WHERE key = ?"),
    deleteUnder: db.prepare("DELETE FROM entries WHERE lease = ?"),
    firstDeadline: db.prepare("SELECT min(deadline) AS first FROM leases"),
    over: db.prepare("SELECT id FROM leases WHERE deadline <= ?"),
    leaseExists: db.prepare("SELECT 1 FROM leases WHERE id = ?"),
    grant: db.prepare("INSERT INTO leases (id, ttl, deadline) VALUES (?, ?, ?)"),
    keepAlive: db.prepare("UPDATE leases SET deadline = ? + ttl WHERE id = ?"),
    rebase: db.prepare("UPDATE leases SET deadline = ? + ttl"),
    deleteLease: db.prepare("DELETE FROM leases WHERE id = ?"),
  };
}
