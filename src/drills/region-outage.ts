import type { EstateStatus } from "../api/status.ts";
import { type RecoverySplit, recoveryPointMs, splitRecovery } from "../core/evidence/recovery.ts";
import { type ReportContent, reportContent, type TimelineNote } from "../core/evidence/report.ts";
import { TideoverError } from "../lib/errors.ts";
import { type Load, type Outcome, startLoad } from "./load.ts";
import { startTrickle, type Trickle } from "./pipeline.ts";
import { hasEnded, marksOf, type PlanRun, planAfter, refusalOf } from "./recovery-marks.ts";
import {
  type FencingFindings,
  failbackChecks,
  failoverChecks,
  fencingChecks,
  type LostPoint,
  loadChecks,
} from "./region-outage-checks.ts";
import { awaitReady, examineReturned, indexState } from "./returned-region.ts";
import { chooseScope, MOVE_TIMEOUT_MS, type Scope } from "./scope.ts";
import { interrupted, until } from "./wait.ts";
import type { DrillWorld } from "./world.ts";

/** How long the load runs before the fault, and again after each move: seconds of real traffic. */
const STEADY_MS = 3_000;
const LOAD_PER_SECOND = 16;
const MAX_REQUESTS = 4_000;
/** The dead region comes back by itself after this, when the drill is gone. */
const DEAD_MAN_MS = 120_000;
const TRICKLE_MS = 200;
const PROGRESS_CHARACTERS = 110;

/**
 * Kills a region under load and watches the estate recover: the standby is proven and opened, the
 * dead region comes back fenced, catches up, is proven, and takes the traffic again. Everything that
 * the report says is measured from outside (what callers got) or read from the record.
 *
 * Refuses to begin (DRILL_REFUSED) unless every workflow of the victim has a proven standby.
 */
export async function runRegionOutage(
  world: DrillWorld,
  options: { readonly region: string | null },
): Promise<ReportContent> {
  const scope = await chooseScope(world, options.region);
  const notes: TimelineNote[] = [];
  const note = (lane: string, kind: string, text: string): void => {
    notes.push({ at: world.clock.now(), lane, kind, text });
    world.tell(text);
  };
  const startedAt = world.clock.now();
  const traffic = startTraffic(world, scope);
  let broken = false;
  try {
    await steady(world, traffic.load, scope.victim);
    note(
      "callers",
      "load",
      `${LOAD_PER_SECOND} requests a second are answered by ${scope.victim}, through the gateway of ${scope.survivor}`,
    );

    const faultAt = world.clock.now();
    note(scope.victim, "fault", `kill -9 of every process of ${scope.victim}`);
    broken = true;
    await world.faults.killRegion(scope.victim, DEAD_MAN_MS);
    const failovers = await awaitMoves(world, scope.workflows, "failover", faultAt);
    await steady(world, traffic.load, scope.survivor);
    note(scope.survivor, "open", `${scope.survivor} answers every workflow`);
    const lost = await lostPoint(world, scope, traffic);
    traffic.writeTo(scope.survivor);

    note(scope.victim, "return", `${scope.victim} starts again`);
    await world.faults.restore(scope.victim);
    broken = false;
    const fencing = await examineReturned(world, scope);
    note(scope.victim, "return", `${scope.victim} is back, fenced and level again`);

    const failbackAt = world.clock.now();
    const failbacks = await failBack(world, scope, failbackAt);
    traffic.writeTo(scope.victim);
    await steady(world, traffic.load, scope.victim);
    note(scope.victim, "open", `${scope.victim} serves again`);

    const outcomes = await traffic.stop();
    return await report(world, scope, {
      startedAt,
      faultAt,
      failbackAt,
      failovers,
      failbacks,
      outcomes,
      lost,
      fencing,
      notes,
    });
  } finally {
    await traffic.stop();
    // Whatever went wrong in between, a drill leaves nothing broken behind.
    if (broken) await world.faults.restore(scope.victim);
  }
}

interface Traffic {
  readonly load: Load;
  readonly trickles: ReadonlyMap<string, Trickle>;
  /** From now on the pipelines hand their changes to this region's agent. */
  writeTo(region: string): void;
  /** Ends both, once; gives what callers got. */
  stop(): Promise<readonly Outcome[]>;
}

function startTraffic(world: DrillWorld, scope: Scope): Traffic {
  const load = startLoad({
    gateway: `http://${world.spec.regions[scope.survivor]?.gateway}`,
    keys: world.keys,
    questions: world.questions.filter(({ workflow }) => scope.workflows.includes(workflow)),
    perSecond: LOAD_PER_SECOND,
    streamEvery: 2,
    maxRequests: MAX_REQUESTS,
    clock: world.clock,
    signal: world.signal,
  });
  let writer = scope.victim;
  const trickles = new Map(
    movedIndexes(world, scope).map((index) => [index, trickleInto(world, index, () => writer)]),
  );
  let stopped: Promise<readonly Outcome[]> | null = null;
  const stop = async (): Promise<readonly Outcome[]> => {
    await Promise.all([...trickles.values()].map((trickle) => trickle.stop()));
    return load.stop();
  };
  return {
    load,
    trickles,
    writeTo: (region) => {
      writer = region;
    },
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** Indexes whose pipeline runs in the victim: only those have a tail that can be lost. */
function movedIndexes(world: DrillWorld, scope: Scope): string[] {
  return scope.before.ownerships
    .filter(({ index, region }) => region === scope.victim && world.spec.indexes[index])
    .map(({ index }) => index);
}

function trickleInto(world: DrillWorld, index: string, writer: () => string): Trickle {
  return startTrickle({
    probe: world.probe,
    clock: world.clock,
    intervalMs: TRICKLE_MS,
    document: (sequence, sourceTime) => ({
      id: "drill-heartbeat",
      title: "Drill heartbeat",
      text: `The drill wrote this heartbeat as its change number ${sequence}.`,
      audience: "public",
      labels: [],
      payload: {},
      sourceTime,
    }),
    target: () => ({
      agent: `http://${world.spec.regions[writer()]?.agent}`,
      index,
      token: world.token,
    }),
  });
}

/** Waits for real answers from a region, and then for some seconds of them. */
async function steady(world: DrillWorld, load: Load, region: string): Promise<void> {
  const from = world.clock.now();
  const answered = await load.first(
    (outcome) =>
      outcome.result === "succeeded" && outcome.region === region && outcome.sentAt >= from,
    MOVE_TIMEOUT_MS,
  );
  if (world.signal.aborted) throw interrupted(`answers from ${region}`);
  if (!answered) {
    throw new TideoverError(`no answer came from ${region} in ${MOVE_TIMEOUT_MS / 1_000} s`, {
      code: "DRILL_REFUSED",
      next: "`tideover status` and the logs in the data folder say why.",
    });
  }
  await world.clock.sleep(STEADY_MS, world.signal);
  if (world.signal.aborted) throw interrupted("steady traffic");
}

/** The plan of every workflow, ended. Progress is told step by step. */
async function awaitMoves(
  world: DrillWorld,
  workflows: readonly string[],
  kind: "failover" | "failback",
  after: number,
  requestId?: string,
): Promise<PlanRun[]> {
  const kinds =
    kind === "failover" ? (["failover"] as const) : (["failback", "switchover"] as const);
  const told = new Set<string>();
  return until(
    `${kind} of ${workflows.join(", ")}`,
    async () => {
      if (requestId !== undefined) await throwIfRefused(world, requestId);
      const journal = await world.control.plans();
      const runs = workflows.flatMap(
        (workflow) => planAfter(journal, workflow, kinds, after) ?? [],
      );
      for (const run of runs) tellSteps(world, run, told);
      return runs.length === workflows.length && runs.every(hasEnded) ? runs : null;
    },
    { clock: world.clock, timeoutMs: MOVE_TIMEOUT_MS, signal: world.signal },
  );
}

async function throwIfRefused(world: DrillWorld, requestId: string): Promise<void> {
  const refusal = refusalOf(await world.control.evidence(0), requestId);
  if (refusal !== null) throw new TideoverError(refusal, { code: "DRILL_REFUSED" });
}

function tellSteps(world: DrillWorld, { plan, state }: PlanRun, told: Set<string>): void {
  for (const step of state.steps) {
    const key = `${plan.id}/${step.id}/${step.status}`;
    if (told.has(key) || (step.status !== "done" && step.status !== "failed")) continue;
    told.add(key);
    world.tell(`  ${plan.workflow}: ${step.id} ${step.status}: ${shortened(step.evidence)}`);
  }
}

/** One after the other, as a careful person would: each move is proven before the next begins. */
async function failBack(world: DrillWorld, scope: Scope, after: number): Promise<PlanRun[]> {
  const runs: PlanRun[] = [];
  for (const workflow of scope.workflows) {
    await awaitReady(world, { victim: scope.victim, workflows: [workflow] }, 0);
    world.tell(`asking for failback of ${workflow} to ${scope.victim}`);
    const wanted = { to: scope.victim, by: "drill region-outage" };
    const { id } = await world.control.move("failback", workflow, wanted);
    runs.push(...(await awaitMoves(world, [workflow], "failback", after, id)));
  }
  return runs;
}

/**
 * How much of what the dead region had accepted is missing where it was taken over, per index, the
 * worst one told. Asked of the survivor itself, before anything new is written there.
 */
async function lostPoint(world: DrillWorld, scope: Scope, traffic: Traffic): Promise<LostPoint> {
  let worst: LostPoint = { rpaMs: 0, because: "no index had its pipeline in the dead region" };
  for (const [index, { acknowledged }] of traffic.trickles) {
    const accepted = acknowledged.at(-1);
    if (!accepted) continue;
    const kept = (await indexState(world, scope.survivor, index)).position;
    const rpaMs = recoveryPointMs({ acceptedUpTo: accepted.sourceTime, keptUpTo: kept.sourceTime });
    const because = `${index}: ${scope.victim} had accepted change ${accepted.position.seq} (${iso(accepted.sourceTime)}); ${scope.survivor} took over at ${kept.seq} (${iso(kept.sourceTime)})`;
    if (rpaMs >= worst.rpaMs) worst = { rpaMs, because };
  }
  return worst;
}

interface Findings {
  readonly startedAt: number;
  readonly faultAt: number;
  readonly failbackAt: number;
  readonly failovers: readonly PlanRun[];
  readonly failbacks: readonly PlanRun[];
  readonly outcomes: readonly Outcome[];
  readonly lost: LostPoint;
  readonly fencing: FencingFindings;
  readonly notes: readonly TimelineNote[];
}

async function report(world: DrillWorld, scope: Scope, found: Findings): Promise<ReportContent> {
  const evidence = await world.control.evidence(0);
  const after = await world.control.status();
  const marks = found.failovers.map((run) => marksOf(run, found.faultAt, evidence));
  const split = slowest(marks.map((one) => one && splitRecovery(one)));
  const objectives = scope.workflows.flatMap((name) => world.spec.workflows[name] ?? []);
  const rtoMs = Math.min(...objectives.map(({ rto }) => rto));
  const rpoMs = Math.min(...objectives.map(({ rpo }) => rpo));
  const failedBack = found.failbacks.every(({ state }) => state.status === "completed");
  const failbackEnd = Math.max(
    ...found.failbacks.map(({ plan, state }) => lastEnd(state) ?? plan.createdAt),
  );
  return reportContent({
    title: `Region outage: ${scope.victim} killed under load`,
    estate: world.spec.estate,
    startedAt: found.startedAt,
    rtoMs,
    rpoMs,
    rpaMs: found.lost.rpaMs,
    split,
    requests: counts(found.outcomes),
    failback: {
      completed: failedBack,
      to: failedBack ? scope.victim : null,
      tookSeconds: failedBack ? (failbackEnd - found.failbackAt) / 1_000 : null,
      because: [...new Set(found.failbacks.map(({ state }) => state.because))].join("; "),
    },
    checks: [
      ...failoverChecks({ ...found, scope, split, rtoMs, rpoMs }),
      ...fencingChecks(found.fencing),
      ...failbackChecks(found.failbacks),
      ...loadChecks({ ...found, scope, release: after.releaseDigest, rtoMs }),
    ],
    notes: found.notes,
    release: after.releaseDigest ?? "none",
    epochs: scope.workflows.map((workflow) => ({
      workflow,
      before: epochOf(scope.before, workflow),
      after: epochOf(after, workflow),
    })),
    evidence,
  });
}

const NOT_MEASURED: RecoverySplit = {
  detectMs: 0,
  decideMs: 0,
  verifyMs: 0,
  openMs: 0,
  propagateMs: 0,
  totalMs: 0,
};

/** The estate has recovered when its last workflow has; one that never did leaves nothing to state. */
function slowest(splits: readonly (RecoverySplit | null)[]): RecoverySplit {
  let worst = NOT_MEASURED;
  for (const split of splits) {
    if (split === null) return NOT_MEASURED;
    if (split.totalMs > worst.totalMs) worst = split;
  }
  return worst;
}

function counts(outcomes: readonly Outcome[]): ReportContent["requests"] {
  const having = (...results: Outcome["result"][]): number =>
    outcomes.filter(({ result }) => results.includes(result)).length;
  return {
    sent: outcomes.length,
    succeeded: having("succeeded"),
    failed: having("failed"),
    cut: having("cut", "silently-cut"),
  };
}

function lastEnd(state: PlanRun["state"]): number | null {
  return state.steps.at(-1)?.endedAt ?? null;
}

function epochOf(status: EstateStatus, workflow: string): number {
  return status.workflows.find((one) => one.workflow === workflow)?.epoch ?? 0;
}

function iso(at: number): string {
  return new Date(at).toISOString().slice(11, 23);
}

/** For a line of progress; the whole sentence is in the report. */
function shortened(text: string): string {
  return text.length <= PROGRESS_CHARACTERS ? text : `${text.slice(0, PROGRESS_CHARACTERS - 1)}…`;
}
