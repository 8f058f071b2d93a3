import { randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isAbsent } from "./failures.ts";

const READ_BYTES = 1_048_576;

/** Where the parts of a layout are. Only names: nothing is made here. */
export interface Places {
  readonly root: string;
  readonly marker: string;
  readonly index: string;
  readonly blobs: string;
  /** Our own part of the folder: locks, and what is still being written. Other tools ignore it. */
  readonly own: string;
  readonly indexLock: string;
  readonly partials: string;
  blob(digest: string): string;
}

export function placesIn(root: string): Places {
  const own = join(root, ".tideover");
  const blobs = join(root, "blobs", "sha256");
  return {
    root,
    marker: join(root, "oci-layout"),
    index: join(root, "index.json"),
    blobs,
    own,
    indexLock: join(own, "index.lock"),
    partials: join(own, "partial"),
    blob: (digest) => join(blobs, digest.slice("sha256:".length)),
  };
}

/** Makes what a layout needs to be written to. Does nothing where it is made already. */
export async function makeLayout(places: Places): Promise<void> {
  await mkdir(places.blobs, { recursive: true });
  await mkdir(places.partials, { recursive: true });
  const marker = await open(places.marker, "wx").catch(() => null);
  if (marker === null) return;
  await using file = marker;
  await file.writeFile('{"imageLayoutVersion":"1.0.0"}');
  await file.sync();
}

/**
 * Replaces a file as a whole: whoever reads it, also after a power cut, finds the old bytes or the
 * new ones. `scratch` is a folder on the same file system.
 */
export async function replaceFile(path: string, bytes: Uint8Array, scratch: string): Promise<void> {
  const draft = join(scratch, `draft-${randomUUID()}`);
  try {
    {
      await using file = await open(draft, "wx");
      await file.writeFile(bytes);
      await file.sync();
    }
    await moveInto(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Renames, and flushes the folder: without that a power cut may forget the name. */
export async function moveInto(draft: string, path: string): Promise<void> {
  await rename(draft, path);
  await using folder = await open(dirname(path), "r");
  await folder.sync();
}

/** The whole file; null when there is none. */
export async function readIfThere(path: string, mostBytes: number): Promise<Buffer | null> {
  try {
    await using file = await open(path, "r");
    const { size } = await file.stat();
    if (size > mostBytes) return null;
    return await file.readFile();
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

/** The bytes of an open file from a place on, in buffers that are the reader's own. */
export async function* bytesOf(
  file: FileHandle,
  from: number,
  until = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array, void, undefined> {
  const next = (at: number) =>
    file.read(Buffer.allocUnsafeSlow(Math.min(READ_BYTES, until - at)), { position: at });
  let reading = from < until ? next(from) : null;
  let at = from;
  while (reading !== null) {
    const { bytesRead, buffer } = await reading;
    if (bytesRead === 0) return;
    at += bytesRead;
    // The next part is read while the reader works on this one.
    reading = at < until ? next(at) : null;
    // A reader that breaks off leaves this one unanswered, and the file is closed under it.
    reading?.catch(() => undefined);
    yield buffer.subarray(0, bytesRead);
  }
}

/** Writes all of them at a place, however little the kernel takes at once. */
export async function writeAt(
  file: FileHandle,
  buffers: readonly Uint8Array[],
  at: number,
): Promise<void> {
  const size = buffers.reduce((sum, { length }) => sum + length, 0);
  const { bytesWritten } = await file.writev([...buffers], at);
  if (bytesWritten === size) return;
  const rest = Buffer.concat(buffers).subarray(bytesWritten);
  for (let done = 0; done < rest.length; ) {
    const position = at + bytesWritten + done;
    done += (await file.write(rest, done, rest.length - done, position)).bytesWritten;
  }
}
