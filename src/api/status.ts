import { z } from "zod";
import { targetsSeen } from "../core/signals/troubles.ts";
import { signalsOf } from "../core/signals/windows.ts";
import { decisionSchema, indexSubject } from "../model/decision.ts";
import { indexHoldSchema, intentSchema, ownershipSchema } from "../model/intent.ts";
import { KEYS } from "../model/keys.ts";
import { planSchema, planStateSchema } from "../model/plan.ts";
import { type Readiness, readinessSchema } from "../model/readiness.ts";
import type { IndexState, RegionReport } from "../model/signal.ts";
import { regionReportSchema } from "../model/signal.ts";
import type { Spec } from "../model/spec.ts";
import type { Trouble } from "../model/trouble.ts";
import type { Store } from "../ports/store.ts";
import { readNewestEvidence } from "./evidence.ts";

/** Of the published snapshot, what stands at the top of the status. */
const summarySchema = z.object({
  number: z.int(),
  regions: z.record(z.string(), z.object({ release: z.string() })),
});

/** A region's report older than this says what was, not what is. */
const REPORT_FRESH_MS = 5_000;

export interface StandbyStatus {
  readonly region: string;
  /** null: nobody has looked, or nobody has looked since its agent fell silent. */
  readonly ready: boolean | null;
  readonly because: string;
  /** Wall clock of the check, ms; null when there was none. */
  readonly at: number | null;
}

export interface WorkflowStatus {
  readonly workflow: string;
  readonly serving: readonly string[];
  readonly epoch: number;
  readonly mode: string;
  readonly movingBy: string | null;
  readonly standbys: readonly StandbyStatus[];
  readonly lastDecision: string;
  readonly rtoMs: number;
  readonly rpoMs: number;
}

export interface RegionStatus {
  readonly region: string;
  readonly jurisdiction: string;
  /** Agent's report: fresh, silent since, or never seen. */
  readonly agent: "reporting" | "silent" | "never seen";
  readonly gatewaySnapshot: number | null;
  readonly indexes: readonly IndexState[];
}

/** A target that a gateway leaves alone, or at which its newest requests fail. */
export interface TargetStatus extends Trouble {
  /** Region of the gateway whose word it is. */
  readonly gateway: string;
  /** Who looked at that gateway last. */
  readonly observer: string;
}

/** Who may write an index, and what the controllers think of that. */
export interface IndexOwner {
  readonly index: string;
  readonly region: string;
  readonly epoch: number;
  readonly frozen: boolean;
  /** Plan that moves the index alone; null at rest. */
  readonly movingBy: string | null;
  readonly lastDecision: string;
}

export interface EstateStatus {
  readonly estate: string;
  readonly leader: string | null;
  readonly snapshot: number | null;
  /** What every region shall serve; null before the first snapshot, and while they differ. */
  readonly releaseDigest: string | null;
  /** ISO time until which that release is signed; null: for ever, or nobody asks. */
  readonly releaseExpires: string | null;
  readonly workflows: readonly WorkflowStatus[];
  readonly regions: readonly RegionStatus[];
  /** Targets that are not well, as the gateways see them; none that nobody has looked at lately. */
  readonly targets: readonly TargetStatus[];
  readonly ownerships: readonly IndexOwner[];
  /** Plans under way. */
  readonly plans: readonly { id: string; workflow: string; kind: string; at: string }[];
  /** Newest sentences of the record, newest last. */
  readonly recent: readonly { at: number; text: string }[];
}

/**
 * The state of an estate at a glance, from the store alone: it is as good with every controller
 * dead as with all of them alive, and says which it is (`leader`).
 */
export async function readStatus(
  store: Store,
  spec: Spec,
  reportAges: (observer: string, seq: number) => number,
): Promise<EstateStatus> {
  const leader = await store.get(KEYS.leader);
  const snapshot = await store.get(KEYS.snapshot);
  const current = snapshotSummary(snapshot?.value);
  const reports = await readAgedReports(store, reportAges);
  const regions = regionStatuses(spec, reports);
  const silent = regions.filter(({ agent }) => agent !== "reporting").map(({ region }) => region);
  return {
    estate: spec.estate,
    leader: leaderName(leader?.value),
    snapshot: current?.number ?? null,
    releaseDigest: current?.releaseDigest ?? null,
    releaseExpires: await expiryOf(store, current?.releaseDigest ?? null),
    workflows: await workflowStatuses(store, spec, silent),
    regions,
    targets: targetStatuses(spec, reports),
    ownerships: await indexOwners(store),
    plans: await plansUnderWay(store),
    recent: (await readNewestEvidence(store, 8)).map(({ at, text }) => ({ at, text })),
  };
}

async function indexOwners(store: Store): Promise<IndexOwner[]> {
  const ownerships = await readAll(store, KEYS.ownerships, ownershipSchema);
  const holds = await readAll(store, KEYS.indexHolds, indexHoldSchema);
  const decisions = await readAll(store, KEYS.decisions, decisionSchema);
  return ownerships.map((owned) => ({
    ...owned,
    movingBy: holds.find(({ index }) => index === owned.index)?.plan ?? null,
    lastDecision:
      decisions.find(({ workflow }) => workflow === indexSubject(owned.index))?.because ??
      NOTHING_DECIDED,
  }));
}

const NOTHING_DECIDED = "no controller has decided anything yet";

const expirySchema = z.object({ expires: z.string().nullable().default(null) });

async function expiryOf(store: Store, digest: string | null): Promise<string | null> {
  if (digest === null) return null;
  const entry = await store.get(KEYS.release(digest));
  return expirySchema.safeParse(entry?.value).data?.expires ?? null;
}

async function workflowStatuses(
  store: Store,
  spec: Spec,
  silent: readonly string[],
): Promise<WorkflowStatus[]> {
  const intents = await readAll(store, KEYS.intents, intentSchema);
  const decisions = await readAll(store, KEYS.decisions, decisionSchema);
  const readiness = await readAll(store, KEYS.readinesses, readinessSchema);
  return Object.entries(spec.workflows).map(([workflow, { primary, standbys, rto, rpo }]) => {
    const intent = intents.find((candidate) => candidate.workflow === workflow);
    const serving = intent?.serving ?? [];
    return {
      workflow,
      serving,
      epoch: intent?.epoch ?? 0,
      mode: intent?.mode ?? "normal",
      movingBy: intent?.movingBy ?? null,
      standbys: [primary, ...standbys]
        .filter((region) => !serving.includes(region))
        .map((region) => standbyStatus(region, workflow, readiness, silent)),
      lastDecision:
        decisions.find((decision) => decision.workflow === workflow)?.because ?? NOTHING_DECIDED,
      rtoMs: rto,
      rpoMs: rpo,
    };
  });
}

/** What a region was proven to be holds only while its agent goes on looking. */
function standbyStatus(
  region: string,
  workflow: string,
  readiness: readonly Readiness[],
  silent: readonly string[],
): StandbyStatus {
  const found = readiness.find((one) => one.region === region && one.workflow === workflow);
  if (!found) return { region, ready: null, because: "its agent has not checked it yet", at: null };
  const { ready, because, at } = found;
  if (!silent.includes(region)) return { region, ready, because, at };
  return { region, ready: null, because: `its agent is silent; it last said: ${because}`, at };
}

interface AgedReport {
  readonly report: RegionReport;
  readonly ageMs: number;
}

async function readAgedReports(
  store: Store,
  reportAges: (observer: string, seq: number) => number,
): Promise<AgedReport[]> {
  const reports = await readAll(store, KEYS.reports, regionReportSchema);
  return reports.map((report) => ({ report, ageMs: reportAges(report.observer, report.seq) }));
}

/** From the agents' reports, which all hold what every gateway says of its own targets. */
function targetStatuses({ detection }: Spec, reports: readonly AgedReport[]): TargetStatus[] {
  const fresh = reports.filter(({ ageMs }) => ageMs <= REPORT_FRESH_MS);
  const received = fresh.map(({ report, ageMs }) => ({ report, receivedAt: -ageMs }));
  const twoRoundsMs = 2 * (detection.interval + detection.timeout);
  const freshMs = Math.max(REPORT_FRESH_MS, twoRoundsMs);
  return targetsSeen(signalsOf(received), { now: 0, freshMs }).flatMap((seen) => {
    const { subject, observer, trouble } = seen;
    return trouble === null ? [] : [{ ...trouble, gateway: subject.gateway, observer }];
  });
}

function regionStatuses(spec: Spec, reports: readonly AgedReport[]): RegionStatus[] {
  return Object.entries(spec.regions).map(([region, { jurisdiction }]) => {
    const aged = reports.find((candidate) => candidate.report.region === region);
    const report = aged?.report;
    const fresh = aged !== undefined && aged.ageMs <= REPORT_FRESH_MS;
    return {
      region,
      jurisdiction,
      agent: report ? (fresh ? "reporting" : "silent") : "never seen",
      gatewaySnapshot: fresh ? (aged.report.gateway?.number ?? null) : null,
      indexes: report?.indexes ?? [],
    };
  });
}

async function plansUnderWay(store: Store): Promise<EstateStatus["plans"]> {
  const plans = await readAll(store, KEYS.plans, planSchema);
  const states = await readAll(store, KEYS.planStates, planStateSchema);
  return states
    .filter(({ status }) => status === "running" || status === "undoing")
    .flatMap((state) => {
      const plan = plans.find(({ id }) => id === state.planId);
      const step = plan?.steps[state.next]?.id ?? "finishing";
      return plan
        ? [{ id: plan.id, workflow: plan.workflow, kind: plan.decision.kind, at: step }]
        : [];
    });
}

/** Everything under a prefix that has the shape; what has not is another version's, and skipped. */
export async function readAll<Schema extends z.ZodType>(
  store: Store,
  prefix: string,
  schema: Schema,
): Promise<z.infer<Schema>[]> {
  const entries = await store.list(prefix);
  return entries.flatMap(({ value }) => {
    const parsed = schema.safeParse(value);
    return parsed.success ? [parsed.data] : [];
  });
}

function leaderName(value: unknown): string | null {
  if (typeof value !== "object" || value === null || !("id" in value)) return null;
  return String(value.id);
}

interface Summary {
  readonly number: number;
  readonly releaseDigest: string | null;
}

function snapshotSummary(value: unknown): Summary | null {
  if (typeof value !== "object" || value === null || !("payload" in value)) return null;
  try {
    const { number, regions } = summarySchema.parse(JSON.parse(String(value.payload)));
    const [one = null, ...others] = new Set(Object.values(regions).map(({ release }) => release));
    return { number, releaseDigest: others.length === 0 ? one : null };
  } catch {
    // Another version's, or damaged: no reason to hide everything else from whoever asks.
    return null;
  }
}
