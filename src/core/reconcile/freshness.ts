import type { Position } from "../../model/position.ts";

/**
 * How far a copy is behind the owner, in ms of source time; 0 only when both hold the same.
 *
 * At least 1 when they differ: several changes may share one source time, and a log whose newest
 * change is older than the one before would give nothing or less. A copy that misses anything must
 * not read as level.
 *
 * `levelForMs`: how long before the owner said this the two were level, where that is known. Nothing
 * that is missing came earlier: without it the first change after a silent hour would read as an
 * hour's lag.
 */
export function lagMs(own: Position, owner: Position, levelForMs: number | null = null): number {
  if (own.seq === owner.seq && own.digest === owner.digest) return 0;
  const apart = owner.sourceTime - own.sourceTime;
  return Math.max(1, levelForMs === null ? apart : Math.min(apart, levelForMs));
}
