import { copyFile, mkdir, open, readFile, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf, TideoverError } from "../lib/errors.ts";

/** The text kept at `file`; null when there is none. Throws DISK_NOT_WRITABLE on anything else. */
export async function readSnapshotFile(file: string): Promise<string | null> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return null;
    throw diskError(`cannot read the snapshot in ${file}`, error);
  }
}

/**
 * Replaces the file as one step: a reader, or a restart after a power cut, finds the old snapshot
 * or the new one and never a part. The file is on the disk before its name is, and the name is
 * there before this returns; in any other order a crash could leave an empty file.
 */
export async function writeSnapshotFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.new`;
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeThrough(temporary, text);
    await rename(temporary, file);
    await syncFolder(dirname(file));
  } catch (error) {
    throw diskError(`cannot keep the snapshot in ${file}`, error);
  }
}

/** Beside the snapshot: the last one whose release was another. */
export function lastGoodFile(file: string): string {
  return `${file}.last-good`;
}

/** Keeps the present file as the last good one, as one step. */
export async function keepLastGood(file: string): Promise<void> {
  const kept = lastGoodFile(file);
  try {
    await copyFile(file, `${kept}.new`);
    await rename(`${kept}.new`, kept);
    await syncFolder(dirname(file));
  } catch (error) {
    // A gateway that came up on the last good one has no other: it stays the last good one.
    if (isMissing(error)) return;
    throw diskError(`cannot keep the last good snapshot in ${kept}`, error);
  }
}

/** Moves a refused file out of the way; gives where it is now. */
export async function setAside(file: string): Promise<string> {
  const aside = `${file}.refused`;
  try {
    await rename(file, aside);
    return aside;
  } catch (error) {
    throw diskError(`cannot move the refused snapshot to ${aside}`, error);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

async function writeThrough(path: string, text: string): Promise<void> {
  const handle = await open(path, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function diskError(what: string, cause: unknown): TideoverError {
  return new TideoverError(`${what}: ${messageOf(cause)}`, {
    code: "DISK_NOT_WRITABLE",
    retry: "later",
    next: "Give the gateway's state folder to the user that runs it, with space left.",
    cause,
  });
}
