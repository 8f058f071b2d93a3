import { type BigIntStats, statSync } from "node:fs";
import { messageOf, TideoverError } from "../lib/errors.ts";
import { type Connection, openConnection, type Place, unavailable } from "./connection.ts";
import { type Layout, REPLACE } from "./schema.ts";

/** A file that may appear, vanish, be replaced or be damaged while we live. */
export interface IndexFile {
  /** Runs `work` on the file as it is now. Throws INDEX_UNAVAILABLE when it cannot be read. */
  use<T>(work: (connection: Connection) => T): T;
  /** A connection of its own to the file as it is now, to be closed by who asked for it. */
  openAnother(): Connection;
  /** The error to throw for what SQLite threw on such a connection. */
  explain(error: unknown): unknown;
  close(): void;
}

/** Which file the name stands for, and when its bytes last changed. */
interface Stamp {
  readonly file: string;
  readonly bytes: string;
}

interface Opened {
  readonly connection: Connection;
  stamp: Stamp | null;
  /** The write-ahead log that belongs to this file. */
  readonly wal: Stamp | null;
}

/**
 * The file is looked up by name before every use, so that nobody goes on answering from (or, far
 * worse, writing to) a file that was moved away and is only kept alive by our open handle.
 *
 * It is only ever looked up, never opened and closed beside SQLite: by POSIX rules a `close` of any
 * handle drops all locks that this process holds on the file, and SQLite relies on them.
 */
export function indexFile(place: Place, readOnly: boolean, layout: Layout): IndexFile {
  const { path } = place;
  let opened: Opened | null = null;
  let everOpened = false;
  let closed = false;

  const drop = (): void => {
    opened?.connection.db.close();
    opened = null;
  };

  const current = (): Opened => {
    if (closed) throw unavailable(`index file ${path} was closed`, "Open the index again.");
    const stamp = stampOf(path);
    if (opened !== null && equal(opened.stamp, stamp)) return opened;
    if (opened !== null) refuseForeignWal(path, opened, stamp);
    drop();
    // A writer makes a missing file once only. One that vanished later held the log of this
    // region: an empty one in its place would look like an index that lost nothing.
    if (stamp === null && (readOnly || everOpened)) throw missing(path, everOpened);
    const connection = openConnection(place, readOnly, layout);
    opened = { connection, stamp: stampOf(path), wal: stampOf(`${path}-wal`) };
    everOpened = true;
    return opened;
  };

  const use = <T>(work: (connection: Connection) => T): T => {
    try {
      const file = current();
      const result = work(file.connection);
      // Our own checkpoint changes the bytes too; only a change by somebody else is news.
      if (!readOnly) file.stamp = stampOf(path);
      return result;
    } catch (error) {
      const told = explain(error);
      if (told !== error && !isBusy(error)) drop();
      throw told;
    }
  };

  const openAnother = (): Connection => use(() => openConnection(place, true, layout));

  const explain = (error: unknown): unknown =>
    error instanceof TideoverError || isMistake(error) ? error : explained(path, error);

  const close = (): void => {
    drop();
    closed = true;
  };
  return { use, openAnother, explain, close };
}

function stampOf(path: string): Stamp | null {
  const stat: BigIntStats | undefined = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (stat === undefined) return null;
  return { file: `${stat.dev}:${stat.ino}`, bytes: `${stat.mtimeNs}:${stat.size}` };
}

function equal(a: Stamp | null, b: Stamp | null): boolean {
  return a?.file === b?.file && a?.bytes === b?.bytes;
}

/**
 * SQLite finds a write-ahead log by its name alone. Beside another main file, the pages of the old
 * one would be played over it, and the mixture could pass for a whole index.
 */
function refuseForeignWal(path: string, before: Opened, now: Stamp | null): void {
  const replaced = now !== null && now.file !== before.stamp?.file;
  const wal = replaced ? stampOf(`${path}-wal`) : null;
  if (wal === null || wal.file !== before.wal?.file) return;
  throw unavailable(
    `index file ${path} was replaced, but ${path}-wal still belongs to the file before`,
    "Stop this region's agent and gateway, remove the -wal and -shm beside the file, start them.",
  );
}

function missing(path: string, vanished: boolean): TideoverError {
  if (!vanished) {
    const next = "Start this region's agent: it makes the file and fills it.";
    return unavailable(`index file ${path} does not exist yet`, next);
  }
  const next = "Put it back, or restart this region's agent: it fills a new copy from the owner.";
  return unavailable(`index file ${path} is gone; it was moved or deleted while in use`, next);
}

/** SQLite's primary result codes, and what a person does about each. */
const ADVICE: Readonly<Record<number, string>> = {
  3: "Give this user permission to read and write the file and its folder.",
  5: "Another process is writing: try again.",
  8: "Give this user permission to write the file and its folder.",
  11: REPLACE,
  13: "Free space on the disk.",
  14: "Check that the folder exists and that this user may read and write it.",
  26: REPLACE,
};

function explained(path: string, error: unknown): TideoverError {
  const next = ADVICE[resultCode(error) ?? -1] ?? "Check the disk, and that this user may use it.";
  return unavailable(`index file ${path} cannot be used: ${messageOf(error)}`, next, error);
}

/** A caller's mistake, such as text for a number, is no fault of the file's: it must be seen. */
function isMistake(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError;
}

function isBusy(error: unknown): boolean {
  return resultCode(error) === 5;
}

function resultCode(error: unknown): number | null {
  if (!(error instanceof Error) || !("errcode" in error)) return null;
  // The high bytes only say more about the same thing.
  return typeof error.errcode === "number" ? error.errcode & 0xff : null;
}
