import type { LogEntry, LogMark } from "../model/change.ts";
import type { Epoch } from "../model/ids.ts";
import type { IndexFacts, IndexStanding, Watermarks } from "../model/index-health.ts";
import type { Position } from "../model/position.ts";
import type { RangeRef, RangeSum, RecordMark, StoredRecord } from "../model/record.ts";
import type { HeldVectors } from "../model/vectors.ts";

/**
 * One region's copy of one vector index, with the change log that made it.
 *
 * Guarantees every adapter gives (test/contract/index.ts proves them):
 * - `append`, `apply`, `repair` and the end of `restore` are atomic: log, records, sums and position
 *   change together or not at all, and are on disk when the call returns (they survive SIGKILL).
 * - The epoch is compared in the same write: an `append` under an epoch below the highest that this
 *   index has seen throws EPOCH_STALE and changes nothing.
 * - `apply` takes entries that follow on exactly from its position. A gap, or an entry whose
 *   `digestAfter` differs from what applying it gives, throws INDEX_DIVERGED and changes nothing.
 *   Entries that it already has (equal seq and digest) are skipped, so a resend is harmless.
 * - `search` filters by audience and labels inside the index query. Never afterwards: with k results
 *   taken first, another tenant's documents would push the caller's own out.
 * - `search` gives no record whose contents differ from the digest kept when it was written: it
 *   throws INDEX_CORRUPT, so that damage is found before it is told to anybody.
 * - A record may have vectors of several embedding versions (model/vectors.ts). `search` answers a
 *   version when every live record has a vector of it, and throws INDEX_UNAVAILABLE otherwise.
 * - Nobody is answered from a copy that is quarantined or half restored: `search` throws
 *   INDEX_QUARANTINED (a quarantined one answers what is `proving`). Everything else goes on, or it
 *   could not be repaired.
 * - A file or server that cannot be read throws INDEX_UNAVAILABLE from every call.
 */
export interface IndexStore {
  position(): Promise<Position>;
  /** Highest epoch seen (by `append`, `apply`, `restore` or `fence`); 0 when none. */
  epoch(): Promise<Epoch>;
  watermarks(): Promise<Watermarks>;
  /**
   * Every way in which live records spell their `embedding`, each once, by name; none when empty.
   * Asked before each write, so that it must cost no scan.
   */
  vectors(): Promise<HeldVectors[]>;
  /** Raises the epoch so that appends under a lower one are refused from now on. */
  fence(epoch: Epoch): Promise<void>;
  /** The owner's write: gives the entries their seq and digest, in order. */
  append(epoch: Epoch, changes: readonly EmbeddedChange[]): Promise<Position>;
  /** A replica's write. */
  apply(entries: readonly LogEntry[]): Promise<Position>;

  /** The log holds the entries above this seq: 0, or where a restore or `trimLog` began it. */
  base(): Promise<number>;
  /** Log entries with seq above `after`, in order, at most `limit`. */
  entriesAfter(after: number, limit: number): Promise<LogEntry[]>;
  /** The log entry with this seq; null when the log does not hold it. */
  entryAt(seq: number): Promise<LogEntry | null>;
  /** The same without its content: for gateways too, who may not see every document. */
  markAt(seq: number): Promise<LogMark | null>;
  /**
   * Takes back every entry with seq above `seq`: records and position are as they were then, and
   * the entries are kept as orphans, never lost. Gives how many there were. Throws INDEX_DIVERGED
   * when `seq` is below the base: only a restore leads there.
   */
  rewindTo(seq: number): Promise<number>;
  orphans(): Promise<LogEntry[]>;
  /** Forgets log entries with seq up to `upTo` (never the last one). Gives the new base. */
  trimLog(upTo: number): Promise<number>;

  search(query: IndexQuery): Promise<IndexHit[]>;
  /** Whether this copy may answer. */
  standing(): Promise<IndexStanding>;
  /**
   * Stops all answers for that reason, over restarts and restores too; null lets it answer again:
   * that is for whoever has proven what it holds.
   */
  quarantine(because: string | null): Promise<void>;
  /** What the engine is, how it is set up, and why that is no good. */
  facts(): Promise<IndexFacts>;

  /**
   * Count and sum of kept digests of the 2^`split` parts of each range, in order; empty parts too.
   * Sums are kept at write time, so that this costs about as much as it tells, not a scan. Throws
   * RangeError beyond LEAF_BITS.
   */
  sums(ranges: readonly RangeRef[], split: number): Promise<RangeSum[]>;
  /** The records of a range by name and kept digest, ordered by id. */
  marks(range: RangeRef): Promise<RecordMark[]>;
  /** The records of a range with what the engine really holds now, ordered by id. */
  recordsIn(range: RangeRef): Promise<StoredRecord[]>;
  /** The records that there are of these, in no order. */
  recordsOf(ids: readonly string[]): Promise<StoredRecord[]>;
  /**
   * Mends records beside the log: puts and drops, without moving the position. Digests and sums are
   * computed anew from the contents given (a `put` whose `digest` is not its contents' throws
   * INDEX_CORRUPT and changes nothing). Throws INDEX_DIVERGED unless the position is `at`.
   */
  repair(fix: IndexRepair): Promise<void>;

  /** All records at one moment, while writes go on. To be closed. */
  openSnapshot(): Promise<IndexSnapshot>;
  /**
   * Replaces everything by a snapshot's contents: records, position, watermarks; the log begins at
   * its position. Nothing of it is seen before all is in and the records' sum is the position's
   * digest, else it throws INDEX_DIVERGED and the copy is as it was. A kill in the middle leaves the
   * former contents, or a copy whose standing is `restoring`, which a new restore replaces.
   *
   * A quarantine outlasts it: only whoever has proven the new contents lifts it.
   *
   * `hot`: the first so many records answer as soon as they are in (standing `partial`).
   */
  restore(from: IndexRestore): Promise<Position>;
  close(): Promise<void>;
}

/** As much of a copy as a gateway needs: it never writes. */
export type IndexReader = Pick<
  IndexStore,
  "search" | "position" | "markAt" | "watermarks" | "standing" | "close"
>;

/** A source change with its vector: what `append` needs beside the epoch. */
export type EmbeddedChange = Omit<LogEntry, "seq" | "epoch" | "digestAfter">;

export interface IndexQuery {
  readonly vector: Float32Array;
  /** Version that made `vector`: it is only compared with vectors of that version. */
  readonly embedding: string;
  /** Audiences that the caller may see, such as `["public", "acme"]`. */
  readonly audiences: readonly string[];
  /** Access labels that the caller holds; a record with any other label is not his. Absent: none. */
  readonly labels?: readonly string[];
  readonly k: number;
  /** true: every record is compared, whatever graph there is. What recall is measured against. */
  readonly exact?: boolean;
  /**
   * true: answered also while the copy is quarantined, for the region's own proof that it may serve
   * again. Never set on behalf of a caller.
   */
  readonly proving?: boolean;
}

export interface IndexHit {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly audience: string;
  /** Cosine similarity, 1 best. Equal scores are ordered by id. */
  readonly score: number;
}

export interface IndexRepair {
  readonly at: Position;
  readonly put: readonly StoredRecord[];
  readonly drop: readonly string[];
}

export interface IndexSnapshot {
  readonly position: Position;
  readonly epoch: Epoch;
  readonly watermarks: Watermarks;
  /**
   * In pages of at most `limit`: the records of `first` that there are, in that order, then all
   * others by range key and id. So equal contents give equal pages, whatever the engine.
   */
  records(limit: number, first?: readonly string[]): AsyncIterable<readonly StoredRecord[]>;
  close(): Promise<void>;
}

export interface IndexRestore {
  readonly position: Position;
  readonly epoch: Epoch;
  readonly watermarks: Watermarks;
  readonly records: AsyncIterable<readonly StoredRecord[]>;
  readonly hot?: number;
}
