import type { Finding } from "../../core/reconcile/scrub.ts";
import type { IndexFault, IndexScrub } from "../../model/index-health.ts";
import type { RangeRef } from "../../model/record.ts";
import { Mutex } from "../mutex.ts";

const NO_RANGES: readonly RangeRef[] = [];

/**
 * What is known of one copy's health. All of it may be lost: the quarantine itself is kept by the
 * index, and whoever starts anew with a quarantined copy looks at it as a whole again.
 */
export class IndexHealth {
  /** Held while a copy is examined or mended, so that a person's order and the loop take turns. */
  readonly tending = new Mutex();
  fault: IndexFault | null = null;
  /** What was done about the last fault, or why nothing could be. */
  cure: string | null = null;
  /** The gateway was refused by the copy since it was last looked at as a whole: look at once. */
  doubted = false;
  /** Monotonic ms before which the copy is not examined again, for it costs a whole look. */
  restUntil = 0;
  /** Monotonic ms before which its searches are not tried again. */
  proveAfter = Number.NEGATIVE_INFINITY;
  /** The pass under way: where it goes on (a range key), and what it has seen. */
  readonly pass = { next: 0, records: 0, versions: new Map<string, number>() };
  /** What callers ask for: where it is, which of it comes next, and when (monotonic ms) that was read. */
  readonly hot = {
    ranges: NO_RANGES,
    next: 0,
    readAt: Number.NEGATIVE_INFINITY,
  };
  /** Records by the embedding version that they name, in the last whole pass. */
  versions: ReadonlyMap<string, number> = new Map();
  #wholeAt: number | null = null;

  /** Ends a pass: every record has been looked at. */
  finishPass(now: number): void {
    this.#wholeAt = now;
    this.versions = this.pass.versions;
    this.pass.next = 0;
    this.pass.records = 0;
    this.pass.versions = new Map();
  }

  seen(now: number): { readonly fault: IndexFault | null; readonly scrub: IndexScrub } {
    const wholeAgoMs = this.#wholeAt === null ? null : now - this.#wholeAt;
    const { records } = this.pass;
    return { fault: this.fault, scrub: { wholeAgoMs, records, cure: this.cure } };
  }
}

/** What a look at some or all of a copy gave. */
export interface Looked {
  readonly findings: readonly Finding[];
  readonly records: number;
}
