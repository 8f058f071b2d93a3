import { type Transferable, Worker } from "node:worker_threads";
import { type Place, unavailable } from "../../ledger/connection.ts";
import { messageOf } from "../../lib/errors.ts";
import { errorOf, type Fault } from "../../lib/fault.ts";

/** What a thread is asked. */
export interface Asked<Question> {
  readonly id: number;
  readonly question: Question;
}

/** What it answers. */
export type Told<Answer> =
  | { readonly id: number; readonly answer: Answer }
  | { readonly id: number; readonly fault: Fault };

interface Waiting<Answer> {
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/**
 * A thread that works on one index file, so that the event loop stays free. It answers in the order
 * in which it is asked.
 *
 * It starts with the first question, so that whoever asks none pays nothing, and again after it
 * died: what was asked of the dead one throws INDEX_UNAVAILABLE. It keeps the process alive only
 * while somebody waits for it.
 */
export class Thread<Question, Answer> {
  readonly #entry: URL;
  readonly #place: Place;
  readonly #waiting = new Map<number, Waiting<Answer>>();
  #worker: Worker | null = null;
  #asked = 0;
  #closed = false;

  constructor(entry: URL, place: Place) {
    this.#entry = entry;
    this.#place = place;
  }

  async ask(question: Question, transfer: readonly Transferable[] = []): Promise<Answer> {
    if (this.#closed) {
      throw unavailable(`index file ${this.#place.path} was closed`, "Open the index again.");
    }
    const worker = this.#worker ?? this.#start();
    const message: Asked<Question> = { id: ++this.#asked, question };
    worker.postMessage(message, transfer);
    // Only now: what cannot be sent is nothing to wait for.
    worker.ref();
    return new Promise<Answer>((resolve, reject) => {
      this.#waiting.set(message.id, { resolve, reject });
    });
  }

  /** Ends the thread; whoever still waits for it hears INDEX_UNAVAILABLE. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(this.#entry, { workerData: this.#place });
    let cause: unknown = null;
    worker.on("message", (told: Told<Answer>) => this.#hear(told));
    worker.on("error", (error) => {
      cause = error;
    });
    worker.on("exit", () => this.#end(worker, cause));
    worker.unref();
    this.#worker = worker;
    return worker;
  }

  #hear(told: Told<Answer>): void {
    const asker = this.#waiting.get(told.id);
    this.#waiting.delete(told.id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    if ("fault" in told) asker?.reject(errorOf(told.fault));
    else asker?.resolve(told.answer);
  }

  #end(worker: Worker, cause: unknown): void {
    if (this.#worker === worker) this.#worker = null;
    const why = cause === null ? "it was ended" : messageOf(cause);
    const message = `the thread that works on index file ${this.#place.path} is gone: ${why}`;
    for (const { reject } of this.#waiting.values()) {
      reject(unavailable(message, "Try again: that starts a new one.", cause));
    }
    this.#waiting.clear();
  }
}
