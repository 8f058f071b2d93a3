import type { ReleaseTrial } from "../../core/verdicts/input.ts";
import { type CanaryThresholds, DEFAULT_CANARY } from "../../model/canary.ts";
import type { Intent } from "../../model/intent.ts";
import { type ReleaseIntent, releaseOf } from "../../model/release-intent.ts";
import { releaseSpecOf, type Spec, type WorkflowSpec } from "../../model/spec.ts";

/** In ms, of a spec without a release of its own. */
const PROBATION_MS = 15 * 60_000;

/**
 * Which regions run a release that is not proven yet, or was proven a short while ago: a fault that
 * needs more than a bake's traffic to show still has its cure. `now`: wall clock, since it is another
 * process that wrote when it began.
 */
export function trialsOf(
  spec: Spec,
  intent: ReleaseIntent | null,
  intents: readonly Intent[],
  options: {
    readonly now: number;
    /** What the release says of how it is to be judged; absent where it says nothing. */
    readonly thresholds?: (release: string) => CanaryThresholds | undefined;
  },
): ReleaseTrial[] {
  if (intent === null) return [];
  const probationMs = releaseSpecOf(spec)?.probation ?? PROBATION_MS;
  return Object.keys(spec.regions).flatMap((region) => {
    const release = releaseOf(intent, region);
    const sinceMs = Math.max(0, options.now - (intent.regions[region]?.since ?? intent.since));
    const old = comparedWith(intent, release, sinceMs <= probationMs);
    if (old === null) return [];
    return [
      {
        region,
        release,
        old,
        sinceMs,
        workflows: workflowsIn(spec, region, intents),
        thresholds: options.thresholds?.(release) ?? DEFAULT_CANARY,
      },
    ];
  });
}

/** The last good release; for one that has just become it, the one before; null: nothing to judge. */
function comparedWith(
  { good }: ReleaseIntent,
  release: string,
  onProbation: boolean,
): string | null {
  const [newest = null, before = null] = good;
  if (release !== newest) return newest;
  return onProbation ? before : null;
}

function workflowsIn(spec: Spec, region: string, intents: readonly Intent[]) {
  return Object.entries(spec.workflows)
    .filter(([, workflow]) => mayServe(workflow, region))
    .map(([workflow, { golden }]) => ({
      workflow,
      serves: intents.some((one) => one.workflow === workflow && one.serving.includes(region)),
      golden: golden !== undefined,
    }));
}

function mayServe({ primary, standbys }: WorkflowSpec, region: string): boolean {
  return primary === region || standbys.includes(region);
}
