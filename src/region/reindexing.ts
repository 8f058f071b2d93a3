import { messageOf, TideoverError } from "../lib/errors.ts";
import type { VectorModel } from "../model/vectors.ts";

/** `build`: every record gets a vector of the version; `drop`: none keeps one. */
export type ReindexWork =
  | { readonly kind: "build"; readonly model: VectorModel }
  | { readonly kind: "drop"; readonly version: string };

export interface ReindexState {
  readonly work: ReindexWork["kind"];
  /** Embedding version that every record gets, or loses. */
  readonly embedding: string;
  /** Records that are as they shall be, in the pass under way. */
  readonly done: number;
  readonly total: number;
  readonly running: boolean;
  readonly error: string | null;
  /** What the acceptance found, once every record has its vector; null before. */
  readonly accepted: string | null;
}

/** What is known of the embedding of one index anew. At most one is under way. */
export class Reindexing {
  #state: ReindexState | null = null;
  #building: VectorModel | null = null;

  get state(): ReindexState | null {
    return this.#state;
  }

  /** What is being built now: whoever writes adds its vector. */
  get building(): VectorModel | null {
    return this.#building;
  }

  /** Joins the same work that is under way; throws NOT_READY where that is another one. */
  begin(work: ReindexWork, run: () => Promise<void>): ReindexState {
    const embedding = versionOf(work);
    if (this.#state?.running === true) return this.#joined(work.kind, embedding);
    const none = { done: 0, total: 0, error: null, accepted: null };
    const state = { ...none, work: work.kind, embedding, running: true };
    this.#state = state;
    this.#building = work.kind === "build" ? work.model : null;
    run().then(
      () => this.#end(null),
      (error: unknown) => this.#end(messageOf(error)),
    );
    return state;
  }

  #joined(work: ReindexWork["kind"], embedding: string): ReindexState {
    const state = this.#state;
    if (state?.work === work && state.embedding === embedding) return state;
    throw new TideoverError(`${state?.embedding} is being ${wordOf(state?.work)} at the moment`, {
      code: "NOT_READY",
      retry: "later",
      next: "Wait until that is done: `tideover index status` shows how far it is.",
    });
  }

  /** A look at all records begins. */
  beginPass(total: number): void {
    this.#tell({ total, done: 0 });
  }

  hasDone(records: number): void {
    this.#tell({ done: (this.#state?.done ?? 0) + records });
  }

  isAccepted(evidence: string): void {
    this.#tell({ accepted: evidence });
  }

  #end(error: string | null): void {
    this.#building = null;
    this.#tell({ running: false, error });
  }

  #tell(news: Partial<ReindexState>): void {
    if (this.#state !== null) this.#state = { ...this.#state, ...news };
  }
}

function versionOf(work: ReindexWork): string {
  return work.kind === "build" ? work.model.version : work.version;
}

function wordOf(work: ReindexWork["kind"] | undefined): string {
  return work === "drop" ? "dropped" : "built";
}
