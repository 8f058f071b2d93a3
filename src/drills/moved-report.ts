import type { EstateStatus } from "../api/status.ts";
import { type RecoverySplit, splitRecovery } from "../core/evidence/recovery.ts";
import {
  type ReportCheck,
  type ReportContent,
  reportContent,
  type TimelineNote,
} from "../core/evidence/report.ts";
import type { Outcome } from "./load.ts";
import { marksOf, type PlanRun } from "./recovery-marks.ts";
import { failbackChecks, loadChecks } from "./region-outage-checks.ts";
import type { Scope } from "./scope.ts";
import type { DrillWorld } from "./world.ts";

/** What every drill that moves workflows away and back has found. */
export interface MovesFound {
  readonly startedAt: number;
  readonly faultAt: number;
  readonly failbackAt: number;
  readonly failovers: readonly PlanRun[];
  readonly failbacks: readonly PlanRun[];
  readonly outcomes: readonly Outcome[];
  readonly notes: readonly TimelineNote[];
}

/** What the moves came to, beside what was promised. */
export interface Measured {
  readonly split: RecoverySplit;
  readonly rtoMs: number;
  readonly rpoMs: number;
}

/** What one drill alone has to say. */
interface OwnPart {
  readonly title: string;
  readonly rpaMs: number;
  /** They come before the checks of the way back and of what callers got. */
  readonly checks: (measured: Measured) => readonly ReportCheck[];
}

/** The report of workflows that left the victim and came back. */
export async function movedReport(
  world: DrillWorld,
  scope: Scope,
  found: MovesFound,
  { title, rpaMs, checks }: OwnPart,
): Promise<ReportContent> {
  const evidence = await world.control.evidence(0);
  const after = await world.control.status();
  const marks = found.failovers.map((run) => marksOf(run, found.faultAt, evidence));
  const split = slowest(marks.map((one) => one && splitRecovery(one)));
  const objectives = scope.workflows.flatMap((name) => world.spec.workflows[name] ?? []);
  const rtoMs = Math.min(...objectives.map(({ rto }) => rto));
  const rpoMs = Math.min(...objectives.map(({ rpo }) => rpo));
  return reportContent({
    title,
    estate: world.spec.estate,
    startedAt: found.startedAt,
    rtoMs,
    rpoMs,
    rpaMs,
    split,
    requests: counts(found.outcomes),
    failback: failbackOf(found, scope),
    checks: [
      ...checks({ split, rtoMs, rpoMs }),
      ...failbackChecks(found.failbacks),
      ...loadChecks({ ...found, scope, release: after.releaseDigest, rtoMs }),
    ],
    notes: found.notes,
    release: after.releaseDigest ?? "none",
    epochs: scope.workflows.map((workflow) => ({
      workflow,
      before: epochOf(scope.before, workflow),
      after: epochOf(after, workflow),
    })),
    evidence,
  });
}

function failbackOf({ failbacks, failbackAt }: MovesFound, { victim }: Scope) {
  const completed = failbacks.every(({ state }) => state.status === "completed");
  const ends = failbacks.map(({ plan, state }) => lastEnd(state) ?? plan.createdAt);
  return {
    completed,
    to: completed ? victim : null,
    tookSeconds: completed ? (Math.max(...ends) - failbackAt) / 1_000 : null,
    because: [...new Set(failbacks.map(({ state }) => state.because))].join("; "),
  };
}

const NOT_MEASURED: RecoverySplit = {
  detectMs: 0,
  decideMs: 0,
  verifyMs: 0,
  openMs: 0,
  propagateMs: 0,
  totalMs: 0,
};

/** The estate has recovered when its last workflow has; one that never did leaves nothing to state. */
function slowest(splits: readonly (RecoverySplit | null)[]): RecoverySplit {
  let worst = NOT_MEASURED;
  for (const split of splits) {
    if (split === null) return NOT_MEASURED;
    if (split.totalMs > worst.totalMs) worst = split;
  }
  return worst;
}

function counts(outcomes: readonly Outcome[]): ReportContent["requests"] {
  const having = (...results: Outcome["result"][]): number =>
    outcomes.filter(({ result }) => results.includes(result)).length;
  return {
    sent: outcomes.length,
    succeeded: having("succeeded"),
    failed: having("failed"),
    cut: having("cut", "silently-cut"),
  };
}

function lastEnd(state: PlanRun["state"]): number | null {
  return state.steps.at(-1)?.endedAt ?? null;
}

function epochOf(status: EstateStatus, workflow: string): number {
  return status.workflows.find((one) => one.workflow === workflow)?.epoch ?? 0;
}
