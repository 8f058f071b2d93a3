import type { FailureDomain } from "../../model/domain.ts";
import type { Verdict } from "../../model/verdict.ts";
import type { DecisionInput } from "./input.ts";

/** What the verdicts on model serving mean for one workflow. */

type About = Pick<DecisionInput, "verdicts">;

/** Why no model of this region answers; null when one does, or when that is not certain. */
export function capacityLossOf(about: About, region: string): string | null {
  const found = verdictOn(about, region);
  return found?.health === "failed" ? found.because : null;
}

export function hasLostCapacity(about: About, region: string): boolean {
  return capacityLossOf(about, region) !== null;
}

export function capacityReason(about: About, lost: readonly string[]): string {
  return `capacity loss: ${lost.map((region) => capacityLossOf(about, region) ?? region).join(", ")}`;
}

/** What is wrong with the models and moves nothing, as clauses for a decision at rest. */
export function capacityTroubles(input: DecisionInput): string[] {
  return input.intent.serving.flatMap((region) => {
    const found = verdictOn(input, region);
    // Of a region that is out its own verdict says all; else what is unknown has a shared cause.
    const isShared = found?.health === "unknown" && isAnswering(input, region);
    return found?.health === "degraded" || isShared ? [found.because] : [];
  });
}

function isAnswering(about: About, region: string): boolean {
  const outage = verdictOn(about, region, "region-outage")?.health;
  return outage === "healthy" || outage === "degraded";
}

function verdictOn(
  { verdicts }: About,
  region: string,
  domain: FailureDomain = "capacity-loss",
): Verdict | undefined {
  return verdicts.find((one) => one.domain === domain && one.region === region);
}
