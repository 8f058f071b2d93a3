import type { EmbeddedChange } from "./index.ts";

/**
 * Documents that somebody else writes, in a place that notes which of them were changed: what an
 * index is fed from without a pipeline of its own.
 *
 * Every change is given at least once, and the newest state of a document last. A change that was
 * given and not `taken` is given again.
 */
export interface ChangeSource {
  /** Those that were noted first, at most `limit` notes. Throws INDEX_UNAVAILABLE. */
  next(limit: number): Promise<SourceBatch>;
  close(): Promise<void>;
}

export interface SourceBatch {
  readonly changes: readonly EmbeddedChange[];
  /** Documents that no index can hold as they are, and are therefore deleted from it; why. */
  readonly refused: readonly string[];
  /** When all that was committed by then is in the changes given so far, in ms since 1970; else null. */
  readonly levelAt: number | null;
  /** To be called when the changes are on disk elsewhere: they are not given again. */
  taken(): Promise<void>;
}
