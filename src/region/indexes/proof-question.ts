/** A question as an index is asked it, with what it should find. */
export interface ProofQuestion {
  readonly vector: Float32Array;
  readonly embedding: string;
  readonly audiences: readonly string[];
  /** Access labels of who asks; absent: none. */
  readonly labels?: readonly string[];
  readonly k: number;
  /** Documents of which one must be among the results; empty: only compared with other searches. */
  readonly documents: readonly string[];
  /** Share of such questions that must find theirs. */
  readonly least: number;
}
