import type { AuditRecord } from "../model/audit.ts";

/** A region's append-only record of every request. */
export interface AuditLog {
  /** Resolves when the record would survive a kill of this process. Rejects when it cannot be kept. */
  append(record: AuditRecord): Promise<void>;
  /** The newest record of a request; null when there is none among the newest 10,000. */
  find(requestId: string): Promise<AuditRecord | null>;
  close(): Promise<void>;
}

/** What a region's gateway has answered, for whoever learns from it what callers ask for. */
export interface AuditHistory {
  /** The newest records, the newest first, at most `limit`. */
  newest(limit: number): AsyncIterable<AuditRecord>;
}
