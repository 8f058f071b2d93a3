import { type FileHandle, open } from "node:fs/promises";
import { messageOf, TideoverError } from "../../lib/errors.ts";
import type { Notice, Notify } from "../../ports/notify.ts";

export interface FileNotifyOptions {
  /** File of notices, one JSON object a line. Made at the first send; its folder must exist. */
  readonly path: string;
}

/**
 * Tells people by writing to a file, which a mailer, a chat bot or a test reads on from.
 *
 * The file is the memory of what was sent: it is read on before each send, so that a controller
 * that takes over from another does not tell customers a second time. (Two controllers that send
 * one id in the same millisecond could; that only one leads is the store's guarantee.) A notice is
 * flushed to the disk before `send` resolves. Rejects with DISK_NOT_WRITABLE.
 */
export function openFileNotify(options: FileNotifyOptions): Notify {
  return new FileNotify(options.path);
}

class FileNotify implements Notify {
  readonly #path: string;
  /** One call at a time: two sends of one id must not both find it missing. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  send(notice: Notice): Promise<void> {
    return this.#inTurn("a+", async (file) => {
      const text = await file.readFile("utf8");
      if (idsOf(text).has(notice.id)) return;
      // After a line that a kill cut short, a new one begins: joined to it, both would be lost.
      const start = text === "" || text.endsWith("\n") ? "" : "\n";
      await file.appendFile(`${start}${JSON.stringify(notice)}\n`);
      await file.sync();
    });
  }

  async sent(id: string): Promise<boolean> {
    return this.#inTurn("r", async (file) => idsOf(await file.readFile("utf8")).has(id), false);
  }

  /** `absent`: what to give when there is no file to read yet. */
  #inTurn<T>(flags: "a+" | "r", work: (file: FileHandle) => Promise<T>, absent?: T): Promise<T> {
    const turn = this.#last.then(async () => {
      try {
        await using file = await open(this.#path, flags);
        return await work(file);
      } catch (error) {
        if (absent !== undefined && isMissing(error)) return absent;
        throw this.#notWritable(error);
      }
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #notWritable(error: unknown): TideoverError {
    return new TideoverError(`the notices ${this.#path} cannot be kept: ${messageOf(error)}`, {
      code: "DISK_NOT_WRITABLE",
      retry: "later",
      next: "Make sure that its folder exists, that this user may write there, and that the disk has space.",
      cause: error,
    });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function idsOf(text: string): Set<string> {
  const ids = text.split("\n").map(idOf);
  return new Set(ids.filter((id) => id !== null));
}

/** null for an empty line, and for one that a kill cut short: that notice was not sent. */
function idOf(line: string): string | null {
  try {
    const notice: unknown = JSON.parse(line);
    if (typeof notice !== "object" || notice === null || !("id" in notice)) return null;
    return typeof notice.id === "string" ? notice.id : null;
  } catch {
    return null;
  }
}
