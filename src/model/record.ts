import type { Payload } from "./change.ts";

/** One live record of an index, as its engine holds it. */
export interface StoredRecord {
  readonly id: string;
  /** `public`, or the one tenant who may see it. */
  readonly audience: string;
  /** Sorted, each once: see `sortedLabels` in core/reconcile/digest.ts. */
  readonly labels: readonly string[];
  /** Version of the embedding model that made `vector`; of several, see model/vectors.ts. */
  readonly embedding: string;
  /** Little-endian f32, the bytes that the source sent. */
  readonly vector: Uint8Array;
  readonly title: string;
  readonly text: string;
  readonly payload: Payload;
  /**
   * Digest that was computed when it was written (core/reconcile/digest.ts), 32 hex digits. What
   * the contents above give now is another question: that is what a scrub asks.
   */
  readonly digest: string;
}

/** A record's name and kept digest: what two copies compare before they send contents. */
export interface RecordMark {
  readonly id: string;
  readonly digest: string;
}

/**
 * A share of an index: the records whose range key (core/reconcile/digest.ts, 32 bits) begins with
 * the `bits` highest bits of which `prefix` is the number. `{ prefix: 0, bits: 0 }` is all of them.
 */
export interface RangeRef {
  readonly prefix: number;
  /** 0 to LEAF_BITS. */
  readonly bits: number;
}

/** Ranges of this many bits (65,536 of them) have their sums kept at write time. */
export const LEAF_BITS = 16;

/** How many live records a range has, and the sum modulo 2^128 of their kept digests. */
export interface RangeSum extends RangeRef {
  readonly count: number;
  readonly digest: string;
}
