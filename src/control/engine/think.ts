import { decide } from "../../core/decisions/decide.ts";
import { type SeenTarget, targetsSeen } from "../../core/signals/troubles.ts";
import { toWindows } from "../../core/signals/windows.ts";
import { judge } from "../../core/verdicts/judge.ts";
import type { Decision } from "../../model/decision.ts";
import type { Intent } from "../../model/intent.ts";
import type { OperatorRequest } from "../../model/request.ts";
import type { Spec } from "../../model/spec.ts";
import type { Verdict } from "../../model/verdict.ts";
import { freshMsOf, horizonOf, type Observation } from "./observe.ts";
import type { Held } from "./state.ts";

/** How long ago a workflow's last unplanned plan ended, and how long it must rest after it. */
export interface Rest {
  readonly sinceLastMoveMs: number | null;
  readonly cooldownMs: number;
}

export interface WorkflowThought {
  readonly intent: Held<Intent>;
  readonly decision: Decision;
  readonly request: OperatorRequest | null;
  /** The request must wait for something that ends by itself; else it is answered now, or refused. */
  readonly requestWaits: boolean;
}

export interface Thought {
  readonly verdicts: readonly Verdict[];
  /** Regions whose outage is certain. */
  readonly failed: readonly string[];
  /** What the gateways say of their targets. No decision rests on it. */
  readonly targets: readonly SeenTarget[];
  readonly workflows: readonly WorkflowThought[];
}

/** What is true, and what to do about it. Pure: the same observation gives the same thought. */
export function think(spec: Spec, seen: Observation, restOf: (workflow: string) => Rest): Thought {
  const horizonMs = horizonOf(spec.detection);
  const windows = toWindows(seen.signals, { now: seen.now, horizonMs });
  const regions = Object.keys(spec.regions);
  const verdicts = judge({ windows, regions, detection: spec.detection, now: seen.now });
  const failed = verdicts
    .filter(({ domain, health }) => domain === "region-outage" && health === "failed")
    .map(({ region }) => region);
  const workflows = Object.keys(spec.workflows).flatMap((name) => {
    const intent = seen.intents.find(({ value }) => value.workflow === name);
    return intent ? [thinkOf(spec, seen, { intent, verdicts, failed, rest: restOf(name) })] : [];
  });
  const freshMs = freshMsOf(spec.detection);
  const targets = targetsSeen(seen.signals, { now: seen.now, freshMs });
  return { verdicts, failed, targets, workflows };
}

function thinkOf(
  spec: Spec,
  seen: Observation,
  about: {
    readonly intent: Held<Intent>;
    readonly verdicts: readonly Verdict[];
    readonly failed: readonly string[];
    readonly rest: Rest;
  },
): WorkflowThought {
  const { intent, verdicts, failed, rest } = about;
  const { workflow } = intent.value;
  const workflowSpec = spec.workflows[workflow];
  if (workflowSpec === undefined) throw new Error(`no workflow ${workflow} in the spec`);
  const request = seen.requests.find((one) => one.workflow === workflow) ?? null;
  const unsettled = unsettledOf(workflowSpec.dependsOn, seen.intents, failed);
  const decision = decide({
    workflow,
    spec: workflowSpec,
    intent: intent.value,
    verdicts,
    readiness: seen.readiness.filter((one) => one.workflow === workflow),
    request,
    ...rest,
    unsettledDependencies: unsettled,
  });
  const requestWaits = intent.value.movingBy !== null || unsettled.length > 0;
  return { intent, decision, request, requestWaits };
}

/** While these move, or serve from a dead region, moving what depends on them would not cure it. */
function unsettledOf(
  dependsOn: readonly string[],
  intents: readonly Held<Intent>[],
  failed: readonly string[],
): string[] {
  return intents
    .map(({ value }) => value)
    .filter(({ workflow }) => dependsOn.includes(workflow))
    .filter(({ movingBy, serving }) => movingBy !== null || serving.some((r) => failed.includes(r)))
    .map(({ workflow }) => workflow);
}
