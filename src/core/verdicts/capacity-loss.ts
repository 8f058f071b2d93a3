import type { Signal } from "../../model/signal.ts";
import { formatDuration } from "../../model/units.ts";
import type { Health, Verdict } from "../../model/verdict.ts";
import type { JudgeInput } from "./input.ts";
import { canWitness, LEAST_FAILURES } from "./outage-case.ts";
import { patienceMs, type View, viewsOf } from "./views.ts";

/**
 * Model-serving capacity loss: whether a region's models answer that region's own gateway.
 *
 * Safety argument. `failed` moves workflows out of a region that lives, so it needs all of this:
 *
 * 1. The region is not out. Of a region that does not answer nothing else can be told.
 * 2. Its own gateway was failed by every target of the region, without one success since: real
 *    requests, which no probe can stand for. One target that is in use, or merely slow, is enough
 *    to answer; the gateway goes to that one by itself.
 * 3. It was so for `detection.confirm`: either each target's failures span that time, or the
 *    region's agent has had no answer from any of them in an unbroken run that does. It is the
 *    failures that are spanned, not the time since the first: a blink in which three requests
 *    failed, and nobody asked again, grows old as well.
 * 4. It is so still: the agent is not answered, or the newest failure is not older than three times
 *    `confirm`. What nobody has tried since may be well again.
 * 5. It is not so of every region that has models. What takes all of them at once is shared (a
 *    provider, a release, a poisonous request), and moving traffic would carry it along.
 * 6. Where a release is on trial in the region, the agent must confirm it: a route to a model that
 *    is not there fails each request as well, and the cure of that is to go back.
 *
 * One gateway's word is enough, unlike in an outage: it speaks of what it alone is for, and a
 * gateway that reaches no model of its region serves nobody, whichever of the two is to blame.
 */
export function judgeCapacityLoss(input: JudgeInput, outages: readonly Verdict[]): Verdict[] {
  const cases = [...(input.models ?? [])]
    .filter(([, targets]) => targets.length > 0)
    .map(([region, targets]) => caseOf(input, region, targets));
  const isOut = ({ region }: CapacityCase): boolean => {
    const health = outages.find((one) => one.region === region)?.health;
    return health === "failed" || health === "unknown";
  };
  const shared = cases.length > 1 && cases.every((one) => !isOut(one) && isConfirmed(one));
  return cases.map((one) => {
    if (isOut(one)) {
      const because = `nothing can be told of the models of ${one.region}: its region is out`;
      return verdict(one, "unknown", because);
    }
    return shared ? verdict(one, "unknown", sharedBecause(cases)) : verdictOn(input, one);
  });
}

/** That no model of the region answers its probes, in words; null when one does, or nobody looks. */
export function silentModels(input: JudgeInput, region: string): string | null {
  const probes = probesOf(input, region);
  return isSilent(probes) ? silentBecause(region, probes) : null;
}

/** All that is known of one region's models. */
interface CapacityCase {
  readonly region: string;
  readonly confirmMs: number;
  readonly targets: readonly string[];
  /** Those that failed the region's own gateway, by its newest word on each. */
  readonly lost: readonly LostTarget[];
  /** Who probes the region's models: its agent. */
  readonly probes: readonly View[];
}

interface LostTarget {
  readonly target: string;
  readonly because: string;
  /** Since its first failure without a success behind it, and since its newest; in ms. */
  readonly sinceMs: number;
  readonly seenAgoMs: number;
  readonly witness: Verdict["witnesses"][number];
}

function caseOf(input: JudgeInput, region: string, targets: readonly string[]): CapacityCase {
  return {
    region,
    confirmMs: input.detection.confirm,
    targets,
    lost: targets.flatMap((target) => lostTarget(input, region, target) ?? []),
    probes: probesOf(input, region),
  };
}

function probesOf(input: JudgeInput, region: string): View[] {
  return viewsOf(input).filter(
    ({ subject, fresh }) => subject.part === "runtime" && subject.region === region && fresh,
  );
}

/** Null unless the newest word of the region's own gateway is that the target fails it. */
function lostTarget(input: JudgeInput, region: string, target: string): LostTarget | null {
  const newest = input.windows
    .filter(
      ({ subject }) =>
        subject.part === "target" &&
        subject.region === region &&
        subject.gateway === region &&
        subject.target === target,
    )
    .flatMap(({ signals: [first] }) => (first === undefined ? [] : [first]))
    .filter(({ at }) => input.now - at <= patienceMs(input.detection))
    .toSorted((a, b) => b.at - a.at)[0];
  const trouble = newest?.trouble;
  if (newest === undefined || trouble === undefined || newest.ok || trouble.standing === "slow") {
    return null;
  }
  const agoMs = Math.max(0, input.now - newest.at);
  return {
    target,
    because: newest.detail,
    sinceMs: trouble.sinceMs + agoMs,
    seenAgoMs: (trouble.seenAgoMs ?? 0) + agoMs,
    witness: witnessOf(newest),
  };
}

function witnessOf({ observer, observerRegion, detail }: Signal): LostTarget["witness"] {
  return { observer, observerRegion, saw: detail };
}

/** The decision table of one region; the first line that fits. */
function verdictOn(input: JudgeInput, one: CapacityCase): Verdict {
  const { region, lost, targets } = one;
  const trial = input.releases?.trials.find((each) => each.region === region);
  if (isConfirmed(one)) {
    return trial !== undefined && !isConfirmedByProbes(one)
      ? verdict(one, "degraded", trialBecause(one, trial.release))
      : verdict(one, "failed", lostBecause(one));
  }
  if (lost.length === targets.length) return verdict(one, "degraded", unconfirmedBecause(one));
  if (lost.length > 0) return verdict(one, "degraded", partBecause(one));
  if (isSilent(one.probes)) {
    const because = `${silentBecause(region, one.probes)}; no request has met it yet`;
    return verdict(one, "degraded", because);
  }
  return verdict(one, "healthy", `${region}'s models answer`);
}

/** Points 2 to 4 of the safety argument. */
function isConfirmed(one: CapacityCase): boolean {
  const { lost, targets, confirmMs } = one;
  if (lost.length < targets.length) return false;
  if (isConfirmedByProbes(one)) return true;
  const isSpanned = lost.every(({ sinceMs, seenAgoMs }) => sinceMs - seenAgoMs >= confirmMs);
  return isSpanned && (isSilent(one.probes) || lost.some((each) => isRecent(one, each)));
}

function isRecent({ confirmMs }: CapacityCase, { seenAgoMs }: LostTarget): boolean {
  return seenAgoMs <= 3 * confirmMs;
}

function isConfirmedByProbes({ probes, confirmMs }: CapacityCase): boolean {
  return isAllUnanswered(probes) && probes.some((view) => canWitness(view, confirmMs));
}

function isSilent(probes: readonly View[]): boolean {
  return (
    isAllUnanswered(probes) && probes.some(({ failures }) => failures.length >= LEAST_FAILURES)
  );
}

function isAllUnanswered(probes: readonly View[]): boolean {
  return probes.every(({ failures }) => failures.length > 0);
}

function lostBecause(one: CapacityCase): string {
  const { region, lost } = one;
  return `no model of ${region} has answered its gateway for ${formatDuration(failingFor(one))}: ${saying(lost)}${probed(one)}`;
}

function probed({ probes }: CapacityCase): string {
  const [view] = probes.filter(({ failures }) => failures.length > 0);
  return view === undefined ? "" : `; ${view.observer} has no answer either (${view.detail})`;
}

function unconfirmedBecause(one: CapacityCase): string {
  const { region, lost, confirmMs } = one;
  return `no model of ${region} answers its gateway, for ${formatDuration(failingFor(one))} (${saying(lost)}): ${formatDuration(confirmMs)} of it would confirm a capacity loss`;
}

function trialBecause(one: CapacityCase, release: string): string {
  return `no model of ${one.region} answers its gateway (${saying(one.lost)}), but release ${release.slice(0, 19)} is on trial there and no probe of the models fails: that is the release's question`;
}

function partBecause({ region, lost, targets }: CapacityCase): string {
  return `${lost.length} of ${targets.length} models of ${region} fail its gateway (${saying(lost)}); the others answer`;
}

function silentBecause(region: string, probes: readonly View[]): string {
  const longest = probes.toSorted((a, b) => b.failingForMs - a.failingForMs)[0];
  return `no model of ${region} has answered a probe for ${formatDuration(longest?.failingForMs ?? 0)} (${longest?.detail ?? "no answer"})`;
}

function sharedBecause(cases: readonly CapacityCase[]): string {
  const regions = cases.map(({ region }) => region).join(" and ");
  return `shared cause suspected: no model of ${regions} answers, and moving traffic cures no shared cause`;
}

function saying(lost: readonly LostTarget[]): string {
  return lost.map(({ target, because }) => `${target}: ${because}`).join("; ");
}

/** Since the last of them failed: until then, one answered. */
function failingFor({ lost }: CapacityCase): number {
  return lost.length === 0 ? 0 : Math.min(...lost.map(({ sinceMs }) => sinceMs));
}

function verdict(one: CapacityCase, health: Health, because: string): Verdict {
  const ill = health === "failed" || health === "degraded";
  const failing = one.probes.filter(({ failures }) => failures.length > 0);
  const probes = failing.map(({ observer, observerRegion, detail }) => {
    return { observer, observerRegion, saw: detail };
  });
  return {
    domain: "capacity-loss",
    region: one.region,
    health,
    because,
    witnesses: ill ? [...one.lost.map(({ witness }) => witness), ...probes] : [],
    failingForMs: ill ? Math.max(failingFor(one), ...failing.map((view) => view.failingForMs)) : 0,
  };
}
