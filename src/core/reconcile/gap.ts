import type { LogMark } from "../../model/change.ts";
import type { Position } from "../../model/position.ts";

/** Where the owner stands, with its log's entry at the snapshot's seq (null: its log has none). */
export interface OwnerAt {
  readonly position: Position;
  readonly base: number;
  readonly at: LogMark | null;
}

/**
 * Why the owner's stream could not go on from a snapshot; null when it can.
 *
 * The snapshot's own digests prove that it is what was taken. This proves that it was taken of the
 * owner's history: of a former owner's tail, or of a log that the owner has trimmed since, nothing
 * leads on. At the owner's base itself there is no entry to compare; there the next entry's digest
 * tells, when it is applied.
 */
export function gapAfter(snapshot: Position, { position, base, at }: OwnerAt): string | null {
  const { seq, digest } = snapshot;
  if (seq > position.seq) return `it is of seq ${seq}, and the owner ends at ${position.seq}`;
  if (seq < base) return `it is of seq ${seq}, and the owner's log begins above ${base}`;
  if (seq === position.seq) return digest === position.digest ? null : other(seq);
  if (at === null) return seq === base ? null : `the owner has no entry at seq ${seq}`;
  return at.digestAfter === digest ? null : other(seq);
}

function other(seq: number): string {
  return `the owner had other records at seq ${seq}`;
}
