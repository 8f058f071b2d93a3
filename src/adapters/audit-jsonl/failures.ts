import { messageOf, TideoverError } from "../../lib/errors.ts";

export function notWritable(path: string, what: string, cause?: unknown): TideoverError {
  return new TideoverError(`the audit log ${path} cannot be written: ${what}`, {
    code: "DISK_NOT_WRITABLE",
    retry: "later",
    next: "Make sure that its folder exists, that this user may write there, and that the disk has space.",
    cause,
  });
}

/** The same error for whatever the file system threw. */
export function asNotWritable(path: string, error: unknown): TideoverError {
  return error instanceof TideoverError ? error : notWritable(path, messageOf(error), error);
}
