import type { RecoverySplit } from "../core/evidence/recovery.ts";
import type { ReportCheck } from "../core/evidence/report.ts";
import type { Position } from "../model/position.ts";
import type { Outcome } from "./load.ts";
import type { PlanRun } from "./recovery-marks.ts";
import type { Scope } from "./scope.ts";

/** What was accepted by the dead region and is not in the one that took over, in source time. */
export interface LostPoint {
  readonly rpaMs: number;
  readonly because: string;
}

export interface IndexComparison {
  readonly index: string;
  readonly returned: Position;
  readonly lagMs: number;
  readonly maxLagMs: number;
  readonly orphans: number;
}

/** How the region that came back behaved before anybody let it serve again. */
export interface FencingFindings {
  readonly scope: Scope;
  readonly answeredBy: readonly { workflow: string; region: string | null; detail: string }[];
  readonly refusal: { readonly refused: boolean; readonly detail: string } | null;
  readonly indexes: readonly IndexComparison[];
  readonly readiness: readonly { workflow: string; ready: boolean; because: string }[];
}

interface FailoverFindings {
  readonly scope: Scope;
  readonly failovers: readonly PlanRun[];
  readonly split: RecoverySplit;
  readonly lost: LostPoint;
  readonly rtoMs: number;
  readonly rpoMs: number;
}

export function failoverChecks(found: FailoverFindings): ReportCheck[] {
  const { split, lost, rtoMs, rpoMs, failovers, scope } = found;
  return [
    {
      name: "recovery time within RTO",
      pass: split.totalMs > 0 && split.totalMs <= rtoMs,
      evidence: `${seconds(split.totalMs)} from the kill to proven traffic in ${scope.survivor}; the objective is ${seconds(rtoMs)}`,
    },
    {
      name: "lost data within RPO",
      pass: lost.rpaMs <= rpoMs,
      evidence: `${seconds(lost.rpaMs)} of index changes; the objective is ${seconds(rpoMs)}. ${lost.because}`,
    },
    ...failovers.map((run) => planCheck("failover", run)),
    ...failovers.flatMap(readinessChecks),
  ];
}

export function failbackChecks(failbacks: readonly PlanRun[]): ReportCheck[] {
  return failbacks.map((run) => planCheck("failback", run));
}

export function planCheck(word: string, { plan, state }: PlanRun): ReportCheck {
  const again = state.steps.filter(({ attempts }) => attempts > 1).length;
  return {
    name: `${word} of ${plan.workflow} by plan`,
    pass: state.status === "completed",
    evidence: `plan ${plan.id.slice(0, 8)}, epoch ${plan.epoch}, ${state.steps.length} steps, ${again} of them more than once: ${state.because}`,
  };
}

/** What was proven of the standby before it was opened, in the order of the steps. */
export function readinessChecks({ plan, state }: PlanRun): ReportCheck[] {
  return plan.steps
    .filter(({ kind }) => kind === "prove-readiness" || kind === "prove-traffic")
    .map((step) => {
      const journal = state.steps.find(({ id }) => id === step.id);
      return {
        name: `${plan.workflow}: ${step.kind === "prove-readiness" ? "standby proven before it opened" : "traffic proven after it opened"}`,
        pass: journal?.status === "done",
        evidence: journal?.evidence ?? "never run",
      };
    });
}

export function fencingChecks(found: FencingFindings): ReportCheck[] {
  const { scope, answeredBy, refusal, indexes, readiness } = found;
  return [
    {
      name: "returned region does not serve by itself",
      pass: answeredBy.length > 0 && answeredBy.every(({ region }) => region === scope.survivor),
      evidence: answeredBy.map(({ workflow, detail }) => `${workflow}: ${detail}`).join("; "),
    },
    ...(refusal
      ? [
          {
            name: "returned region's index refuses writes under its old epoch",
            pass: refusal.refused,
            evidence: refusal.detail,
          },
        ]
      : []),
    ...indexes.map(({ index, returned, lagMs, maxLagMs, orphans }) => ({
      name: `${index} caught up in the returned region`,
      pass: lagMs <= maxLagMs && returned.count > 0,
      evidence: `change ${returned.seq}, ${returned.count} documents, lag ${lagMs} ms, ${orphans} changes that only it had are kept aside`,
    })),
    ...readiness.map(({ workflow, ready, because }) => ({
      name: `${workflow}: returned region proven before it took traffic back`,
      pass: ready,
      evidence: because,
    })),
  ];
}

interface LoadFindings {
  readonly scope: Scope;
  readonly outcomes: readonly Outcome[];
  readonly release: string | null;
  readonly rtoMs: number;
}

export function loadChecks(found: LoadFindings): ReportCheck[] {
  const { outcomes, release, scope } = found;
  const whole = outcomes.filter(({ result }) => result === "succeeded");
  const failed = outcomes.filter(({ result, streamed }) => result === "failed" && !streamed);
  const failedStreams = outcomes.filter(({ result, streamed }) => result === "failed" && streamed);
  const silent = outcomes.filter(({ result }) => result === "silently-cut");
  const wrong = whole.filter(({ right }) => !right);
  const foreign = whole.filter((outcome) => outcome.release !== release);
  const slowest = Math.max(0, ...whole.map(({ sentAt, endedAt }) => endedAt - sentAt));
  const regions = [scope.victim, scope.survivor].map(
    (region) => `${whole.filter((outcome) => outcome.region === region).length} by ${region}`,
  );
  return [
    {
      name: "no request failed",
      pass: outcomes.length > 0 && failed.length + failedStreams.length === 0,
      evidence: `${failed.length} of ${outcomes.filter(({ streamed }) => !streamed).length} unstreamed requests failed, and ${failedStreams.length} streamed ones before their first event${first([...failed, ...failedStreams])}`,
    },
    {
      name: "no cut answer looked finished",
      pass: silent.length === 0,
      evidence: `${silent.length} answers ended as if finished and were not; ${outcomes.filter(({ result }) => result === "cut").length} were cut and said so${first(silent)}`,
    },
    {
      name: "answers right",
      pass: whole.length > 0 && wrong.length === 0,
      evidence: `${whole.length - wrong.length} of ${whole.length} answers hold what they must (${regions.join(", ")})${first(wrong)}`,
    },
    {
      name: "one release everywhere",
      pass: whole.length > 0 && foreign.length === 0,
      evidence: `${whole.length - foreign.length} of ${whole.length} answers name release ${release}`,
    },
    {
      name: "nobody waited longer than the RTO",
      pass: whole.length > 0 && slowest <= found.rtoMs,
      evidence: `the slowest whole answer took ${seconds(slowest)}, held by the gateway while the traffic moved`,
    },
  ];
}

function first(outcomes: readonly Outcome[]): string {
  const [one] = outcomes;
  return one ? `; the first: "${one.question.text}" (${one.question.workflow}, ${one.detail})` : "";
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}
