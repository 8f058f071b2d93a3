import type { Intent, Ownership } from "../../model/intent.ts";
import type { Snapshot, WorkflowRoute } from "../../model/snapshot.ts";
import type { RegionSpec, Spec, WorkflowSpec } from "../../model/spec.ts";
import { bodiesInUse, type EstateReleases } from "./releases.ts";

export interface SnapshotInput {
  readonly spec: Spec;
  readonly releases: EstateReleases;
  readonly intents: readonly Intent[];
  readonly number: number;
  readonly because: string;
  readonly now: number;
}

/**
 * What the gateways shall serve from now on, as one value. It holds hashes of keys and names of
 * environment variables, never a secret: it is copied to every region and kept on disk there.
 */
export function buildSnapshot(input: SnapshotInput): Snapshot {
  const { spec, releases, intents } = input;
  const byWorkflow = new Map(intents.map((intent) => [intent.workflow, intent]));
  return {
    estate: spec.estate,
    number: input.number,
    issuedAt: input.now,
    because: input.because,
    releases: bodiesInUse(spec, releases),
    maxBodyBytes: spec.maxBody,
    reflex: spec.reflex,
    regions: mapValues(spec.regions, (region, name) => regionEntry(region, releases.of(name))),
    workflows: mapValues(spec.workflows, (workflow, name) =>
      routeOf(spec, workflow, byWorkflow.get(name) ?? initialIntent(name, workflow, input.now)),
    ),
    tenants: mapValues(spec.tenants, ({ keys, labels }) => ({
      keys: [...keys],
      ...(labels === undefined ? {} : { labels: [...labels] }),
    })),
  };
}

/** Who serves before anything has happened: the primary, or everyone in active-active. */
export function initialIntents(spec: Spec, now: number): Intent[] {
  return Object.entries(spec.workflows).map(([name, workflow]) =>
    initialIntent(name, workflow, now),
  );
}

/** Which region's pipeline writes each index at first. */
export function initialOwnerships(spec: Spec): Ownership[] {
  return Object.entries(spec.indexes).map(([index, { home }]) => ({
    index,
    epoch: 1,
    region: home,
    frozen: false,
  }));
}

function initialIntent(workflow: string, spec: WorkflowSpec, now: number): Intent {
  const serving =
    spec.pattern === "active-active" ? [spec.primary, ...spec.standbys] : [spec.primary];
  return {
    workflow,
    epoch: 1,
    serving,
    mode: null,
    movingBy: null,
    because: `the spec says ${spec.pattern} with primary ${spec.primary}`,
    since: now,
  };
}

function regionEntry(region: RegionSpec, release: string): Snapshot["regions"][string] {
  return {
    gateway: `http://${region.gateway}`,
    jurisdiction: region.jurisdiction,
    release,
    targets: region.components.runtime.targets.map(
      ({ name, url, model, keyEnv, continuation, probe, reference }) => ({
        name,
        url,
        model,
        keyEnv: keyEnv ?? null,
        // Our own runtime can; of anybody else's server nothing is supposed.
        continuation: continuation ?? (reference ? "continue-final-message" : "none"),
        ...(probe === undefined ? {} : { probe }),
      }),
    ),
  };
}

function routeOf({ indexes }: Spec, spec: WorkflowSpec, intent: Intent): WorkflowRoute {
  return {
    epoch: intent.epoch,
    serving: [...intent.serving],
    mode: intent.mode,
    degradedModes: [...spec.degradedModes],
    prompt: spec.prompt ?? null,
    retrieval: retrievalOf(indexes, spec),
    deadlineMs: spec.deadline,
    delivery: spec.delivery,
    hedge: spec.hedge,
    longContext: spec.longContext ?? null,
  };
}

function retrievalOf(
  indexes: Spec["indexes"],
  { retrieval }: WorkflowSpec,
): WorkflowRoute["retrieval"] {
  if (retrieval === undefined) return null;
  const { index, topK, required, stale } = retrieval;
  const freshness = indexes[index]?.freshness;
  const judged = freshness === undefined ? {} : { freshness: { ...freshness, stale } };
  return { index, topK, required, ...judged };
}

function mapValues<In, Out>(
  record: Readonly<Record<string, In>>,
  change: (value: In, key: string) => Out,
): Record<string, Out> {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [key, change(value, key)]),
  );
}
