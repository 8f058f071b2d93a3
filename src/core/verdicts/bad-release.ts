import type { CanaryResult } from "../../model/canary.ts";
import { formatDuration } from "../../model/units.ts";
import type { Health, Verdict } from "../../model/verdict.ts";
import { analyseCanary } from "./canary/canary.ts";
import { NO_SAMPLE, type ReleaseSample, sampleOf } from "./canary/sample.ts";
import { silentModels } from "./capacity-loss.ts";
import type { JudgeInput, ReleasesInput, ReleaseTrial, TrialWorkflow } from "./input.ts";
import { silenceOfAll } from "./region-outage.ts";
import { releaseBehind } from "./shared-release.ts";

/**
 * Bad release: whether the release on trial in a region is worse than the one before it. Regions
 * without a trial get no verdict here.
 *
 * Safety argument. A rollback moves no traffic and brings back what is known to be good, so that a
 * false one costs an evening; but it must never stand in for the cure of something else, nor the
 * other way round:
 *
 * 1. `failed` needs the canary analysis to prove it, in a region that answers (canary/canary.ts), or
 *    point 4.
 * 2. A region that is out, or may be, says nothing of its release: it is `unknown`, and the outage has
 *    its own verdict and its own cure. Neither waits for the other.
 * 3. What the region's outage verdict complains of, and models that answer no probe, excuse errors and
 *    slowness. They never excuse wrong answers. That requests alone fail is no excuse: a route to a
 *    model that is not there looks like that.
 * 4. Or every region looks failed at once, and each of them has had this release since before it fell
 *    silent (shared-release.ts). Then, and only then, silence is held against it. The cure is a
 *    rollback, and nobody is evacuated.
 * 5. Not proven is not failed: `degraded` looks worse, `unknown` cannot be told yet. Both stop an
 *    activation and wait for a person, and neither undoes anything.
 */
export function judgeBadRelease(input: JudgeInput, outages: readonly Verdict[]): Verdict[] {
  const { releases } = input;
  if (releases === undefined) return [];
  const silence = silenceOfAll(input);
  const silencing = silence === null ? null : releaseBehind(releases, silence);
  return releases.trials.map((trial) => {
    const outage = outages.find(({ region }) => region === trial.region) ?? null;
    if (silencing === trial.release) return verdict(trial, "failed", silenced(input, trial));
    if (outage?.health === "failed" || outage?.health === "unknown") {
      const state = outage.health === "failed" ? "is out" : "cannot be judged";
      const because = `nothing can be told of ${short(trial)} in ${trial.region}, which ${state}`;
      return verdict(trial, "unknown", because);
    }
    const complaint = outage?.health === "degraded" ? outage.because : null;
    return onTrial(releases, trial, complaint ?? silentModels(input, trial.region));
  });
}

function silenced({ regions }: JudgeInput, trial: ReleaseTrial): string {
  return `${list(regions)} all stopped answering after ${short(trial)} was activated, ${formatDuration(trial.sinceMs)} ago in ${trial.region}: what they have in common is the release`;
}

function onTrial(releases: ReleasesInput, trial: ReleaseTrial, excuse: string | null): Verdict {
  const results = trial.workflows.map((workflow) => ({
    workflow: workflow.workflow,
    result: canaryOf(releases, trial, workflow, excuse),
  }));
  const worst = results.toSorted((a, b) => weightOf(b.result) - weightOf(a.result))[0];
  if (worst === undefined) return verdict(trial, "healthy", "no workflow may be served here");
  const health = healthOf(worst.result);
  const because = `${worst.workflow} in ${trial.region}: ${worst.result.because}`;
  const witnesses = results.map(({ workflow, result }) => ({
    observer: `canary:${workflow}`,
    observerRegion: trial.region,
    saw: `${result.verdict}: ${result.because}`,
  }));
  return { ...verdict(trial, health, because), witnesses };
}

function canaryOf(
  releases: ReleasesInput,
  trial: ReleaseTrial,
  { workflow, serves, golden }: TrialWorkflow,
  excuse: string | null,
): CanaryResult {
  return analyseCanary({
    old: oldSample(releases, trial, workflow),
    new: sampleIn(releases, trial.release, workflow, trial.region),
    control: controlOf(releases, trial, workflow),
    excuse,
    expects: { traffic: serves, golden },
    thresholds: trial.thresholds,
  });
}

/**
 * In the same region where it was seen there: regions differ in speed, and in what is asked. Of the
 * golden questions also what other regions were asked: a region that got the new release before it
 * had asked the old one everything would else wait for ever.
 */
function oldSample(releases: ReleasesInput, trial: ReleaseTrial, workflow: string): ReleaseSample {
  const here = sampleIn(releases, trial.old, workflow, trial.region);
  const anywhere = sampleIn(releases, trial.old, workflow, null);
  return {
    ...(here.requests > 0 ? here : anywhere),
    golden: new Map([...anywhere.golden, ...here.golden]),
  };
}

function sampleIn(
  { windows, golden }: ReleasesInput,
  release: string,
  workflow: string,
  region: string | null,
): ReleaseSample {
  const isMeant = (one: { readonly workflow: string; readonly region: string }): boolean =>
    one.workflow === workflow && (region === null || one.region === region);
  return sampleOf(
    windows.filter((window) => isMeant(window) && window.release === release),
    golden
      .filter(isMeant)
      .flatMap(({ scores }) => scores)
      .filter((score) => score.release === release),
  );
}

function controlOf({ windows }: ReleasesInput, trial: ReleaseTrial, workflow: string) {
  const elsewhere = windows.filter(
    (window) =>
      window.workflow === workflow &&
      window.release === trial.old &&
      window.region !== trial.region &&
      window.recent.requests > 0,
  );
  if (elsewhere.length === 0) return null;
  const recent = elsewhere.map((window) => ({ ...window, ...window.recent }));
  return { before: sampleOf(elsewhere), now: { ...NO_SAMPLE, ...sampleOf(recent) } };
}

function healthOf({ verdict: found, findings }: CanaryResult): Health {
  if (found === "fail") return "failed";
  if (found === "pass") return "healthy";
  const looksWorse = findings.some(({ state }) => state === "worse" || state === "suspect");
  return looksWorse ? "degraded" : "unknown";
}

const WEIGHT: Readonly<Record<Health, number>> = { healthy: 0, unknown: 1, degraded: 2, failed: 3 };

function weightOf(result: CanaryResult): number {
  return WEIGHT[healthOf(result)];
}

function verdict(trial: ReleaseTrial, health: Health, because: string): Verdict {
  return {
    domain: "bad-release",
    region: trial.region,
    health,
    release: trial.release,
    because,
    witnesses: [],
    failingForMs: health === "failed" || health === "degraded" ? trial.sinceMs : 0,
  };
}

function short({ release }: Pick<ReleaseTrial, "release">): string {
  return release.slice(0, "sha256:".length + 12);
}

function list(words: readonly string[]): string {
  const last = words.at(-1);
  if (words.length <= 1 || last === undefined) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${last}`;
}
