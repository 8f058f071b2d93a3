import { setImmediate } from "node:timers/promises";
import type { AuditRecord } from "../../model/audit.ts";
import type { AuditHistory, AuditLog } from "../../ports/audit.ts";
import { asNotWritable, notWritable } from "./failures.ts";
import { findNewest, newestRecords } from "./find.ts";
import { rotate, Segment } from "./segment.ts";

/** As the port states it. */
const FIND_WITHIN = 10_000;

/** So long a record may wait for others. Each is somebody's last byte. */
const MOST_GATHERING_MS = 1;

export interface JsonlAuditOptions {
  /** The newest file; older ones stand beside it as `.1`, `.2`, … Its folder must exist. */
  readonly path: string;
  /** A file that has reached this size is moved back before the next write. Default 64 MiB. */
  readonly maxBytes?: number;
  /** How many older files are kept, at least 1. Default 4. */
  readonly keep?: number;
}

/**
 * A region's audit log as lines of JSON. One process appends (the gateway); any may find.
 *
 * `append` resolves when write() has returned: the record then survives a kill of this process, as
 * the port promises, though not a power cut, for which each request would have to wait for a disk
 * flush. Records that arrive while a write is under way share the next one.
 *
 * Throws DISK_NOT_WRITABLE when the file cannot be opened; `append` rejects with it later.
 */
export function openJsonlAudit(options: JsonlAuditOptions): AuditLog & AuditHistory {
  return new JsonlAudit(options);
}

/** Records that share a write, and so what becomes of it. */
interface Batch {
  lines: string;
  readonly written: Promise<void>;
  resolve(): void;
  reject(error: unknown): void;
}

class JsonlAudit implements AuditLog, AuditHistory {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #keep: number;
  /** null after a failure: the next batch opens the file anew, and may find the disk well again. */
  #segment: Segment | null;
  /** What the next write takes; null when there is nothing. */
  #next: Batch | null = null;
  #writing: Promise<void> | null = null;
  #closed = false;
  #appended = 0;

  constructor({ path, maxBytes = 64 * 1024 * 1024, keep = 4 }: JsonlAuditOptions) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#keep = keep;
    this.#segment = this.#open();
  }

  append(record: AuditRecord): Promise<void> {
    if (this.#closed) return Promise.reject(notWritable(this.#path, "it was closed"));
    const line = `${JSON.stringify(record)}\n`;
    this.#next ??= emptyBatch();
    this.#next.lines += line;
    this.#appended += 1;
    this.#writing ??= this.#writeAll();
    return this.#next.written;
  }

  find(requestId: string): Promise<AuditRecord | null> {
    return findNewest(this.#path, this.#keep, requestId, FIND_WITHIN);
  }

  newest(limit: number): AsyncIterable<AuditRecord> {
    return newestRecords(this.#path, this.#keep, limit);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    this.#segment?.close();
    this.#segment = null;
  }

  async #writeAll(): Promise<void> {
    for (;;) {
      // #writing is set by then: were it set only after a failure that needs no turn at all, nothing
      // would ever write again.
      await this.#gathered();
      const batch = this.#next;
      if (batch === null) break;
      this.#next = null;
      try {
        await this.#current().append(batch.lines);
        batch.resolve();
      } catch (error) {
        this.#drop();
        // All of them, though some may lie on the disk: a record too many harms nobody.
        batch.reject(asNotWritable(this.#path, error));
      }
    }
    this.#writing = null;
  }

  /**
   * Waits until the loop has been around: all records of a round share a write, which costs as much
   * for one as for a hundred. While each round brings more there is a crowd, and it waits on.
   */
  async #gathered(): Promise<void> {
    const until = performance.now() + MOST_GATHERING_MS;
    let before = -1;
    while (this.#next !== null && this.#appended > before && performance.now() < until) {
      before = this.#appended;
      await setImmediate();
    }
  }

  /** The file that the next batch belongs in: there, at its path, and not yet full. */
  #current(): Segment {
    if (this.#segment !== null && !this.#segment.isAtItsPath) this.#drop();
    this.#segment ??= this.#open();
    if (this.#segment.size >= this.#maxBytes) {
      this.#drop();
      rotate(this.#path, this.#keep);
      this.#segment = this.#open();
    }
    return this.#segment;
  }

  #drop(): void {
    this.#segment?.close();
    this.#segment = null;
  }

  #open(): Segment {
    try {
      return new Segment(this.#path);
    } catch (error) {
      throw asNotWritable(this.#path, error);
    }
  }
}

function emptyBatch(): Batch {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  return { lines: "", written: promise, resolve, reject };
}
