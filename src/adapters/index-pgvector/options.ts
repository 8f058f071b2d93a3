import type { DigestKey } from "../../core/reconcile/digest.ts";

/** How the graph of an approximate search is built and walked. */
export interface HnswOptions {
  /** Links of each record in each layer. */
  readonly m: number;
  /** Candidates that are looked at while a record is put in. */
  readonly efConstruction: number;
  /** Candidates that a search keeps. */
  readonly efSearch: number;
  /** How many records a search walks over before it gives up and compares every one. */
  readonly maxScanTuples: number;
}

/** pgvector's own, but for `efSearch`, whose 40 would be too few for a `topK` of 50. */
export const HNSW_DEFAULTS: HnswOptions = {
  m: 16,
  efConstruction: 64,
  efSearch: 100,
  maxScanTuples: 20_000,
};

export interface PgvectorOptions {
  /** Connection string: `postgres://user:password@host:port/database?sslmode=verify-full`. */
  readonly url: string;
  /** Holds this one index and nothing else. */
  readonly schema: string;
  /** true: never writes; the schema may appear later. */
  readonly readOnly?: boolean;
  /** Role that searches run as. Default: `tideover_reader`. */
  readonly reader?: string;
  /** Absent: every record is compared (exact). */
  readonly hnsw?: HnswOptions;
  readonly key?: DigestKey;
  /** Most connections at a time. Default: 4. */
  readonly connections?: number;
}

export const DEFAULT_READER = "tideover_reader";
