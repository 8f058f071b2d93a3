import { Worker } from "node:worker_threads";
import { messageOf } from "../../lib/errors.ts";
import { errorOf, type Fault } from "../../lib/fault.ts";
import type { IndexHit, IndexQuery } from "../../ports/index.ts";
import { type Place, unavailable } from "./connection.ts";

/** What the search thread is asked. */
export interface Asked {
  readonly id: number;
  readonly query: IndexQuery;
}

/** What it answers. */
export type Told =
  | { readonly id: number; readonly hits: readonly IndexHit[] }
  | { readonly id: number; readonly fault: Fault };

/** Searches on a thread of their own: an exact search of a large index takes a tenth of a second. */
export interface SearchThread {
  search(query: IndexQuery): Promise<IndexHit[]>;
  close(): Promise<void>;
}

interface Waiting {
  resolve(hits: IndexHit[]): void;
  reject(error: Error): void;
}

/**
 * The thread starts with the first search, so that whoever never searches pays nothing, and again
 * after it died. It keeps the process alive only while somebody waits for it.
 */
export function searchThread(place: Place): SearchThread {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | null = null;
  let asked = 0;
  let closed = false;

  const start = (): Worker => {
    const started = new Worker(new URL("./search-worker.ts", import.meta.url), {
      workerData: place,
    });
    let cause: unknown = null;
    started.on("message", (told: Told) => hear(told));
    started.on("error", (error) => {
      cause = error;
    });
    started.on("exit", () => end(started, cause));
    return started;
  };

  const hear = (told: Told): void => {
    const asker = waiting.get(told.id);
    waiting.delete(told.id);
    if (waiting.size === 0) worker?.unref();
    if ("hits" in told) asker?.resolve([...told.hits]);
    else asker?.reject(errorOf(told.fault));
  };

  const end = (ended: Worker, cause: unknown): void => {
    if (worker === ended) worker = null;
    for (const { reject } of waiting.values()) reject(lost(place, cause));
    waiting.clear();
  };

  const search = (query: IndexQuery): Promise<IndexHit[]> => {
    if (closed) return Promise.reject(closedError(place));
    worker ??= start();
    worker.ref();
    const id = ++asked;
    const told = new Promise<IndexHit[]>((resolve, reject) => {
      waiting.set(id, { resolve, reject });
    });
    // A copy: of a part of a longer array, all of that array would be sent.
    const message: Asked = { id, query: { ...query, vector: query.vector.slice() } };
    worker.postMessage(message);
    return told;
  };

  const close = async (): Promise<void> => {
    closed = true;
    await worker?.terminate();
  };
  return { search, close };
}

function lost({ path }: Place, cause: unknown): Error {
  const why = cause === null ? "it was ended" : messageOf(cause);
  return unavailable(
    `the thread that searches index file ${path} is gone: ${why}`,
    "Ask again: the next search starts a new one.",
    cause,
  );
}

function closedError({ path }: Place): Error {
  return unavailable(`index file ${path} was closed`, "Open the index again.");
}
