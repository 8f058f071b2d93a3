import { statSync } from "node:fs";
import { unavailable } from "./failures.ts";

/**
 * Notices that the store's files are no longer the ones that were opened.
 *
 * SQLite goes on quite happily with a file that was deleted: it holds the inode. A controller would
 * then commit epochs to a ghost that nobody else reads, while a second one starts over with a new
 * file at the same path: two owners, each with a store that agrees. So the inode at the path is
 * compared before each use.
 *
 * The `-wal` and `-shm` files are looked at too: whoever opens the database after they were removed
 * makes new ones, and from then on the two sides share neither locks nor commits.
 *
 * Only stat() will do. To open the file and close it again would drop every POSIX lock that this
 * process holds on it, SQLite's included.
 */
export class FileGuard {
  readonly #path: string;
  readonly #opened: readonly Seen[];

  /** To be made after the first commit of an open handle, when all three files exist. */
  constructor(path: string) {
    this.#path = path;
    this.#opened = ["", "-wal", "-shm"].map((suffix) => look(path + suffix));
  }

  /** Throws STORE_UNAVAILABLE when a file is gone, is another one, or has been cut short. */
  check(): void {
    for (const before of this.#opened) {
      const now = look(before.path);
      const fault = compare(before, now);
      if (fault === null) continue;
      throw unavailable(
        this.#path,
        `${before.path} ${fault}`,
        "Stop every process of the estate, put the file back if there is a copy, and start them again.",
      );
    }
  }
}

interface Seen {
  readonly path: string;
  /** `device:inode`; null when there is no such file. */
  readonly identity: string | null;
  readonly size: number;
}

function look(path: string): Seen {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return { path, identity: null, size: 0 };
  return { path, identity: `${stat.dev}:${stat.ino}`, size: stat.size };
}

function compare(before: Seen, now: Seen): string | null {
  if (before.identity === now.identity) {
    // The database itself never shrinks, as it is never vacuumed. The log beside it may.
    const shrunk = now.size < before.size && !now.path.endsWith("-wal");
    return shrunk ? "has been cut short" : null;
  }
  return now.identity === null ? "was removed" : "was replaced by another file";
}
