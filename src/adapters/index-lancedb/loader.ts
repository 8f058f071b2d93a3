import type { StoredRecord } from "../../model/record.ts";

/** A write costs some milliseconds and a file, however few records it is of. */
const ENOUGH = 16_384;
/** As many are held, at most, while others are written. */
const MOST = 2 * ENOUGH;

/**
 * Hands records over in large parts, one part at a time, while more come in. From the `hot`th on it
 * waits for no more of them: each part answers as soon as it is in.
 */
export class Loader {
  readonly #load: (records: readonly StoredRecord[]) => Promise<void>;
  readonly #hot: number;
  #waiting: StoredRecord[] = [];
  #taken = 0;
  #loading: Promise<void> | null = null;
  #fault: { readonly error: unknown } | null = null;

  constructor(load: (records: readonly StoredRecord[]) => Promise<void>, hot?: number) {
    this.#load = load;
    this.#hot = hot ?? Number.POSITIVE_INFINITY;
  }

  /** Throws what an earlier part's loading threw. */
  async take(page: readonly StoredRecord[]): Promise<void> {
    for (const record of page) this.#waiting.push(record);
    this.#taken += page.length;
    this.#go();
    while (this.#waiting.length >= MOST && this.#loading !== null) await this.#loading;
    this.#refuseFailed();
  }

  /** Waits until all are loaded. */
  async end(): Promise<void> {
    while (this.#loading !== null) await this.#loading;
    this.#refuseFailed();
    if (this.#waiting.length > 0) await this.#load(this.#waiting.splice(0));
  }

  /** Loads no more, and waits for the part that is on its way. */
  async stop(): Promise<void> {
    this.#waiting = [];
    await this.#loading;
  }

  #go(): void {
    const due = this.#waiting.length >= ENOUGH || this.#taken >= this.#hot;
    if (this.#loading !== null || this.#fault !== null || !due || this.#waiting.length === 0)
      return;
    this.#loading = this.#load(this.#waiting.splice(0))
      .catch((error: unknown) => {
        this.#fault = { error };
      })
      .then(() => {
        this.#loading = null;
        this.#go();
      });
  }

  #refuseFailed(): void {
    if (this.#fault !== null) throw this.#fault.error;
  }
}
