import { open, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Where a Lance table keeps its files. */
const FOLDERS = ["data", "_versions", "_deletions", "_transactions", "_indices"];

/**
 * Brings a table's new files onto the disk. A file of Lance's never changes once it is there, so
 * that each needs it once.
 */
export class Syncer {
  readonly #folder: string;
  readonly #done = new Map<string, ReadonlySet<string>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Takes what is there for done: a version that was named is on the disk. */
  async skip(): Promise<void> {
    for (const folder of FOLDERS) {
      const names = await namesIn(join(this.#folder, folder));
      if (names !== null) this.#done.set(folder, new Set(names));
    }
  }

  async sync(): Promise<void> {
    const folders = this.#done.size;
    await Promise.all(FOLDERS.map((folder) => this.#syncFolder(folder)));
    if (this.#done.size === folders) return;
    await syncPath(this.#folder);
    await syncPath(dirname(this.#folder));
  }

  async #syncFolder(folder: string): Promise<void> {
    const path = join(this.#folder, folder);
    const names = await namesIn(path);
    if (names === null) return;
    const done = this.#done.get(folder) ?? new Set();
    const fresh = names.filter((name) => !done.has(name));
    await Promise.all(fresh.map((name) => syncPath(join(path, name))));
    if (fresh.length > 0) await syncPath(path);
    this.#done.set(folder, new Set(names));
  }
}

async function namesIn(path: string): Promise<string[] | null> {
  try {
    return await readdir(path);
  } catch {
    // Made when its first file comes.
    return null;
  }
}

async function syncPath(path: string): Promise<void> {
  const handle = await openIfThere(path);
  if (handle === null) return;
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function openIfThere(path: string) {
  try {
    return await open(path, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
