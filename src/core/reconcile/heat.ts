import { type Heat, NO_HEAT } from "../../model/index-snapshot.ts";

/** How often each record was hit, as a ranking: what is restored first. */
export interface Ranking {
  /** The most often hit first; equals by id, so that the same counts give the same order. */
  readonly ids: readonly string[];
  readonly heat: Heat;
}

/** Points of a curve: the share is told to within a fiftieth or so. */
const POINTS = 64;

export function rank(hits: ReadonlyMap<string, number>): Ranking {
  const ranked = [...hits].filter(([, count]) => count > 0);
  ranked.sort(([a, hitsA], [b, hitsB]) => hitsB - hitsA || (a < b ? -1 : 1));
  const total = ranked.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return { ids: [], heat: NO_HEAT };
  const curve = curveOf(
    ranked.map(([, count]) => count),
    total,
  );
  return { ids: ranked.map(([id]) => id), heat: { hits: total, ranked: ranked.length, curve } };
}

/** A point wherever another 64th of the traffic is reached, and one at the end. */
function curveOf(counts: readonly number[], total: number): Heat["curve"] {
  const curve: Heat["curve"] = [];
  let sum = 0;
  for (const [at, count] of counts.entries()) {
    const before = Math.floor((sum * POINTS) / total);
    sum += count;
    const isLast = at === counts.length - 1;
    if (isLast || Math.floor((sum * POINTS) / total) > before) {
      curve.push({ records: at + 1, share: sum / total });
    }
  }
  return curve;
}

/**
 * The share of observed traffic whose documents are among the first `loaded` records; null when no
 * traffic was observed, since then nobody can say.
 */
export function shareServable({ curve }: Heat, loaded: number): number | null {
  if (curve.length === 0) return null;
  let before = { records: 0, share: 0 };
  for (const point of curve) {
    if (loaded < point.records) {
      const part = (loaded - before.records) / (point.records - before.records);
      return before.share + part * (point.share - before.share);
    }
    before = point;
  }
  return before.share;
}

/** Records that answer this share of the traffic, rounded up to the curve's next point. */
export function recordsForShare({ curve, ranked }: Heat, share: number): number {
  return curve.find((point) => point.share >= share)?.records ?? ranked;
}
