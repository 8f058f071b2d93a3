import type {
  CanaryFinding,
  CanaryMeasureName,
  CanaryResult,
  CanaryThresholds,
  CanaryVerdict,
} from "../../../model/canary.ts";
import {
  COUNTED_MEASURES,
  type CountedMeasure,
  compareCounted,
  compareGolden,
} from "./measures.ts";
import type { ReleaseSample } from "./sample.ts";

export interface CanaryInput {
  /** The release that served before, or serves elsewhere. */
  readonly old: ReleaseSample;
  /** The release on trial. */
  readonly new: ReleaseSample;
  /**
   * The old release where it still serves: now, and as it was before; null when it serves nowhere.
   * Where it got worse just as well, it is not the new release.
   */
  readonly control: { readonly before: ReleaseSample; readonly now: ReleaseSample } | null;
  /** Another failure in this region, in words, that explains failed and slow requests; or null. */
  readonly excuse: string | null;
  /** Whether callers' requests, and golden questions, are to be expected here at all. */
  readonly expects: { readonly traffic: boolean; readonly golden: boolean };
  readonly thresholds: CanaryThresholds;
}

/**
 * Whether the new release is worse than the old one.
 *
 * Safety argument. `fail` rolls back by itself, so it needs proof, and of the right thing:
 *
 * 1. Proof is by odds that hold at any number of looks (odds.ts). All measures together call a
 *    release that is as good as the old one worse with a probability of `falseAlarms` at most, over
 *    the whole trial. Small samples need no rule of their own: few observations give small odds.
 * 2. Only golden answers, errors and refusals fail a release: they say that it is wrong. A release
 *    that is slow, dear or wordy may be meant so: it waits for a person. Slowness fails a release
 *    only when the old one is, at the same time, as fast as ever.
 * 3. What another failure explains is not held against the release: a region that is out does not
 *    answer, a provider that is slow makes every release slow. Golden answers need no such care: what
 *    was not answered is not counted, and a dead region gives no wrong answers.
 * 4. `pass` needs enough of everything that is to be expected here, which is what the old release
 *    had, and nothing that even looks worse. All the rest is `inconclusive`.
 */
export function analyseCanary(input: CanaryInput): CanaryResult {
  const findings = [...goldenFinding(input), ...trafficFindings(input)];
  const verdict = verdictOf(findings, input);
  return { verdict, because: becauseOf(verdict, findings, input), findings };
}

function goldenFinding(input: CanaryInput): CanaryFinding[] {
  return input.expects.golden ? [compareGolden(input)] : [];
}

function trafficFindings(input: CanaryInput): CanaryFinding[] {
  if (!input.expects.traffic) return [];
  return COUNTED_MEASURES.map((measure) => explained(input, compareCounted(measure, input)));
}

/** What depends on more than the release: the region, its runtime, the provider behind it. */
const ELSEWHERE: readonly CanaryMeasureName[] = ["errors", "latency"];

function explained(input: CanaryInput, finding: CanaryFinding): CanaryFinding {
  const { measure, state } = finding;
  if (state === "fine" || state === "unknown" || !ELSEWHERE.includes(measure)) return finding;
  if (input.excuse !== null) return shared(finding, input.excuse);
  const elsewhere = controlFinding(input, measure);
  if (elsewhere === null || (elsewhere.state !== "worse" && elsewhere.state !== "suspect"))
    return finding;
  return shared(finding, "so it is with the old release at the same time");
}

function shared(finding: CanaryFinding, why: string): CanaryFinding {
  return { ...finding, state: "shared", because: `${finding.because}, but ${why}` };
}

/** The old release now against the old release before; null without a control. */
function controlFinding(input: CanaryInput, measure: CanaryMeasureName): CanaryFinding | null {
  const counted = COUNTED_MEASURES.find((one): one is CountedMeasure => one === measure);
  if (input.control === null || counted === undefined) return null;
  const { before, now } = input.control;
  return compareCounted(counted, { ...input, old: before, new: now });
}

const FAILING: readonly CanaryMeasureName[] = ["golden", "errors", "refusals"];

function verdictOf(findings: readonly CanaryFinding[], input: CanaryInput): CanaryVerdict {
  if (findings.some((one) => failsAlone(one, input))) return "fail";
  const open = findings.filter(({ state }) => state !== "fine");
  return open.every((one) => isNobodysLoss(one, input)) ? "pass" : "inconclusive";
}

/**
 * Nobody asked the old release here either, so that there is nothing to wait for: an estate at night
 * would else never get a release. Golden questions are the estate's own, and are always waited for.
 */
function isNobodysLoss({ measure, state, old }: CanaryFinding, { thresholds }: CanaryInput) {
  return state === "unknown" && measure !== "golden" && old.of < thresholds.requests;
}

/** Point 2 of the safety argument. */
function failsAlone({ measure, state }: CanaryFinding, input: CanaryInput): boolean {
  if (state !== "worse") return false;
  if (FAILING.includes(measure)) return true;
  return measure === "latency" && controlFinding(input, measure)?.state === "fine";
}

function becauseOf(
  verdict: CanaryVerdict,
  findings: readonly CanaryFinding[],
  input: CanaryInput,
): string {
  if (findings.length === 0) {
    return "nothing can be compared here: no callers ask, and there are no golden questions";
  }
  if (verdict === "fail") return told(findings.filter((one) => failsAlone(one, input)));
  if (verdict === "pass") return passedBecause(findings);
  const worse = findings.filter(({ state }) => state === "worse");
  if (worse.length > 0) return `${told(worse)}: a person must say whether that is meant`;
  const suspect = findings.filter(({ state }) => state === "suspect");
  if (suspect.length > 0) return `${told(suspect)}, which may be chance`;
  const elsewhere = findings.filter(({ state }) => state === "shared");
  if (elsewhere.length > 0) return told(elsewhere);
  return `too little was seen: ${tooLittle(findings, input)}`;
}

function passedBecause(findings: readonly CanaryFinding[]): string {
  const fine = findings.filter(({ state }) => state === "fine");
  return fine.length === 0
    ? "nobody asked the old release enough for a comparison"
    : `as good as before: ${told(fine.slice(0, 2))}`;
}

function told(findings: readonly CanaryFinding[]): string {
  return findings.map(({ because }) => because).join("; ");
}

function tooLittle(findings: readonly CanaryFinding[], { thresholds }: CanaryInput): string {
  const unknown = findings.filter(({ state }) => state === "unknown");
  const golden = unknown.find(({ measure }) => measure === "golden");
  const traffic = unknown.find(({ measure }) => measure !== "golden");
  return [
    ...(golden ? [`${golden.new.of} of ${thresholds.questions} golden questions`] : []),
    ...(traffic
      ? [`${traffic.new.of} of ${thresholds.requests} requests, and ${traffic.old.of} before`]
      : []),
  ].join("; ");
}
