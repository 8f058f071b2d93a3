import { dirname } from "node:path";
import { messageOf, TideoverError } from "../../lib/errors.ts";

/** Primary result codes of SQLite (sqlite.org/rescode.html); the low byte of an extended one. */
const SQLITE = { busy: 5, locked: 6, corrupt: 11, full: 13, notADatabase: 26 } as const;

/** SQLite's primary result code of an error; undefined when SQLite did not throw it. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode & 0xff : undefined;
}

export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === SQLITE.busy || code === SQLITE.locked;
}

/**
 * What went wrong while the store was in use: STORE_UNAVAILABLE for everything that SQLite throws.
 * Anything else is given back as it is: a mistake of the caller must not look like an outage that
 * goes away by trying again.
 */
export function whileInUse(error: unknown, path: string): unknown {
  const code = resultCode(error);
  if (code === undefined) return error;
  const [what, next] = inWords(code, error);
  return unavailable(path, what, next, error);
}

function inWords(code: number, error: unknown): readonly [what: string, next: string] {
  if (code === SQLITE.busy || code === SQLITE.locked) {
    return [
      "another process holds its write lock",
      "Try again; find out who holds it if it stays.",
    ];
  }
  if (code === SQLITE.full) return ["the disk is full", "Free some space, then try again."];
  if (code === SQLITE.corrupt || code === SQLITE.notADatabase) {
    return [
      `it is damaged, or is not a store (${messageOf(error)})`,
      "Stop every process of the estate, put a good copy back, and start them again.",
    ];
  }
  return [messageOf(error), "Look at the disk under it, then try again."];
}

export function unavailable(
  path: string,
  what: string,
  next: string,
  cause?: unknown,
): TideoverError {
  return new TideoverError(`the store ${path} cannot be used: ${what}`, {
    code: "STORE_UNAVAILABLE",
    retry: "later",
    next,
    cause,
  });
}

/** What went wrong while the store was opened: a damaged file, one in use, or else the disk. */
export function whileOpening(error: unknown, path: string): unknown {
  const code = resultCode(error);
  if (code === undefined) return error;
  const ofTheFile = code === SQLITE.corrupt || code === SQLITE.notADatabase;
  if (ofTheFile || isBusy(error)) return whileInUse(error, path);
  return notWritable(path, messageOf(error), error);
}

export function notWritable(path: string, what: string, cause?: unknown): TideoverError {
  return new TideoverError(`the store ${path} cannot be opened: ${what}`, {
    code: "DISK_NOT_WRITABLE",
    next: `Make sure that the folder ${dirname(path)} exists and that this user may write in it, or name another path.`,
    cause,
  });
}
