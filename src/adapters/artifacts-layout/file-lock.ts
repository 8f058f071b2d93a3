import { DatabaseSync } from "node:sqlite";

/** How often a lock that somebody holds is tried again, and for how long. */
const PAUSE_MS = 5;
const PATIENCE_MS = 30_000;
const BUSY = 5;

/** A lock that is held; `release` gives it back. */
export interface FileLock {
  release(): void;
}

/**
 * Takes a lock on a file, or gives null when somebody holds it. The kernel keeps it, by SQLite's use
 * of file locks, as Node has no call for them: whoever is killed lets go of it, so that no lock is
 * ever left over, which names of processes in files cannot promise across containers. The file stays
 * empty: nothing is ever written to it.
 */
export function tryLock(path: string): FileLock | null {
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.exec("BEGIN EXCLUSIVE");
    return { release: () => db.close() };
  } catch (error) {
    db.close();
    if (isBusy(error)) return null;
    throw error;
  }
}

/** Does something under the lock, once those who hold it are done. */
export async function underLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const lock = await take(path);
  try {
    return await work();
  } finally {
    lock.release();
  }
}

async function take(path: string): Promise<FileLock> {
  for (let left = PATIENCE_MS / PAUSE_MS; left > 0; left -= 1) {
    const lock = tryLock(path);
    if (lock !== null) return lock;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw Object.assign(new Error(`another process has held ${path} for ${PATIENCE_MS} ms`), {
    code: "EBUSY",
  });
}

function isBusy(error: unknown): boolean {
  if (!(error instanceof Error) || !("errcode" in error)) return false;
  return typeof error.errcode === "number" && (error.errcode & 0xff) === BUSY;
}
