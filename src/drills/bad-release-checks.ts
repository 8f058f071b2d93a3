import type { ReleaseStatus } from "../api/release-status.ts";
import { type RecoverySplit, splitRecovery } from "../core/evidence/recovery.ts";
import type { EpochChange, ReportCheck } from "../core/evidence/report.ts";
import type { Evidence } from "../model/evidence.ts";
import type { Plan } from "../model/plan.ts";
import { type Verdict, verdictSchema } from "../model/verdict.ts";
import type { Outcome } from "./load.ts";
import { type PlanRun, provenAt } from "./recovery-marks.ts";

/** The moment of the first failed verdict on a release, and the verdict; null while there is none. */
function foundBad(
  evidence: readonly Evidence[],
  bad: string,
): { readonly at: number; readonly verdict: Verdict } | null {
  for (const { at, kind, data } of evidence) {
    if (kind !== "verdict") continue;
    const verdict = verdictSchema.safeParse(data.verdict).data;
    if (verdict?.domain !== "bad-release" || verdict.health !== "failed") continue;
    if (verdict.release === bad) return { at, verdict };
  }
  return null;
}

/**
 * Where the time went, from the moment when the first region had the bad release until every
 * gateway had the good one again and a canary in each region was answered with it.
 */
export function badReleaseSplit(found: {
  readonly activation: PlanRun | null;
  readonly rollback: PlanRun;
  readonly evidence: readonly Evidence[];
  readonly bad: string;
}): RecoverySplit {
  const { activation, rollback, evidence, bad } = found;
  const planAt = rollback.plan.createdAt;
  return splitRecovery({
    faultAt: firstActivated(activation)?.at ?? planAt,
    verdictAt: foundBad(evidence, bad)?.at ?? planAt,
    planAt,
    provenAt: provenAt(rollback, "take-release") ?? planAt,
    openedAt: provenAt(rollback, "activate-release") ?? planAt,
    trafficProvenAt: provenAt(rollback, "prove-release") ?? planAt,
  });
}

/** The fault itself: which region had the bad release first, and when; null: none ever did. */
export function firstActivated(
  activation: PlanRun | null,
): { readonly region: string; readonly at: number } | null {
  const first = activation?.plan.steps.find(({ kind }) => kind === "activate-release");
  const at = activation?.state.steps.find(({ id }) => id === first?.id)?.endedAt ?? null;
  const region = first?.regions[0];
  return at === null || region === undefined ? null : { region, at };
}

export interface BadReleaseFindings {
  readonly split: RecoverySplit;
  readonly rtoMs: number;
  readonly evidence: readonly Evidence[];
  readonly epochs: readonly EpochChange[];
  readonly outcomes: readonly Outcome[];
  readonly after: ReleaseStatus;
  readonly bad: string;
  readonly good: string | null;
  readonly rollback: PlanRun;
  /** Of every kind, since the drill began. */
  readonly plans: readonly Plan[];
}

export function badReleaseChecks(found: BadReleaseFindings): ReportCheck[] {
  return [
    provenBad(found),
    withinObjective(found),
    rolledBack(found),
    servedAgain(found),
    nobodyMoved(found),
    callersServed(found),
    badAnswersEnded(found),
  ];
}

function provenBad({ evidence, bad }: BadReleaseFindings): ReportCheck {
  const found = foundBad(evidence, bad);
  return {
    name: "found bad by its own domain",
    pass: found !== null,
    evidence: found?.verdict.because ?? "no verdict on the release was ever `failed`",
  };
}

function withinObjective({ split, rtoMs }: BadReleaseFindings): ReportCheck {
  return {
    name: "rolled back within RTO",
    pass: split.totalMs > 0 && split.totalMs <= rtoMs,
    evidence: `${seconds(split.totalMs)} from the first region that had it to proven answers of the good one everywhere; the objective is ${seconds(rtoMs)}`,
  };
}

function rolledBack({ rollback: { plan, state }, good }: BadReleaseFindings): ReportCheck {
  return {
    name: "rolled back by plan, whole",
    pass: state.status === "completed" && plan.release === good && plan.steps.length > 0,
    evidence: `plan ${plan.id.slice(0, 8)}, epoch ${plan.epoch}, ${plan.decision.to.join(" and ")}: ${state.because}`,
  };
}

function servedAgain({ after, good }: BadReleaseFindings): ReportCheck {
  const odd = after.regions.filter(({ serves }) => serves?.digest !== good);
  return {
    name: "every gateway serves the good release",
    pass: odd.length === 0 && after.regions.length > 0,
    evidence: after.regions.map(({ region, because }) => `${region}: ${because}`).join("; "),
  };
}

function nobodyMoved({ plans, epochs }: BadReleaseFindings): ReportCheck {
  const moves = plans.filter(({ decision: { kind } }) =>
    ["failover", "switchover", "failback"].includes(kind),
  );
  const changed = epochs.filter(({ before, after }) => before !== after);
  return {
    name: "nobody was evacuated",
    pass: moves.length === 0 && changed.length === 0,
    evidence:
      moves.length === 0
        ? `no workflow was moved; ${epochs.map(({ workflow, after }) => `${workflow} is at epoch ${after}`).join(", ")}`
        : moves.map(({ decision }) => decision.because).join("; "),
  };
}

function callersServed({ outcomes }: BadReleaseFindings): ReportCheck {
  const lost = outcomes.filter(({ result }) => result !== "succeeded");
  return {
    name: "every caller was answered",
    pass: lost.length === 0 && outcomes.length > 0,
    evidence:
      lost.length === 0
        ? `${outcomes.length} of ${outcomes.length} requests`
        : `${lost.length} of ${outcomes.length} were not: ${lost[0]?.detail}`,
  };
}

/** What callers got of it is told, and must have ended with the rollback. */
function badAnswersEnded({ outcomes, bad, rollback }: BadReleaseFindings): ReportCheck {
  const acknowledgedAt = provenAt(rollback, "confirm-acknowledged") ?? Number.POSITIVE_INFINITY;
  const answered = outcomes.filter(({ release }) => release === bad);
  const late = answered.filter(({ sentAt }) => sentAt > acknowledgedAt);
  return {
    name: "no answer of the bad release after the rollback",
    pass: late.length === 0,
    evidence: `${answered.length} of ${outcomes.length} callers were answered with it, ${answered.filter(({ right }) => !right).length} of them wrongly; ${late.length} after every gateway had acknowledged the rollback`,
  };
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`;
}
