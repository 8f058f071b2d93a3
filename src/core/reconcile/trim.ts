export interface TrimInput {
  /** Seq of the oldest snapshot that this region keeps; null when it has none. */
  readonly oldest: number | null;
  readonly others: readonly {
    readonly seq: number;
    /** Time since the region was last heard of. */
    readonly silentMs: number;
  }[];
  /** A region that was silent for longer holds nobody's log back: it comes back by a snapshot. */
  readonly patienceMs: number;
}

/**
 * Up to which seq a log may be forgotten; 0: not at all. The entry at the oldest snapshot stays, so
 * that a restore from it can be compared with the log that it goes on with, and so does all that a
 * region which is there has not applied, and the entry before: it would have to be restored for
 * being a little late.
 */
export function trimTo({ oldest, others, patienceMs }: TrimInput): number {
  if (oldest === null) return 0;
  const waiting = others.filter(({ silentMs }) => silentMs <= patienceMs);
  return Math.max(0, Math.min(oldest, ...waiting.map(({ seq }) => seq)) - 1);
}
