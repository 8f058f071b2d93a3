import { hasLostCapacity } from "../../core/decisions/capacity.ts";
import { isDamaged } from "../../core/decisions/damage.ts";
import { decide } from "../../core/decisions/decide.ts";
import type { IndexDecisionInput } from "../../core/decisions/index-input.ts";
import { decideIndex, indexRequestWaits } from "../../core/decisions/index-owner.ts";
import {
  decideRelease,
  type ReleaseDecisionInput,
  releaseRequestWaits,
} from "../../core/decisions/release.ts";
import { type SeenTarget, targetsSeen } from "../../core/signals/troubles.ts";
import { toWindows } from "../../core/signals/windows.ts";
import { judge } from "../../core/verdicts/judge.ts";
import { type Decision, indexSubject } from "../../model/decision.ts";
import type { Intent, Ownership } from "../../model/intent.ts";
import { type ReleaseIntent, releaseOf } from "../../model/release-intent.ts";
import type { IndexRequest, OperatorRequest, ReleaseRequest } from "../../model/request.ts";
import type { Spec } from "../../model/spec.ts";
import type { Verdict } from "../../model/verdict.ts";
import { freshMsOf, horizonOf, type Observation } from "./observe.ts";
import type { Held } from "./state.ts";
import { trialsOf } from "./trials.ts";

/** How long ago a workflow's last unplanned plan ended, and how long it must rest after it. */
export interface Rest {
  readonly sinceLastMoveMs: number | null;
  readonly cooldownMs: number;
  /** Of an index: the last plan of it failed at draining its owner, not long ago. */
  readonly drainFailed: boolean;
}

export interface WorkflowThought {
  readonly intent: Held<Intent>;
  readonly decision: Decision;
  readonly request: OperatorRequest | null;
  /** The request must wait for something that ends by itself; else it is answered now, or refused. */
  readonly requestWaits: boolean;
}

export interface IndexThought {
  readonly ownership: Held<Ownership>;
  readonly decision: Decision;
  readonly request: IndexRequest | null;
  readonly requestWaits: boolean;
}

export interface ReleaseThought {
  readonly intent: Held<ReleaseIntent>;
  readonly decision: Decision;
  readonly request: ReleaseRequest | null;
  readonly requestWaits: boolean;
}

export interface Thought {
  readonly verdicts: readonly Verdict[];
  /** Regions whose outage is certain. */
  readonly failed: readonly string[];
  /** What the gateways say of their targets, one by one; decisions rest on the verdicts. */
  readonly targets: readonly SeenTarget[];
  readonly workflows: readonly WorkflowThought[];
  /** Who shall own each index. */
  readonly indexes: readonly IndexThought[];
  /** null: an estate without a release. */
  readonly release: ReleaseThought | null;
}

/** What is true, and what to do about it. Pure: the same observation gives the same thought. */
export function think(spec: Spec, seen: Observation, restOf: (subject: string) => Rest): Thought {
  const horizonMs = horizonOf(spec.detection);
  const windows = toWindows(seen.signals, { now: seen.now, horizonMs });
  const regions = Object.keys(spec.regions);
  const intents = seen.intents.map(({ value }) => value);
  const trials = trialsOf(spec, seen.releaseIntent?.value ?? null, intents, {
    now: seen.wallNow,
    thresholds: (release) => seen.releases.find(({ digest }) => digest === release)?.canary,
  });
  const releases = { trials, ...seen.seenOfReleases };
  const verdicts = judge({
    windows,
    regions,
    detection: spec.detection,
    now: seen.now,
    models: modelsOf(spec),
    releases,
    indexes: indexesOf(spec, seen),
  });
  const failed = verdicts
    .filter(({ domain, health }) => domain === "region-outage" && health === "failed")
    .map(({ region }) => region);
  const workflows = Object.keys(spec.workflows).flatMap((name) => {
    const intent = seen.intents.find(({ value }) => value.workflow === name);
    return intent ? [thinkOf(spec, seen, { intent, verdicts, failed, rest: restOf(name) })] : [];
  });
  const freshMs = freshMsOf(spec.detection);
  const targets = targetsSeen(seen.signals, { now: seen.now, freshMs });
  const release = thinkOfRelease(spec, seen, verdicts, failed);
  const indexes = seen.ownerships
    .filter(({ value }) => spec.indexes[value.index] !== undefined)
    .map((ownership) => thinkOfIndex(spec, seen, { ownership, verdicts, restOf }));
  return { verdicts, failed, targets, workflows, indexes, release };
}

function thinkOfIndex(
  spec: Spec,
  seen: Observation,
  about: {
    readonly ownership: Held<Ownership>;
    readonly verdicts: readonly Verdict[];
    readonly restOf: (subject: string) => Rest;
  },
): IndexThought {
  const { ownership, verdicts, restOf } = about;
  const { index } = ownership.value;
  const request = seen.indexRequests.find((one) => one.index === index) ?? null;
  const input: IndexDecisionInput = {
    ownership: ownership.value,
    heldBy: seen.indexHolds.find(({ value }) => value.index === index)?.value.plan ?? null,
    workflows: searching(spec, seen, index),
    verdicts,
    copies: seen.copies
      .filter((copy) => copy.index === index)
      .flatMap(({ region, seen: [newest] }) => (newest ? [{ region, state: newest.state }] : [])),
    maxLagMs: spec.indexes[index]?.maxLag ?? 0,
    request,
    ...restOf(indexSubject(index)),
  };
  return {
    ownership,
    decision: decideIndex(input),
    request,
    requestWaits: indexRequestWaits(input),
  };
}

function modelsOf({ regions }: Spec): ReadonlyMap<string, readonly string[]> {
  return new Map(
    Object.entries(regions).map(([region, { components }]) => [
      region,
      components.runtime.targets.map(({ name }) => name),
    ]),
  );
}

function searching(spec: Spec, seen: Observation, index: string): IndexDecisionInput["workflows"] {
  return seen.intents.flatMap(({ value: intent }) => {
    const workflow = spec.workflows[intent.workflow];
    if (workflow?.retrieval?.index !== index) return [];
    return [{ name: intent.workflow, spec: workflow, intent }];
  });
}

function indexesOf(spec: Spec, { copies, clocks, ownerships }: Observation) {
  return {
    copies,
    clocks,
    owners: new Map(ownerships.map(({ value: { index, region } }) => [index, region] as const)),
    freshness: new Map(
      Object.entries(spec.indexes).flatMap(([index, { freshness }]) =>
        freshness === undefined ? [] : [[index, freshness] as const],
      ),
    ),
    tenants: Object.keys(spec.tenants),
  };
}

function thinkOfRelease(
  spec: Spec,
  seen: Observation,
  verdicts: readonly Verdict[],
  failed: readonly string[],
): ReleaseThought | null {
  const { releaseIntent: intent, releases, intents } = seen;
  if (intent === null) return null;
  const [first = null] = seen.releaseRequests;
  // Whoever wants to go back must not wait behind a word that waits for the end of a bake.
  const request = seen.releaseRequests.find(({ kind }) => kind === "rollback") ?? first;
  const input: ReleaseDecisionInput = {
    intent: intent.value,
    regions: Object.keys(spec.regions),
    known: releases,
    failed,
    serving: [...new Set(intents.flatMap(({ value }) => value.serving))],
    moving: intents.filter(({ value }) => value.movingBy).map(({ value }) => value.workflow),
    request,
    bad: badRelease(verdicts, intent.value),
    unproven: unprovenRelease(verdicts, intent.value),
  };
  const decision = decideRelease(input);
  return { intent, decision, request, requestWaits: releaseRequestWaits(input) };
}

function unprovenRelease(verdicts: readonly Verdict[], intent: ReleaseIntent): string | null {
  const found = verdicts.find(
    ({ domain, health, region, release }) =>
      domain === "bad-release" && health !== "healthy" && release === releaseOf(intent, region),
  );
  return found?.because ?? null;
}

/**
 * The release that a verdict calls bad while its region runs it. What was seen of a release that
 * the region has left already says nothing of the one that it runs now.
 */
function badRelease(
  verdicts: readonly Verdict[],
  intent: ReleaseIntent,
): ReleaseDecisionInput["bad"] {
  const found = verdicts.find(
    ({ domain, health, region, release }) =>
      domain === "bad-release" && health === "failed" && release === releaseOf(intent, region),
  );
  return found?.release === undefined ? null : { digest: found.release, because: found.because };
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
  const unsettled = unsettledOf(spec, workflowSpec.dependsOn, seen.intents, { verdicts, failed });
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

/**
 * While these move, or serve from a region that is dead or without models, or from a bad copy, moving
 * what depends on them would not cure it.
 */
function unsettledOf(
  { workflows }: Spec,
  dependsOn: readonly string[],
  intents: readonly Held<Intent>[],
  { verdicts, failed }: Pick<Thought, "verdicts" | "failed">,
): string[] {
  const isBad = (workflow: string, region: string): boolean => {
    const spec = workflows[workflow];
    const isUnanswered = spec !== undefined && isDamaged({ spec, verdicts }, region);
    return failed.includes(region) || isUnanswered || hasLostCapacity({ verdicts }, region);
  };
  return intents
    .map(({ value }) => value)
    .filter(({ workflow }) => dependsOn.includes(workflow))
    .filter(
      ({ workflow, movingBy, serving }) =>
        movingBy !== null || serving.some((region) => isBad(workflow, region)),
    )
    .map(({ workflow }) => workflow);
}
