import { closeSync, fstatSync, openSync, readSync, renameSync, statSync, write } from "node:fs";
import { promisify } from "node:util";

const writeBytes = promisify(write);
const NEW_LINE = 0x0a;

/**
 * The file at the end of the log, open for appending. O_APPEND puts each write() behind all that
 * is there, also when another process writes too.
 */
export class Segment {
  readonly #path: string;
  readonly #fd: number;
  readonly #identity: string;
  #size: number;
  /** true: the last line was cut by a kill or a full disk, and the next record must not join it. */
  #torn: boolean;

  constructor(path: string) {
    this.#path = path;
    this.#fd = openSync(path, "a+");
    const stat = fstatSync(this.#fd);
    this.#identity = `${stat.dev}:${stat.ino}`;
    this.#size = stat.size;
    this.#torn = stat.size > 0 && !endsWithNewLine(this.#fd, stat.size);
  }

  get size(): number {
    return this.#size;
  }

  /** false once its file was moved or removed: what is written then is found by nobody. */
  get isAtItsPath(): boolean {
    const stat = statSync(this.#path, { throwIfNoEntry: false });
    return stat !== undefined && `${stat.dev}:${stat.ino}` === this.#identity;
  }

  /** Resolves when all lines are with the kernel, where a kill of this process cannot reach them. */
  async append(lines: string): Promise<void> {
    const bytes = Buffer.from(this.#torn ? `\n${lines}` : lines, "utf8");
    for (let done = 0; done < bytes.length; ) {
      // Until it is whole: a disk that fills up takes a part of a write and reports a success.
      this.#torn = true;
      const { bytesWritten } = await writeBytes(this.#fd, bytes, done, bytes.length - done, null);
      done += bytesWritten;
      this.#size += bytesWritten;
    }
    this.#torn = false;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

function endsWithNewLine(fd: number, size: number): boolean {
  const last = Buffer.alloc(1);
  readSync(fd, last, 0, 1, size - 1);
  return last[0] === NEW_LINE;
}

/** Where the nth file of the log is: 0 is the newest, then `.1`, `.2` and so on. */
export function segmentPath(path: string, n: number): string {
  return n === 0 ? path : `${path}.${n}`;
}

/** Moves each file one place back; the one in the last place is replaced, which forgets it. */
export function rotate(path: string, keep: number): void {
  // The oldest first, or each would be moved on top of one that has not yet moved.
  for (let n = keep - 1; n >= 0; n--) {
    const from = segmentPath(path, n);
    if (statSync(from, { throwIfNoEntry: false }) === undefined) continue;
    renameSync(from, segmentPath(path, n + 1));
  }
}
