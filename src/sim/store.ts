import { TideoverError } from "../lib/errors.ts";
import type { Clock } from "../ports/clock.ts";
import type {
  CommitResult,
  Compare,
  Operation,
  Store,
  StoreEntry,
  Transaction,
} from "../ports/store.ts";

interface Kept {
  /** Text, so that nobody holds a reference into the store, as with a real one. */
  readonly json: string;
  readonly revision: number;
  readonly lease: string | null;
}

interface Lease {
  readonly ttlMs: number;
  deadline: number;
}

/** What all processes of one test share: the data, the leases and the store's own clock. */
export class MemoryBackend {
  readonly clock: Clock;
  readonly #kept = new Map<string, Kept>();
  readonly #leases = new Map<string, Lease>();
  readonly #watchers = new Set<() => void>();
  #revision = 0;
  #granted = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get(key: string): StoreEntry | null {
    this.#expire();
    const kept = this.#kept.get(key);
    return kept === undefined ? null : entryOf(key, kept);
  }

  list(prefix: string): StoreEntry[] {
    this.#expire();
    return [...this.#kept]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([a], [b]) => byCodePoints(a, b))
      .map(([key, kept]) => entryOf(key, kept));
  }

  commit(transaction: Transaction): CommitResult {
    this.#expire();
    judgeTransaction(transaction);
    const conflict = this.#conflict(transaction.compare);
    if (conflict !== null) return { ok: false, conflict };
    const changes = transaction.operations.filter(
      (operation) => "put" in operation || this.#kept.has(operation.delete),
    );
    // Everything that can throw comes before the first change: all of it happens, or nothing.
    const kept = changes.map((operation) => this.#prepare(operation, this.#revision + 1));
    if (changes.length === 0) return { ok: true, revision: this.#revision };
    this.#revision += 1;
    for (const [key, value] of kept) {
      if (value === null) this.#kept.delete(key);
      else this.#kept.set(key, value);
    }
    this.#wake();
    return { ok: true, revision: this.#revision };
  }

  grantLease(ttlMs: number): string {
    if (!(ttlMs > 0 && Number.isFinite(ttlMs))) {
      throw new RangeError(`${ttlMs} ms is not a time to live`);
    }
    this.#granted += 1;
    const id = `lease-${this.#granted}`;
    this.#leases.set(id, { ttlMs, deadline: this.clock.monotonic() + ttlMs });
    // Watchers sleep until the next deadline, and there may be an earlier one now.
    this.#wake();
    return id;
  }

  keepAlive(id: string): boolean {
    this.#expire();
    const lease = this.#leases.get(id);
    if (lease === undefined) return false;
    lease.deadline = this.clock.monotonic() + lease.ttlMs;
    return true;
  }

  revokeLease(id: string): void {
    this.#expire();
    this.#end([id]);
  }

  /** Calls `listener` after every change until the function that it gives is called. */
  onChange(listener: () => void): () => void {
    this.#watchers.add(listener);
    return () => this.#watchers.delete(listener);
  }

  /** Time until the next lease is over; Infinity when there is none. */
  untilNextDeadline(): number {
    const deadlines = [...this.#leases.values()].map((lease) => lease.deadline);
    return Math.min(...deadlines) - this.clock.monotonic();
  }

  #conflict(compares: readonly Compare[]): (Compare & { actual: number }) | null {
    for (const compare of compares) {
      const actual = this.#kept.get(compare.key)?.revision ?? 0;
      if (actual !== compare.revision) return { ...compare, actual };
    }
    return null;
  }

  #prepare(operation: Operation, revision: number): readonly [string, Kept | null] {
    if (!("put" in operation)) return [operation.delete, null];
    const { put: key, value, lease = null } = operation;
    if (lease !== null && !this.#leases.has(lease)) {
      throw new TideoverError(`${key} was not written: its lease ${lease} is gone`, {
        code: "LEASE_LOST",
        next: "Stop acting under this lease; grant a new one and win the key again.",
      });
    }
    const json = JSON.stringify(value);
    if (json === undefined) throw new TypeError(`the value of ${key} has no JSON form`);
    return [key, { json, revision, lease }];
  }

  #expire(): void {
    const now = this.clock.monotonic();
    const over = [...this.#leases].filter(([, lease]) => lease.deadline <= now).map(([id]) => id);
    this.#end(over);
  }

  #end(leases: readonly string[]): void {
    if (leases.length === 0) return;
    for (const lease of leases) this.#leases.delete(lease);
    const keys = [...this.#kept]
      .filter(([, kept]) => kept.lease !== null && leases.includes(kept.lease))
      .map(([key]) => key);
    if (keys.length === 0) return;
    for (const key of keys) this.#kept.delete(key);
    this.#revision += 1;
    this.#wake();
  }

  #wake(): void {
    for (const listener of this.#watchers) listener();
  }
}

/**
 * Called around each commit of one process. To throw `before` is a crash that wrote nothing; to
 * throw `after` is one whose commit happened and whose author never heard of it. `after` is not
 * called for a commit that met a conflict, since that wrote nothing.
 */
export type OnCommit = (transaction: Transaction, when: "before" | "after") => void;

/** One process's connection to the backend. */
export class MemoryStore implements Store {
  onCommit: OnCommit | undefined;
  readonly #backend: MemoryBackend;
  readonly #wakes = new Set<() => void>();
  #reachable = true;
  #closed = false;

  constructor(backend: MemoryBackend, options: { readonly onCommit?: OnCommit } = {}) {
    this.#backend = backend;
    this.onCommit = options.onCommit;
  }

  /** Set to false, this process is cut off: every call and watch throws STORE_UNAVAILABLE. */
  get reachable(): boolean {
    return this.#reachable;
  }

  set reachable(reachable: boolean) {
    this.#reachable = reachable;
    this.#wakeAll();
  }

  async get(key: string): Promise<StoreEntry | null> {
    judgeKey(key);
    return this.#reach().get(key);
  }

  async list(prefix: string): Promise<StoreEntry[]> {
    if (prefix !== "") judgeKey(prefix);
    return this.#reach().list(prefix);
  }

  async commit(transaction: Transaction): Promise<CommitResult> {
    const backend = this.#reach();
    this.onCommit?.(transaction, "before");
    const result = backend.commit(transaction);
    if (result.ok) this.onCommit?.(transaction, "after");
    return result;
  }

  async grantLease(ttlMs: number): Promise<string> {
    return this.#reach().grantLease(ttlMs);
  }

  async keepAlive(lease: string): Promise<boolean> {
    return this.#reach().keepAlive(lease);
  }

  async revokeLease(lease: string): Promise<void> {
    this.#reach().revokeLease(lease);
  }

  async *watch(prefix: string, signal: AbortSignal): AsyncGenerator<StoreEntry[]> {
    if (prefix !== "") judgeKey(prefix);
    let asleep: AbortController | undefined;
    const wake = () => asleep?.abort();
    const forget = this.#backend.onChange(wake);
    this.#wakes.add(wake);
    signal.addEventListener("abort", wake);
    try {
      let told: string | undefined;
      while (!signal.aborted) {
        const entries = this.#reach().list(prefix);
        const state = JSON.stringify(entries.map((entry) => [entry.key, entry.revision]));
        if (state !== told) {
          told = state;
          yield entries;
          continue;
        }
        // In the same turn as the read above, so that no change can come between the two.
        asleep = new AbortController();
        await sleepUntilWoken(this.#backend, asleep.signal);
        asleep = undefined;
      }
    } finally {
      forget();
      this.#wakes.delete(wake);
      signal.removeEventListener("abort", wake);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of this.#wakes) wake();
  }

  #reach(): MemoryBackend {
    if (!this.#closed && this.#reachable) return this.#backend;
    const what = this.#closed ? "this handle was closed" : "it does not answer";
    throw new TideoverError(`the store cannot be used: ${what}`, {
      code: "STORE_UNAVAILABLE",
      retry: "later",
      next: "Try again.",
    });
  }
}

function sleepUntilWoken(backend: MemoryBackend, signal: AbortSignal): Promise<void> {
  const ms = backend.untilNextDeadline();
  if (Number.isFinite(ms)) return backend.clock.sleep(ms, signal);
  // No lease can end, so nothing but a change can wake it: a sleeper on the virtual clock here
  // would be one that no scenario ever runs out of.
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function entryOf(key: string, kept: Kept): StoreEntry {
  return { key, value: JSON.parse(kept.json), revision: kept.revision };
}

/** UTF-8's order. JavaScript's own compares UTF-16 units and puts emoji before U+FB01. */
function byCodePoints(a: string, b: string): number {
  const left = Array.from(a, (character) => character.codePointAt(0) ?? 0);
  const right = Array.from(b, (character) => character.codePointAt(0) ?? 0);
  const at = left.findIndex((point, index) => point !== right[index]);
  if (at === -1) return left.length - right.length;
  return (left[at] ?? 0) - (right[at] ?? -1);
}

function judgeTransaction(transaction: Transaction): void {
  const keys = transaction.operations.map((operation) =>
    "put" in operation ? operation.put : operation.delete,
  );
  for (const key of [...keys, ...transaction.compare.map((compare) => compare.key)]) judgeKey(key);
  const twice = keys.find((key, index) => keys.indexOf(key) !== index);
  if (twice !== undefined) throw new TypeError(`${JSON.stringify(twice)} is written twice at once`);
}

/** As every store does: a key that only some could keep is refused here too. */
function judgeKey(key: string): void {
  if (key === "" || key.includes("\0") || !key.isWellFormed()) {
    throw new TypeError(`${JSON.stringify(key)} is not a key: write some text without U+0000`);
  }
}
