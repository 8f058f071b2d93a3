import type { Position } from "../../model/position.ts";

/**
 * How far a copy is behind the owner, in ms of source time; 0 only when both hold the same.
 *
 * At least 1 when they differ: several changes may share one source time, and a log whose newest
 * change is older than the one before would give nothing or less. A copy that misses anything must
 * not read as level.
 */
export function lagMs(own: Position, owner: Position): number {
  if (own.seq === owner.seq && own.digest === owner.digest) return 0;
  return Math.max(1, owner.sourceTime - own.sourceTime);
}
