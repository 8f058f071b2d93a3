/**
 * Larger exchanges between agents than a probe's, over connections that are kept: what is fetched
 * hundreds of times a second must not shake hands each time.
 */
export interface Bulk {
  /**
   * Throws PEER_UNAVAILABLE (retry: later) when there is no whole answer of at most `mostBytes`
   * within `timeoutMs`, or the signal aborts. Any status is an answer.
   */
  get(request: BulkRequest): Promise<BulkAnswer>;
}

export interface BulkRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly mostBytes: number;
  /** Who is asked, in the words of an error: `the agent of eu-west`. */
  readonly who: string;
  readonly signal?: AbortSignal;
}

export interface BulkAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}
