import {
  type CopyWindow,
  copiesOf,
  type WallClock,
  wallClocksOf,
} from "../../core/signals/indexes.ts";
import { outcomesOf, type SeenOfReleases } from "../../core/signals/outcomes.ts";
import { signalsOf } from "../../core/signals/windows.ts";
import type { IndexHold, Intent, Ownership } from "../../model/intent.ts";
import { KEYS } from "../../model/keys.ts";
import { type Readiness, readinessSchema } from "../../model/readiness.ts";
import type { ReleaseIntent } from "../../model/release-intent.ts";
import {
  type IndexRequest,
  indexRequestSchema,
  type OperatorRequest,
  operatorRequestSchema,
  type ReleaseRequest,
  releaseRequestSchema,
} from "../../model/request.ts";
import { regionReportSchema, type Signal } from "../../model/signal.ts";
import type { DetectionSpec } from "../../model/spec.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Store } from "../../ports/store.ts";
import type { Probing } from "./probing.ts";
import type { ReportLog } from "./reports.ts";
import {
  type Held,
  type ReleaseName,
  readIndexHolds,
  readIntents,
  readOwnerships,
  readReleaseIntent,
  readReleaseNames,
  readSnapshot,
  type StoredSnapshot,
} from "./state.ts";

/** All that one turn thinks about. */
export interface Observation {
  /** Monotonic. */
  readonly now: number;
  /** Wall clock, for what other processes dated. */
  readonly wallNow: number;
  readonly signals: readonly Signal[];
  readonly intents: readonly Held<Intent>[];
  readonly ownerships: readonly Held<Ownership>[];
  /** Indexes that a plan moves alone. */
  readonly indexHolds: readonly Held<IndexHold>[];
  /** Oldest first. */
  readonly indexRequests: readonly IndexRequest[];
  readonly readiness: readonly Readiness[];
  /** Oldest first. */
  readonly requests: readonly OperatorRequest[];
  /** null: an estate without a release. */
  readonly releaseIntent: Held<ReleaseIntent> | null;
  readonly releases: readonly ReleaseName[];
  /** Oldest first. */
  readonly releaseRequests: readonly ReleaseRequest[];
  /** What became of requests and of golden questions, by release. */
  readonly seenOfReleases: SeenOfReleases;
  /** Each region's copy of each index, as its agent reported it lately. */
  readonly copies: readonly CopyWindow[];
  /** What the observers' wall clocks show, for what is dated in source time. */
  readonly clocks: readonly WallClock[];
  readonly snapshot: Held<StoredSnapshot> | null;
  /** Snapshot number of each gateway that a report spoke of, and when that report came. */
  readonly gateways: ReadonlyMap<string, { readonly number: number | null; readonly at: number }>;
}

/** How far back signals are kept: three confirm windows say how long a failing run really is. */
export function horizonOf(detection: DetectionSpec): number {
  return detection.confirm * 3 + 2_000;
}

/** What an older report calls recent is not. */
const RECENT_REPORT_MS = 5_000;

/** Two whole rounds of looking: what nobody has looked at since is unknown. */
export function freshMsOf({ interval, timeout }: DetectionSpec): number {
  return 2 * (interval + timeout);
}

/** Throws STORE_UNAVAILABLE. Nobody thinks about a part of the state: all of it was read, or none. */
export async function observe(options: {
  readonly store: Store;
  readonly clock: Clock;
  readonly probing: Probing;
  readonly reports: ReportLog;
}): Promise<Observation> {
  const { store, clock, probing, reports } = options;
  const [stored, intents, indexes, readiness, requests, snapshot, release] = await Promise.all([
    readValid(store, KEYS.reports, regionReportSchema),
    readIntents(store),
    observeIndexes(store),
    readValid(store, KEYS.readinesses, readinessSchema),
    readValid(store, KEYS.requests, operatorRequestSchema),
    readSnapshot(store),
    observeRelease(store),
  ]);
  const now = clock.monotonic();
  reports.take(stored, now);
  const received = reports.received(now);
  const wallNow = clock.now();
  return {
    now,
    wallNow,
    signals: [...signalsOf(received), ...probing.signals()],
    copies: copiesOf(received, now),
    clocks: wallClocksOf(received, { now, wallNow }),
    intents,
    ...indexes,
    readiness,
    requests: oldestFirst(requests),
    ...release,
    seenOfReleases: outcomesOf(reports.newest().values(), { now, horizonMs: RECENT_REPORT_MS }),
    snapshot,
    gateways: gatewaysOf(reports),
  };
}

async function observeIndexes(
  store: Store,
): Promise<Pick<Observation, "ownerships" | "indexHolds" | "indexRequests">> {
  const [ownerships, indexHolds, requests] = await Promise.all([
    readOwnerships(store),
    readIndexHolds(store),
    readValid(store, KEYS.indexRequests, indexRequestSchema),
  ]);
  return { ownerships, indexHolds, indexRequests: oldestFirst(requests) };
}

async function observeRelease(
  store: Store,
): Promise<Pick<Observation, "releaseIntent" | "releases" | "releaseRequests">> {
  const [releaseIntent, releases, requests] = await Promise.all([
    readReleaseIntent(store),
    readReleaseNames(store),
    readValid(store, KEYS.releaseRequests, releaseRequestSchema),
  ]);
  return { releaseIntent, releases, releaseRequests: oldestFirst(requests) };
}

function oldestFirst<R extends { readonly at: number; readonly id: string }>(
  requests: readonly R[],
): R[] {
  return requests.toSorted((a, b) => a.at - b.at || (a.id < b.id ? -1 : 1));
}

function gatewaysOf(reports: ReportLog): Observation["gateways"] {
  return new Map(
    [...reports.newest()].map(([region, { report, receivedAt }]) => [
      region,
      { number: report.gateway?.number ?? null, at: receivedAt },
    ]),
  );
}

interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false };
}

/** What others wrote: one of them being of another version must not blind the controller. */
async function readValid<T>(store: Store, prefix: string, schema: Schema<T>): Promise<T[]> {
  return (await store.list(prefix)).flatMap(({ value }) => {
    const parsed = schema.safeParse(value);
    return parsed.success ? [parsed.data] : [];
  });
}
