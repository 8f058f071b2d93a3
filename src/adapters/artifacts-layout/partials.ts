import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isAbsent } from "./failures.ts";
import { type FileLock, tryLock } from "./file-lock.ts";

/** After this time nobody comes back for an interrupted write, and its bytes are let go of, in ms. */
const FORGOTTEN_MS = 14 * 24 * 3_600_000;

/**
 * Bytes of blobs that are not whole yet. Each writer has a folder of its own, with a lock that it
 * holds while it lives, so that two processes never write into one file. What a dead writer left is
 * taken over by moving it: the lock says that it is dead, and only one can have the lock.
 */
export class Partials {
  readonly #root: string;
  #own: Promise<Own> | null = null;

  constructor(root: string) {
    this.#root = root;
  }

  /** Bytes kept of a blob, as file at `path`; those of dead writers become ours. 0 when none. */
  async kept(digest: string): Promise<number> {
    const path = await this.path(digest);
    const own = await sizeOf(path);
    if (own > 0) return own;
    // Another writer may have died since we began.
    await takeFromDead(this.#root, dirname(path));
    return sizeOf(path);
  }

  /** Where the bytes of a blob are collected. Its folder is there. */
  async path(digest: string): Promise<string> {
    return join((await this.#folder()).folder, digest.slice("sha256:".length));
  }

  async drop(digest: string): Promise<void> {
    await rm(await this.path(digest), { force: true });
  }

  /** A folder on the layout's own file system, for drafts. */
  async scratch(): Promise<string> {
    return (await this.#folder()).folder;
  }

  /** Lets go of the lock. What is not whole stays, for the next writer. */
  async close(): Promise<void> {
    const own = await this.#own;
    this.#own = null;
    if (own === null) return;
    try {
      const left = (await readdir(own.folder)).some((name) => BLOB.test(name));
      if (!left) await rm(own.folder, { recursive: true, force: true });
    } catch (error) {
      // Somebody removed the whole layout: then nothing is left to keep.
      if (!isAbsent(error)) throw error;
    } finally {
      own.lock.release();
    }
  }

  /** Made at the first need. Two calls at once share one. */
  #folder(): Promise<Own> {
    this.#own ??= this.#make();
    return this.#own;
  }

  async #make(): Promise<Own> {
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const folder = join(this.#root, randomUUID());
      await mkdir(folder, { recursive: true });
      const lock = await lockOf(folder);
      if (lock !== null) {
        await takeFromDead(this.#root, folder);
        return { folder, lock };
      }
      // Another writer saw the folder before it had its lock, and took it for a dead one's.
    }
    throw new Error(`no folder of its own could be made in ${this.#root}`);
  }
}

interface Own {
  readonly folder: string;
  readonly lock: FileLock;
}

const LOCK = "lock";

/** null when somebody holds it, or when the folder is gone by now. */
async function lockOf(folder: string): Promise<FileLock | null> {
  try {
    return tryLock(join(folder, LOCK));
  } catch (error) {
    if ((await sizeOf(folder)) === 0) return null;
    throw error;
  }
}

async function takeFromDead(root: string, own: string): Promise<void> {
  for (const writer of await readdir(root)) {
    const folder = join(root, writer);
    if (folder !== own) await takeAll(folder, own);
  }
}

/** Moves what is useful of a dead writer into another's folder, and removes the rest. */
async function takeAll(from: string, to: string): Promise<void> {
  const lock = await lockOf(from);
  if (lock === null) return;
  try {
    for (const name of await readdir(from)) await takeOver(join(from, name), join(to, name));
    await rm(from, { recursive: true, force: true });
  } catch (error) {
    // Somebody else had taken it over between our look and our lock: there is nothing for us.
    if (!isAbsent(error)) throw error;
  } finally {
    lock.release();
  }
}

const BLOB = /[0-9a-f]{64}$/;

async function takeOver(from: string, to: string): Promise<void> {
  const { size, mtimeMs } = await stat(from);
  const fresh = Date.now() - mtimeMs < FORGOTTEN_MS;
  if (BLOB.test(from) && fresh && size > (await sizeOf(to))) await rename(from, to);
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (isAbsent(error)) return 0;
    throw error;
  }
}
