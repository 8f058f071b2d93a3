import type { Health } from "../../model/verdict.ts";
import { capacityLossOf } from "./capacity.ts";
import { damageOf } from "./damage.ts";
import type { DecisionInput } from "./input.ts";

/** What is known of the regions of one workflow. No verdict is the verdict `unknown`. */

export function healthOf({ verdicts }: DecisionInput, region: string): Health {
  return outageVerdict(verdicts, region)?.health ?? "unknown";
}

export function whyHealth({ verdicts }: DecisionInput, region: string): string {
  return outageVerdict(verdicts, region)?.because ?? `nobody has judged ${region} yet`;
}

function outageVerdict(verdicts: DecisionInput["verdicts"], region: string) {
  return verdicts.find((one) => one.domain === "region-outage" && one.region === region);
}

export function isFailed(input: DecisionInput, region: string): boolean {
  return healthOf(input, region) === "failed";
}

/** Regions that may serve the workflow, in the order in which the spec prefers them. */
export function candidatesOf({ spec, intent }: DecisionInput): string[] {
  return [...new Set([spec.primary, ...spec.standbys, ...intent.serving])];
}

/** Why this region must not be opened; null when nothing is known against it. */
export function objectionTo(input: DecisionInput, region: string): string | null {
  if (isFailed(input, region)) return `${region} has failed: ${whyHealth(input, region)}`;
  const unfit = damageOf(input, region) ?? capacityLossOf(input, region);
  if (unfit !== null) return unfit;
  const readiness = input.readiness.find((one) => one.region === region);
  // Never judged is no objection: the plan proves readiness anyway, before it opens anything.
  if (readiness === undefined || readiness.ready) return null;
  return `${region} is not ready: ${readiness.because}`;
}

/** Regions that may be opened, and those that may not with their reasons. Order is kept. */
export function sorted(
  input: DecisionInput,
  regions: readonly string[],
): { readonly open: string[]; readonly refused: { region: string; why: string }[] } {
  const judged = regions.map((region) => ({ region, why: objectionTo(input, region) }));
  return {
    open: judged.filter(({ why }) => why === null).map(({ region }) => region),
    refused: judged.flatMap(({ region, why }) => (why === null ? [] : [{ region, why }])),
  };
}
