import type { Health, Verdict } from "../../model/verdict.ts";
import type { JudgeInput } from "./input.ts";
import { canWitness, caseOf, type OutageCase } from "./outage-case.ts";
import {
  failedBecause,
  nobodyLooked,
  onlySuspects,
  saw,
  sharedCauseBecause,
  unconfirmedBecause,
} from "./outage-words.ts";
import { releaseBehind, type Silence } from "./shared-release.ts";
import { type View, viewsOf } from "./views.ts";

/**
 * Region outage: whether the entrance of a region's data path, its `gateway`, answers anybody.
 *
 * Safety argument. Declaring a living region dead moves its traffic, so `failed` needs all of this:
 *
 * 1. `detection.witnesses` observers (at least two) confirm it, so that one observer's fault is
 *    never enough.
 * 2. One of them stands outside the region: from inside, a broken process and a broken host look
 *    like a broken region.
 * 3. Each confirms it by an unbroken run of at least 3 failures, whose first and last attempts
 *    *began* `confirm` apart. It is the attempts that are spanned, not the time since: a region
 *    that stops for less than `confirm` can only fail attempts begun while it was stopped, and
 *    those are less than `confirm` apart, however late their timeouts come in.
 * 4. Nobody at all, fresh or stale, trusted or suspect, was answered within `confirm`. One answer
 *    proves that the region lives; a failure proves only that something between did not work.
 * 5. A witness is not suspect. Who watches two or more regions and reaches none has most likely
 *    lost its own network, and says nothing about theirs.
 * 6. It is not so of every region. Regions do not die together; a shared cause (a release, a
 *    provider, the observers' network) makes them look so, and moving traffic would not cure it.
 *
 * Only looks at a gateway count. What a gateway says of its targets (part `target`) is none: a region
 * that has ejected all of them answers, and whether it can serve is capacity-loss.ts's question.
 *
 * Liveness: silence is not required of anybody, so observers that died with their region, or the
 * region's own runtime, can neither prevent nor hasten a verdict. What cannot be told is `unknown`.
 */
export function judgeRegionOutage(input: JudgeInput): Verdict[] {
  const cases = casesOf(input);
  const silence = silenceOf(cases);
  if (silence === null) return cases.map(verdictOn);
  const because = sharedCauseBecause(input.regions, releaseBehind(input.releases, silence));
  return cases.map((one) => verdict(one, "unknown", because));
}

/** Point 6, for whoever knows a cause that regions share; null when it is not so of every region. */
export function silenceOfAll(input: JudgeInput): Silence | null {
  return silenceOf(casesOf(input));
}

function casesOf(input: JudgeInput): OutageCase[] {
  const views = viewsOf(input);
  return input.regions.map((region) => caseOf(input, region, views));
}

function silenceOf(cases: readonly OutageCase[]): Silence | null {
  if (cases.length < 2 || !cases.every(looksFailed)) return null;
  return new Map(
    cases.map((one) => [one.region, Math.max(...one.fresh.map((view) => view.failingForMs))]),
  );
}

/** Points 1, 2 and 4 of the safety argument; point 3 made the witnesses. */
function isConfirmedBy(one: OutageCase, witnesses: readonly View[]): boolean {
  return (
    new Set(witnesses.map((view) => view.observer)).size >= one.witnessesNeeded &&
    witnesses.some((view) => view.observerRegion !== one.region) &&
    one.lastAnswer === null
  );
}

/** Point 6: suspects count here, since an observer that reaches nothing is what it looks like. */
function looksFailed(one: OutageCase): boolean {
  const anybody = one.fresh.filter((view) => canWitness(view, one.confirmMs));
  return isConfirmedBy(one, anybody);
}

/** The decision table of one region; the first line that fits. */
function verdictOn(one: OutageCase): Verdict {
  if (one.fresh.length === 0) return verdict(one, "unknown", nobodyLooked(one));
  if (one.trusted.length === 0) return verdict(one, "unknown", onlySuspects(one));
  if (isConfirmedBy(one, one.witnesses)) return verdict(one, "failed", failedBecause(one));
  if (!one.trusted.every(isAnswered)) return verdict(one, "degraded", unconfirmedBecause(one));
  return verdict(one, "healthy", `${one.region}'s gateway answers`);
}

function isAnswered(view: View): boolean {
  return view.failures.length === 0;
}

function verdict(one: OutageCase, health: Health, because: string): Verdict {
  const speakers = health === "failed" ? one.witnesses : one.fresh;
  const failing = health === "failed" || health === "degraded";
  return {
    domain: "region-outage",
    region: one.region,
    health,
    because,
    witnesses: speakers.map((view) => ({
      observer: view.observer,
      observerRegion: view.observerRegion,
      saw: saw(view),
    })),
    failingForMs: failing ? Math.max(0, ...speakers.map((view) => view.failingForMs)) : 0,
  };
}
