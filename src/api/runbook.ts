import { decide } from "../core/decisions/decide.ts";
import { announcementOf } from "../core/plans/announcement.ts";
import { planFor } from "../core/plans/plan.ts";
import { NO_RELEASE } from "../core/publish/releases.ts";
import { initialIntents, initialOwnerships } from "../core/publish/snapshot.ts";
import { TideoverError } from "../lib/errors.ts";
import type { FailureDomain } from "../model/domain.ts";
import { intentSchema, ownershipSchema } from "../model/intent.ts";
import { KEYS } from "../model/keys.ts";
import type { Plan } from "../model/plan.ts";
import { readinessSchema } from "../model/readiness.ts";
import type { Release } from "../model/release.ts";
import { knownReleaseSchema, releaseIntentSchema, releaseOf } from "../model/release-intent.ts";
import type { DetectionSpec, Spec } from "../model/spec.ts";
import { formatDuration } from "../model/units.ts";
import type { Verdict } from "../model/verdict.ts";
import type { Store } from "../ports/store.ts";
import { indexRunbookOf } from "./index-runbook.ts";
import { type ReleaseRunbook, releaseRunbookOf } from "./release-runbook.ts";
import { readAll } from "./status.ts";

export interface Runbook {
  readonly workflow: string;
  readonly situation: string;
  readonly whoDeclares: string;
  /** One line a failure domain: on what it is declared. */
  readonly signals: readonly string[];
  readonly verifiedBeforeOpening: readonly string[];
  readonly expectedVersions: readonly string[];
  readonly acceptableModes: readonly string[];
  readonly customers: string;
  /** The plan that would run now; null with the reason in `situation`. */
  readonly plan: Plan | null;
  /** How its index is given another owner, without any traffic; null: it has none, or nobody may. */
  readonly indexMove: Plan | null;
  /** How the release is changed, and changed back; null: an estate without one. */
  readonly release: ReleaseRunbook | null;
}

const SEEN: Readonly<Record<FailureDomain, (detection: DetectionSpec) => string>> = {
  "region-outage": ({ witnesses, confirm }) =>
    `at least ${witnesses} observers, one of them outside the region, saw nothing but failures for ${formatDuration(confirm)}`,
  "capacity-loss": ({ confirm }) =>
    `every model of the region failed its own gateway for ${formatDuration(confirm)}`,
  "index-corruption": () =>
    "the region's agent measured it, or its gateway was refused by the copy",
  "provider-outage": () => "nobody judges it yet",
  "bad-release": () => "the release on trial is proven worse than the last good one",
  "stale-data": () => "the pipeline's watermarks are older than is allowed; nothing moves for it",
};

/**
 * What would happen to a workflow if the region that serves it failed now: the same decision and
 * the same plan that the controller would make, from the same state, so that the runbook cannot
 * disagree with the machine. `store` null (nothing runs yet): as right after the first start.
 */
export async function runbookOf(
  store: Store | null,
  estate: { spec: Spec; release: { digest: string; body: Release } | null },
  workflow: string,
  now: number,
): Promise<Runbook> {
  const { spec } = estate;
  const workflowSpec = spec.workflows[workflow];
  if (!workflowSpec) throw unknownWorkflow(spec, workflow);
  const state = await presentState(store, spec, workflow, now);
  const decision = decide({
    workflow,
    spec: workflowSpec,
    intent: { ...state.intent, movingBy: null },
    verdicts: supposeFailed(spec, state.intent.serving.slice(0, 1), spec.detection.confirm),
    readiness: state.readiness,
    request: { id: "runbook", kind: "failover", workflow, to: null, by: "runbook", at: now },
    sinceLastMoveMs: null,
    cooldownMs: spec.detection.cooldown,
    unsettledDependencies: [],
  });
  const release = await releaseIn(store, estate, decision.to[0] ?? state.intent.serving[0] ?? "");
  const plan =
    decision.kind === "hold"
      ? null
      : planFor({
          decision,
          intent: state.intent,
          spec: workflowSpec,
          detection: spec.detection,
          ownerships: state.ownerships,
          release: release?.digest ?? NO_RELEASE,
          id: "would-be",
          parent: null,
          now,
        });
  const { declare, customers } = workflowSpec;
  return {
    workflow,
    situation: plan
      ? `${state.intent.serving.join(", ")} serves it now (epoch ${state.intent.epoch}). If ${decision.from.join(", ")} failed now: ${decision.kind} to ${decision.to.join(", ")}.`
      : `${state.intent.serving.join(", ")} serves it now, and no plan could run: ${decision.because}`,
    whoDeclares:
      declare.by === "automatic"
        ? `Tideover declares by itself after ${formatDuration(spec.detection.confirm)} of agreement; ${declare.who} answers for it.`
        : `${declare.who} declares, by \`tideover failover ${workflow}\`; Tideover waits until then.`,
    signals: declare.signals.map((domain) => `${domain}: ${SEEN[domain](spec.detection)}`),
    verifiedBeforeOpening: verifications(spec, workflow, release?.body ?? null),
    expectedVersions: expectedVersions(release, workflowSpec.prompt),
    acceptableModes:
      workflowSpec.degradedModes.length > 0
        ? workflowSpec.degradedModes
        : ["none: full answers or none"],
    customers: `${customers.channel}: ${plan ? announcementOf(plan, customers.message) : customers.message}`,
    plan,
    indexMove: indexMoveOf(spec, workflow, state, now),
    release: await releaseRunbookOf(store, estate, now),
  };
}

/** What the region serves now, which need not be what the release folder holds by now. */
async function releaseIn(
  store: Store | null,
  { release }: { release: { digest: string; body: Release } | null },
  region: string,
): Promise<{ digest: string; body: Release } | null> {
  const stored = store === null ? null : await store.get(KEYS.releaseIntent);
  const intent = releaseIntentSchema.safeParse(stored?.value);
  if (store === null || !intent.success) return release;
  const entry = await store.get(KEYS.release(releaseOf(intent.data, region)));
  const known = knownReleaseSchema.safeParse(entry?.value);
  return known.success ? known.data : release;
}

function indexMoveOf(
  spec: Spec,
  workflow: string,
  { ownerships, intents }: PresentState,
  now: number,
): Plan | null {
  const index = spec.workflows[workflow]?.retrieval?.index;
  const ownership = ownerships.find((owned) => owned.index === index);
  return ownership === undefined ? null : indexRunbookOf(spec, { ownership, intents }, now);
}

interface PresentState {
  intent: ReturnType<typeof intentSchema.parse>;
  /** Of every workflow. */
  intents: ReturnType<typeof intentSchema.parse>[];
  ownerships: ReturnType<typeof ownershipSchema.parse>[];
  readiness: ReturnType<typeof readinessSchema.parse>[];
}

async function presentState(
  store: Store | null,
  spec: Spec,
  workflow: string,
  now: number,
): Promise<PresentState> {
  const stored = store ? await readAll(store, KEYS.intents, intentSchema) : [];
  const intents = initialIntents(spec, now).map(
    (first) => stored.find((one) => one.workflow === first.workflow) ?? first,
  );
  const intent = intents.find((candidate) => candidate.workflow === workflow);
  if (!intent) throw unknownWorkflow(spec, workflow);
  const readiness = store ? await readAll(store, KEYS.readinesses, readinessSchema) : [];
  const owned = store ? await readAll(store, KEYS.ownerships, ownershipSchema) : [];
  return {
    intent,
    intents,
    // As the intents: a store that no controller has filled yet stands before the first start.
    ownerships: initialOwnerships(spec).map(
      (first) => owned.find(({ index }) => index === first.index) ?? first,
    ),
    readiness: readiness.filter((one) => one.workflow === workflow),
  };
}

function supposeFailed(spec: Spec, failed: readonly string[], failingForMs: number): Verdict[] {
  return Object.keys(spec.regions).map((region) => ({
    domain: "region-outage" as const,
    region,
    health: failed.includes(region) ? ("failed" as const) : ("healthy" as const),
    because: "supposed by the runbook",
    witnesses: [],
    failingForMs: failed.includes(region) ? failingForMs : 0,
  }));
}

function verifications(spec: Spec, workflow: string, release: Release | null): string[] {
  const { retrieval, golden, rpo } = spec.workflows[workflow] ?? {};
  const index = retrieval ? spec.indexes[retrieval.index] : undefined;
  return [
    "the model that answers is the release's, by name and by fingerprint",
    ...(release?.contract ? ["the runtime is what the release's serving contract asks for"] : []),
    "the gateway serves the release digest that is expected",
    ...(retrieval && index
      ? [
          `index ${retrieval.index} holds documents and lags at most ${formatDuration(Math.min(index.maxLag, rpo ?? index.maxLag))}`,
          "no tenant sees another tenant's canary document, and each sees its own",
        ]
      : []),
    "the canary request is in the region's audit log",
    "the rate limit is in force",
    ...(golden
      ? [
          `at least ${Math.round(golden.minimum * 100)} % of ${golden.sample} golden questions find the right document and answer`,
        ]
      : []),
  ];
}

function expectedVersions(
  release: { digest: string; body: Release } | null,
  prompt: string | undefined,
): string[] {
  if (!release) return ["no release: targets are used as they are"];
  const { body, digest } = release;
  const version = prompt ? body.prompts[prompt]?.version : undefined;
  return [
    `release ${body.name} ${body.version} (${digest})`,
    `model ${body.model.id} (${body.model.digest})`,
    ...(version ? [`prompt ${prompt} (${version})`] : []),
    ...(body.embedding ? [`embedding ${body.embedding.id} (${body.embedding.fingerprint})`] : []),
  ];
}

function unknownWorkflow(spec: Spec, workflow: string): TideoverError {
  return new TideoverError(`there is no workflow "${workflow}"`, {
    code: "NOT_FOUND",
    next: `The spec has: ${Object.keys(spec.workflows).join(", ")}.`,
  });
}
