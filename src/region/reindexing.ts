import { messageOf } from "../lib/errors.ts";

export interface ReindexState {
  /** Embedding version that every record gets. */
  readonly embedding: string;
  readonly done: number;
  readonly total: number;
  readonly running: boolean;
  readonly error: string | null;
}

/** What is known of the embedding of one index anew. At most one is under way. */
export class Reindexing {
  #state: ReindexState | null = null;

  get state(): ReindexState | null {
    return this.#state;
  }

  /** Joins the one that is under way. */
  begin(embedding: string, work: () => Promise<void>): ReindexState {
    if (this.#state?.running === true) return this.#state;
    const state = { embedding, done: 0, total: 0, running: true, error: null };
    this.#state = state;
    work().then(
      () => this.#tell({ running: false }),
      (error: unknown) => this.#tell({ running: false, error: messageOf(error) }),
    );
    return state;
  }

  hasTotal(total: number): void {
    this.#tell({ total });
  }

  hasDone(records: number): void {
    this.#tell({ done: (this.#state?.done ?? 0) + records });
  }

  #tell(news: Partial<ReindexState>): void {
    if (this.#state !== null) this.#state = { ...this.#state, ...news };
  }
}
