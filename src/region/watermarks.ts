import type { SourceChange } from "../model/change.ts";
import type { FreshnessSpec } from "../model/freshness.ts";
import type { Watermarks } from "../model/index-health.ts";

/** Of an index whose freshness nobody judges: how far apart stored watermarks are, in ms. */
const UNJUDGED_STEP_MS = 30_000;
const STEPS_PER_AGE = 10;

/**
 * How much newer than the stored one a watermark must be to be stored by itself, in ms: a tenth of
 * the strictest age that is judged. An index may so look older than it is by that tenth, never
 * younger; in return a heartbeat each second does not fill the log.
 */
export function watermarkStepMs(freshness: FreshnessSpec | undefined): number {
  if (freshness === undefined) return UNJUDGED_STEP_MS;
  const { maxAge, tenants } = freshness;
  return Math.min(maxAge, ...Object.values(tenants)) / STEPS_PER_AGE;
}

/**
 * The changes without the watermarks that say too little: older ones than another of the same
 * audience behind them, what is known already, and small steps that no other change comes with. The
 * order stays: a watermark speaks of what was sent before it.
 */
export function worthKeeping(
  changes: readonly SourceChange[],
  known: Watermarks,
  stepMs: number,
): SourceChange[] {
  const alone = changes.every(({ op }) => op === "watermark");
  const leastStep = alone ? Math.max(1, stepMs) : 1;
  return changes.filter((change, at) => {
    if (change.op !== "watermark") return true;
    const repeated = changes.slice(at + 1).some((later) => covers(later, change));
    return !repeated && change.sourceTime - knownTo(known, change.audience) >= leastStep;
  });
}

type Watermark = Extract<SourceChange, { op: "watermark" }>;

function covers(later: SourceChange, { audience, sourceTime }: Watermark): boolean {
  return later.op === "watermark" && later.audience === audience && later.sourceTime >= sourceTime;
}

function knownTo({ all, tenants }: Watermarks, audience: string | undefined): number {
  if (audience === undefined) return all;
  return Object.hasOwn(tenants, audience) ? (tenants[audience] ?? 0) : 0;
}
