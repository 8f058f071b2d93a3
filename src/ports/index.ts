import type { LogEntry } from "../model/change.ts";
import type { Epoch } from "../model/ids.ts";
import type { Position } from "../model/position.ts";

/**
 * One region's copy of one vector index, with the change log that made it.
 *
 * Guarantees every adapter gives (test/contract/index.ts proves them):
 * - `append` and `apply` are atomic: log, records and position change together or not at all, and
 *   are on disk when the call returns (they survive SIGKILL).
 * - The epoch is compared in the same write: an `append` under an epoch below the highest that this
 *   index has seen throws EPOCH_STALE and changes nothing.
 * - `apply` takes entries that follow on exactly from its position. A gap, or an entry whose
 *   `digestAfter` differs from what applying it gives, throws INDEX_DIVERGED and changes nothing.
 *   Entries that it already has (equal seq and digest) are skipped, so a resend is harmless.
 * - `search` filters by audience inside the index query. Never afterwards: with k results taken
 *   first, another tenant's documents would push the caller's own out.
 * - A file that cannot be read throws INDEX_UNAVAILABLE from every call.
 */
export interface IndexStore {
  position(): Promise<Position>;
  /** Highest epoch seen (by `append`, `apply` or `fence`); 0 when none. */
  epoch(): Promise<Epoch>;
  /** Raises the epoch so that appends under a lower one are refused from now on. */
  fence(epoch: Epoch): Promise<void>;
  /** The owner's write: gives the entries their seq and digest, in order. */
  append(epoch: Epoch, changes: readonly EmbeddedChange[]): Promise<Position>;
  /** A replica's write. */
  apply(entries: readonly LogEntry[]): Promise<Position>;
  /** Log entries with seq above `after`, in order, at most `limit`. */
  entriesAfter(after: number, limit: number): Promise<LogEntry[]>;
  /** The log entry with this seq; null when the log does not reach it. */
  entryAt(seq: number): Promise<LogEntry | null>;
  /**
   * Takes back every entry with seq above `seq`: records and position are as they were then, and
   * the entries are kept as orphans, never lost. Gives how many there were.
   */
  rewindTo(seq: number): Promise<number>;
  orphans(): Promise<LogEntry[]>;
  search(query: IndexQuery): Promise<IndexHit[]>;
  close(): Promise<void>;
}

/** A source change with its vector: what `append` needs beside the epoch. */
export type EmbeddedChange = Omit<LogEntry, "seq" | "epoch" | "digestAfter">;

export interface IndexQuery {
  readonly vector: Float32Array;
  /** Version that made `vector`: records of another version never match it (INDEX_UNAVAILABLE). */
  readonly embedding: string;
  /** Audiences that the caller may see, such as `["public", "acme"]`. */
  readonly audiences: readonly string[];
  readonly k: number;
}

export interface IndexHit {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly audience: string;
  /** Cosine similarity, 1 best. Equal scores are ordered by id. */
  readonly score: number;
}
