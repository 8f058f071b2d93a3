import { readFileSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "../../ports/clock.ts";
import type { CommitResult, Store, StoreEntry, Transaction } from "../../ports/store.ts";
import { Bell } from "./bell.ts";
import { openDatabase } from "./database.ts";
import { unavailable, whileInUse, whileOpening } from "./failures.ts";
import { FileGuard } from "./file-guard.ts";
import { judgeKey, writesOf } from "./keys.ts";
import { entryOf, type Row, Tables } from "./tables.ts";

export interface SqliteStoreOptions {
  /** The database file. Its folder must exist and be writable. Never on a network file system. */
  readonly path: string;
  /** `monotonic()` must be one clock for all processes of the machine, as the system clock's is. */
  readonly clock: Clock;
  /** How soon a watcher sees what another process wrote. Default 25 ms. */
  readonly pollMs?: number;
  /** How long a call waits for another process's write before STORE_UNAVAILABLE. Default 5000 ms. */
  readonly busyTimeoutMs?: number;
  /** What changes when the machine's monotonic clock starts over. Default: the kernel's boot id. */
  readonly bootId?: string;
}

/**
 * The store of an estate on one machine: one SQLite file, shared by any number of its processes.
 *
 * Leases are timed by the machine's monotonic clock, never by the wall clock: a wall clock that is
 * set forward would end every lease of the estate at once, and each controller would believe that
 * all the others had died. Deadlines are in the file, so each process judges them alike; whoever
 * looks next removes what is over. After a boot, when that clock starts over, the leases that are
 * still in the file get their full time again: late, which is allowed.
 *
 * Each call does its work at once, in the caller's turn, and blocks the process while it does:
 * microseconds for a read, a disk flush for a write, up to `busyTimeoutMs` behind a stuck writer.
 *
 * Throws DISK_NOT_WRITABLE, or STORE_UNAVAILABLE for a file that is damaged or not a store.
 */
export function openSqliteStore(options: SqliteStoreOptions): Store {
  const db = openDatabase(options.path, options.busyTimeoutMs ?? 5_000);
  try {
    return new SqliteStore(db, options);
  } catch (error) {
    db.close();
    throw whileOpening(error, options.path);
  }
}

class SqliteStore implements Store {
  readonly #db: DatabaseSync;
  readonly #path: string;
  readonly #clock: Clock;
  readonly #pollMs: number;
  readonly #tables: Tables;
  readonly #guard: FileGuard;
  readonly #bells = new Set<Bell>();

  constructor(db: DatabaseSync, options: SqliteStoreOptions) {
    this.#db = db;
    this.#path = options.path;
    this.#clock = options.clock;
    this.#pollMs = options.pollMs ?? 25;
    this.#tables = new Tables(db);
    this.#guard = new FileGuard(options.path);
    const bootId = options.bootId ?? machineBootId();
    this.#change((now) => this.#tables.rebase(bootId, now), { expire: false });
  }

  async get(key: string): Promise<StoreEntry | null> {
    judgeKey(key);
    const row = this.#look(() => this.#tables.get(key));
    return row === null ? null : entryOf(row);
  }

  async list(prefix: string): Promise<StoreEntry[]> {
    if (prefix !== "") judgeKey(prefix);
    return this.#look(() => this.#tables.list(prefix)).map(entryOf);
  }

  async commit(transaction: Transaction): Promise<CommitResult> {
    const writes = writesOf(transaction);
    return this.#change(() => this.#tables.commit(transaction.compare, writes));
  }

  async grantLease(ttlMs: number): Promise<string> {
    if (!(ttlMs > 0 && Number.isFinite(ttlMs))) {
      throw new RangeError(`${ttlMs} ms is not a time to live`);
    }
    return this.#change((now) => this.#tables.grant(ttlMs, now));
  }

  async keepAlive(lease: string): Promise<boolean> {
    return this.#change((now) => this.#tables.keepAlive(lease, now));
  }

  async revokeLease(lease: string): Promise<void> {
    this.#change(() => this.#tables.revoke(lease));
  }

  async *watch(prefix: string, signal: AbortSignal): AsyncGenerator<StoreEntry[]> {
    if (prefix !== "") judgeKey(prefix);
    const bell = new Bell();
    const ring = () => bell.ring();
    this.#bells.add(bell);
    signal.addEventListener("abort", ring);
    try {
      let told: string | undefined;
      let seen: number | undefined;
      while (!signal.aborted) {
        const revision = this.#look(() => this.#tables.revision());
        if (revision !== seen) {
          // The revision is noted from before the entries are read. The other way round, a commit
          // between the two would be taken for seen, and its state might never be told.
          seen = revision;
          const rows = this.#look(() => this.#tables.list(prefix));
          const state = fingerprint(rows);
          if (state !== told) {
            told = state;
            yield rows.map(entryOf);
            continue;
          }
        }
        await bell.wait(this.#clock, this.#pollMs);
      }
    } finally {
      this.#bells.delete(bell);
      signal.removeEventListener("abort", ring);
    }
  }

  async close(): Promise<void> {
    if (this.#db.isOpen) this.#db.close();
    this.#ringAll();
  }

  /** Reads, after the leases that are over have been removed. */
  #look<T>(read: () => T): T {
    return this.#attempt(() => {
      this.#guard.check();
      if (this.#tables.firstDeadline() <= this.#clock.monotonic()) this.#change(() => undefined);
      return read();
    });
  }

  /** Runs `write` alone, with the clock as it is once the lock is held: all of it, or nothing. */
  #change<T>(write: (now: number) => T, { expire } = { expire: true }): T {
    return this.#attempt(() => {
      // IMMEDIATE: to begin as a reader and then write would fail when another wrote in between.
      this.#db.exec("BEGIN IMMEDIATE");
      try {
        // Only now: the wait for the lock may have taken seconds, in which the file can go.
        this.#guard.check();
        const now = this.#clock.monotonic();
        if (expire) this.#tables.expire(now);
        const result = write(now);
        this.#db.exec("COMMIT");
        this.#ringAll();
        return result;
      } catch (error) {
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
        throw error;
      }
    });
  }

  #attempt<T>(work: () => T): T {
    if (!this.#db.isOpen) {
      throw unavailable(this.#path, "this handle was closed", "Open the store again.");
    }
    try {
      return work();
    } catch (error) {
      throw whileInUse(error, this.#path);
    }
  }

  /** Own watchers see own writes at once; those of other processes see them at their next poll. */
  #ringAll(): void {
    for (const bell of this.#bells) bell.ring();
  }
}

/** Equal exactly when the entries are: no two writes have one revision and one key. */
function fingerprint(rows: readonly Row[]): string {
  return JSON.stringify(rows.map((row) => [row.key, row.revision]));
}

/**
 * Names this boot of the machine. Where the system has no such name, one is not missed: deadlines
 * count from a boot, so a deadline that a later boot's clock has passed lies at least a full time
 * to live after that boot, and ending the lease is late, not early.
 */
function machineBootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "unnamed";
  }
}
