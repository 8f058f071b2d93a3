import type { DigestKey } from "../../core/reconcile/digest.ts";
import type { HnswSpec } from "../../model/index-engine.ts";

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
  readonly hnsw?: HnswSpec;
  /**
   * Whose copy it is, such as `demo/eu-west/handbook`. The first writer's name stays with the
   * tables: two regions that were given one schema by mistake would otherwise write one copy.
   */
  readonly copy?: string;
  readonly key?: DigestKey;
  /** Most connections at a time. Default: 4. */
  readonly connections?: number;
}

export const DEFAULT_READER = "tideover_reader";
