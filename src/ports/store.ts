/**
 * The shared state store: a small, ordered key space with compare-and-set.
 *
 * Guarantees every adapter gives (test/contract/store.ts proves them):
 * - `commit` is atomic and linearizable: all compares hold and all operations happen at one
 *   revision, or nothing does. Safety rests on this alone.
 * - Revisions only grow, over the whole store. A key's `revision` is that of its last write.
 * - Absence is a value: `get` gives null, and a compare with revision 0 holds only if absent.
 * - Leases are for liveness only: a key put under a lease vanishes after the lease has not been
 *   kept alive for its time to live, by the store's own clock. Late is allowed, early is not.
 * - Failure is a thrown TideoverError STORE_UNAVAILABLE (retry: later). After it, a commit may or
 *   may not have happened: read before doing it again.
 */
export interface Store {
  get(key: string): Promise<StoreEntry | null>;
  /** Entries whose key starts with `prefix`, sorted by key, all at one revision. */
  list(prefix: string): Promise<StoreEntry[]>;
  commit(transaction: Transaction): Promise<CommitResult>;
  /**
   * The entries under `prefix` now, and again after every change there. Level-triggered: changes
   * in quick succession may be told once, with the newest state, and the first value is always a
   * full read, so that nobody acts on a part. Ends when `signal` aborts; throws
   * STORE_UNAVAILABLE when the store is gone (the caller decides to try again).
   */
  watch(prefix: string, signal: AbortSignal): AsyncIterable<StoreEntry[]>;
  /** A new lease that lives `ttlMs` after its grant and after each keep-alive. */
  grantLease(ttlMs: number): Promise<string>;
  /** false when the lease is gone: its keys are deleted and it cannot come back. */
  keepAlive(lease: string): Promise<boolean>;
  /** Ends a lease at once, and deletes its keys. Ending a lease that is gone does nothing. */
  revokeLease(lease: string): Promise<void>;
  close(): Promise<void>;
}

export interface StoreEntry {
  readonly key: string;
  /** Any JSON value; a copy that the caller owns. */
  readonly value: unknown;
  readonly revision: number;
}

export interface Transaction {
  readonly compare: readonly Compare[];
  readonly operations: readonly Operation[];
}

/** Holds when the key's revision is this; 0 means that the key must be absent. */
export interface Compare {
  readonly key: string;
  readonly revision: number;
}

export type Operation =
  | { readonly put: string; readonly value: unknown; readonly lease?: string }
  | { readonly delete: string };

export type CommitResult =
  | { readonly ok: true; readonly revision: number }
  /** Nothing was written; `conflict` is the first compare that did not hold. */
  | { readonly ok: false; readonly conflict: Compare & { readonly actual: number } };
