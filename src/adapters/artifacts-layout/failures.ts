import { messageOf, TideoverError } from "../../lib/errors.ts";

/** What the file system threw while the layout was written. */
export function asNotWritable(folder: string, error: unknown): unknown {
  if (error instanceof TideoverError) return error;
  const code = codeOf(error);
  if (code === undefined) return error;
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new TideoverError(`the disk of ${folder} is full`, {
      code: "DISK_FULL",
      retry: "later",
      next: "Free some space, then do it again: what was written so far is kept.",
      cause: error,
    });
  }
  return new TideoverError(`the artifacts in ${folder} cannot be written: ${messageOf(error)}`, {
    code: "DISK_NOT_WRITABLE",
    retry: "later",
    next: "Make sure that this user may write there, and that nobody removes it meanwhile.",
    cause: error,
  });
}

/** What the file system threw while the layout was read. */
export function asUnavailable(folder: string, error: unknown): unknown {
  if (error instanceof TideoverError || codeOf(error) === undefined) return error;
  return new TideoverError(`the artifacts in ${folder} cannot be read: ${messageOf(error)}`, {
    code: "ARTIFACTS_UNAVAILABLE",
    retry: "later",
    next: "Look at the disk under it, and at who may read there.",
    cause: error,
  });
}

export function isAbsent(error: unknown): boolean {
  const code = codeOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}

export function missing(what: string, folder: string): TideoverError {
  return new TideoverError(`${what} is not in ${folder}`, {
    code: "ARTIFACT_MISSING",
    retry: "later",
    next: "Copy it there first: `tideover artifacts copy FROM TO`.",
  });
}
