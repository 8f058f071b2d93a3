import type { Evidence } from "../../model/evidence.ts";
import { verifyChain } from "./chain.ts";
import type { RecoverySplit } from "./recovery.ts";

/** One thing that had to hold, whether it did, and the figures that say so. */
export interface ReportCheck {
  readonly name: string;
  readonly pass: boolean;
  readonly evidence: string;
}

/** One event of the timeline. `lane` groups events of one actor: a region, the controller, users. */
export interface TimelineEvent {
  /** Wall clock in ms. */
  readonly at: number;
  /** Since the start of the report; negative for what was before it. */
  readonly offsetSeconds: number;
  readonly lane: string;
  readonly text: string;
  /** An evidence kind, or the reporter's own word, such as `fault`. */
  readonly kind: string;
}

/** What a reporter saw itself, beside the evidence: the fault, the first answer afterwards. */
export type TimelineNote = Omit<TimelineEvent, "offsetSeconds">;

/** RecoverySplit in seconds. */
export interface SplitSeconds {
  readonly detectSeconds: number;
  readonly decideSeconds: number;
  readonly verifySeconds: number;
  readonly openSeconds: number;
  readonly propagateSeconds: number;
  readonly totalSeconds: number;
}

export interface RequestCounts {
  readonly sent: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Answers that began and could not be finished, and said so. */
  readonly cut: number;
}

export interface FailbackReport {
  readonly completed: boolean;
  /** Region that serves again; null when it did not come to that. */
  readonly to: string | null;
  /** From the request to proven traffic; null when it did not come to that. */
  readonly tookSeconds: number | null;
  readonly because: string;
}

/** All that a recovery's report says, as data: rendered as HTML and as JSON elsewhere. */
export interface ReportContent {
  readonly title: string;
  readonly estate: string;
  /** Wall clock in ms. */
  readonly startedAt: number;
  readonly objective: { readonly rtoSeconds: number; readonly rpoSeconds: number };
  readonly actual: { readonly rtaSeconds: number; readonly rpaSeconds: number };
  readonly split: SplitSeconds;
  readonly requests: RequestCounts;
  readonly failback: FailbackReport;
  readonly checks: readonly ReportCheck[];
  readonly timeline: readonly TimelineEvent[];
  /** Digest of the release that served. */
  readonly release: string;
  /** Epoch of each workflow before and after. */
  readonly epochs: readonly EpochChange[];
  readonly evidenceChain: EvidenceChainReport;
  readonly verdict: "pass" | "fail";
}

export interface EpochChange {
  readonly workflow: string;
  readonly before: number;
  readonly after: number;
}

export interface EvidenceChainReport {
  readonly entries: number;
  /** Hash of the newest entry; empty for an empty record. */
  readonly head: string;
  readonly intact: boolean;
}

/** What a reporter knows. Times in ms; the report is in seconds, as people state objectives. */
export interface ReportFacts {
  readonly title: string;
  readonly estate: string;
  readonly startedAt: number;
  readonly rtoMs: number;
  readonly rpoMs: number;
  readonly rpaMs: number;
  readonly split: RecoverySplit;
  readonly requests: RequestCounts;
  readonly failback: FailbackReport;
  readonly checks: readonly ReportCheck[];
  readonly notes: readonly TimelineNote[];
  readonly release: string;
  readonly epochs: readonly EpochChange[];
  /** The complete record, from its first entry on. */
  readonly evidence: readonly Evidence[];
}

export const CHAIN_CHECK = "evidence record intact";

/**
 * The report of one recovery. The record's own integrity is always among the checks: a report whose
 * evidence was altered cannot pass, whatever the other checks say.
 */
export function reportContent(facts: ReportFacts): ReportContent {
  const evidenceChain = chainReport(facts.evidence);
  const checks = [...facts.checks, chainCheck(facts.evidence)];
  return {
    title: facts.title,
    estate: facts.estate,
    startedAt: facts.startedAt,
    objective: { rtoSeconds: facts.rtoMs / 1_000, rpoSeconds: facts.rpoMs / 1_000 },
    actual: { rtaSeconds: facts.split.totalMs / 1_000, rpaSeconds: facts.rpaMs / 1_000 },
    split: inSeconds(facts.split),
    requests: facts.requests,
    failback: facts.failback,
    checks,
    timeline: timelineOf(facts),
    release: facts.release,
    epochs: facts.epochs,
    evidenceChain,
    // The chain's check alone is no recovery: a drill that checked nothing has proven nothing.
    verdict: facts.checks.length === 0 ? "fail" : verdictOf(checks),
  };
}

/** `pass` only when there is at least one check and every one passed: no proof is not a pass. */
export function verdictOf(checks: readonly Pick<ReportCheck, "pass">[]): "pass" | "fail" {
  return checks.length > 0 && checks.every((check) => check.pass) ? "pass" : "fail";
}

function inSeconds(split: RecoverySplit): SplitSeconds {
  return {
    detectSeconds: split.detectMs / 1_000,
    decideSeconds: split.decideMs / 1_000,
    verifySeconds: split.verifyMs / 1_000,
    openSeconds: split.openMs / 1_000,
    propagateSeconds: split.propagateMs / 1_000,
    totalSeconds: split.totalMs / 1_000,
  };
}

/** Events of the run in the order of their time; of one moment, evidence in its written order. */
function timelineOf(facts: ReportFacts): TimelineEvent[] {
  const recorded = facts.evidence
    // Older entries of a long-lived estate belong to other reports.
    .filter((entry) => entry.at >= facts.startedAt)
    .map((entry) => ({ at: entry.at, lane: "controller", text: entry.text, kind: entry.kind }));
  return [...facts.notes, ...recorded]
    .toSorted((a, b) => a.at - b.at)
    .map((event) => ({ ...event, offsetSeconds: (event.at - facts.startedAt) / 1_000 }));
}

function chainReport(evidence: readonly Evidence[]): EvidenceChainReport {
  return {
    entries: evidence.length,
    head: evidence.at(-1)?.hash ?? "",
    intact: evidence.length > 0 && verifyChain(evidence).ok,
  };
}

function chainCheck(evidence: readonly Evidence[]): ReportCheck {
  const judged = verifyChain(evidence);
  if (evidence.length === 0) {
    return { name: CHAIN_CHECK, pass: false, evidence: "The record is empty." };
  }
  return judged.ok
    ? { name: CHAIN_CHECK, pass: true, evidence: `All ${evidence.length} entries verify.` }
    : { name: CHAIN_CHECK, pass: false, evidence: `At entry ${judged.seq}: ${judged.because}.` };
}
