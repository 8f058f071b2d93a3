import type { RecoverySplit } from "../core/evidence/recovery.ts";
import type { ReportCheck } from "../core/evidence/report.ts";
import type { PlanRun } from "./recovery-marks.ts";
import {
  type FencingFindings,
  type LostPoint,
  planCheck,
  readinessChecks,
} from "./region-outage-checks.ts";
import type { Scope } from "./scope.ts";

interface Findings {
  readonly scope: Pick<Scope, "victim" | "survivor">;
  readonly failovers: readonly PlanRun[];
  readonly split: RecoverySplit;
  readonly rtoMs: number;
  readonly lost: LostPoint;
  readonly readiness: FencingFindings["readiness"];
}

export function capacityLossChecks(found: Findings): ReportCheck[] {
  const { scope, failovers, split, rtoMs, lost, readiness } = found;
  const [first] = failovers;
  return [
    {
      name: "recovery time within RTO",
      pass: split.totalMs > 0 && split.totalMs <= rtoMs,
      evidence: `${seconds(split.totalMs)} from the kill to proven traffic in ${scope.survivor}; the objective is ${seconds(rtoMs)}`,
    },
    {
      // The region lives: whatever it had accepted can be fetched, so that nothing may be missing.
      name: "no change of an index is lost",
      pass: lost.rpaMs === 0,
      evidence: lost.because,
    },
    {
      name: "found bad by its own domain",
      pass:
        failovers.length > 0 &&
        failovers.every(({ plan }) => plan.decision.domain === "capacity-loss"),
      evidence: first?.plan.decision.because ?? "nothing moved",
    },
    ...failovers.map((run) => planCheck("failover", run)),
    ...failovers.flatMap(readinessChecks),
    ...readiness.map(({ workflow, ready, because }) => ({
      name: `${workflow}: the region is proven before it takes traffic back`,
      pass: ready,
      evidence: because,
    })),
  ];
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}
