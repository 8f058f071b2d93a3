import type { RecoverySplit } from "../core/evidence/recovery.ts";
import type { ReportCheck } from "../core/evidence/report.ts";
import type { Position } from "../model/position.ts";
import type { PlanRun } from "./recovery-marks.ts";
import { planCheck, readinessChecks } from "./region-outage-checks.ts";
import type { Scope } from "./scope.ts";

/** The copy that was damaged, as it was found again. */
export interface RepairedCopy {
  /** What was done to it, in its agent's words. */
  readonly because: string;
  readonly own: Position;
  readonly owner: Position;
}

interface Findings {
  readonly scope: Pick<Scope, "victim" | "survivor">;
  readonly records: number;
  readonly failovers: readonly PlanRun[];
  readonly split: RecoverySplit;
  readonly rtoMs: number;
  readonly repaired: RepairedCopy;
}

export function indexCorruptionChecks(found: Findings): ReportCheck[] {
  const { scope, records, failovers, split, rtoMs, repaired } = found;
  const [first] = failovers;
  const { own, owner } = repaired;
  return [
    {
      name: "something was broken",
      pass: records > 0,
      evidence: `${records} records of ${scope.victim}'s copy were falsified`,
    },
    {
      name: "recovery time within RTO",
      pass: split.totalMs > 0 && split.totalMs <= rtoMs,
      evidence: `${seconds(split.totalMs)} from the damage to proven traffic in ${scope.survivor}; the objective is ${seconds(rtoMs)}`,
    },
    {
      name: "found bad by its own domain",
      pass:
        failovers.length > 0 &&
        failovers.every(({ plan }) => plan.decision.domain === "index-corruption"),
      evidence: first?.plan.decision.because ?? "nothing moved",
    },
    ...failovers.map((run) => planCheck("failover", run)),
    ...failovers.flatMap(readinessChecks),
    {
      name: "the damaged copy is repaired from its new owner",
      pass: own.digest === owner.digest && own.count === owner.count && own.count > 0,
      evidence: `${repaired.because}; ${own.count} records, digest ${own.digest.slice(0, 8)} as in ${scope.survivor}`,
    },
  ];
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}
