/**
 * The one error class that crosses rooms. A closed catalogue of codes (docs/errors.md) that says
 * what went wrong, with which value, and what to do next, so that no user ever needs a stack trace.
 */

/** Whether doing the same thing again can help: never, later (when the world changed), now. */
export type Retry = "never" | "later" | "now";

export interface ErrorDetails {
  /** Upper-case code from the catalogue, such as `PORT_TAKEN`. */
  readonly code: ErrorCode;
  readonly retry?: Retry;
  /** One sentence in the imperative: what the reader should do. */
  readonly next?: string;
  readonly cause?: unknown;
}

/** Every code that Tideover can show. A new one is a line here and a row in docs/errors.md. */
export type ErrorCode =
  | "SPEC_MISSING"
  | "SPEC_INVALID"
  | "USAGE"
  | "PORT_TAKEN"
  | "DISK_NOT_WRITABLE"
  | "ESTATE_ALREADY_UP"
  | "ESTATE_NOT_UP"
  | "RELEASE_INVALID"
  | "RELEASE_UNSIGNED"
  | "RELEASE_UNTRUSTED"
  | "RELEASE_TAMPERED"
  | "RELEASE_EXPIRED"
  | "RELEASE_DOWNGRADED"
  | "KEY_INVALID"
  | "STORE_CONFLICT"
  | "STORE_UNAVAILABLE"
  | "LEASE_LOST"
  | "EPOCH_STALE"
  | "SNAPSHOT_REFUSED"
  | "PLAN_INVALID"
  | "STEP_FAILED"
  | "NOT_READY"
  | "INDEX_UNAVAILABLE"
  | "INDEX_DIVERGED"
  | "INDEX_CORRUPT"
  | "INDEX_QUARANTINED"
  | "PEER_UNAVAILABLE"
  | "NOT_FOUND"
  | "UNAUTHORIZED"
  | "CORPUS_INVALID"
  | "ARTIFACT_MISSING"
  | "ARTIFACT_CORRUPT"
  | "ARTIFACT_INVALID"
  | "ARTIFACT_IN_USE"
  | "ARTIFACTS_UNAVAILABLE"
  | "DISK_FULL"
  | "DRILL_REFUSED"
  | "INTERRUPTED";

export class TideoverError extends Error {
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly next: string | undefined;

  constructor(message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "TideoverError";
    this.code = details.code;
    this.retry = details.retry ?? "never";
    this.next = details.next;
  }
}

/** The message of anything thrown: libraries throw strings and objects too. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message === "" ? error.name : error.message;
  return String(error);
}
