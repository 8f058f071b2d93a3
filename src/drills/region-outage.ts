import { recoveryPointMs } from "../core/evidence/recovery.ts";
import type { ReportContent, TimelineNote } from "../core/evidence/report.ts";
import { type Load, type Outcome, startLoad } from "./load.ts";
import { type MovesFound, movedReport } from "./moved-report.ts";
import { awaitMoves, failBack, steady } from "./moving.ts";
import { startTrickle, type Trickle } from "./pipeline.ts";
import {
  type FencingFindings,
  failoverChecks,
  fencingChecks,
  type LostPoint,
} from "./region-outage-checks.ts";
import { examineReturned, indexState } from "./returned-region.ts";
import { chooseScope, type Scope } from "./scope.ts";
import type { DrillWorld } from "./world.ts";

const LOAD_PER_SECOND = 16;
const MAX_REQUESTS = 4_000;
/** The dead region comes back by itself after this, when the drill is gone. */
const DEAD_MAN_MS = 120_000;
const TRICKLE_MS = 200;

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
    const failbacks = await failBack(world, scope, failbackAt, "drill region-outage");
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

interface Findings extends MovesFound {
  readonly lost: LostPoint;
  readonly fencing: FencingFindings;
}

function report(world: DrillWorld, scope: Scope, found: Findings): Promise<ReportContent> {
  return movedReport(world, scope, found, {
    title: `Region outage: ${scope.victim} killed under load`,
    rpaMs: found.lost.rpaMs,
    checks: (measured) => [
      ...failoverChecks({ ...found, ...measured, scope }),
      ...fencingChecks(found.fencing),
    ],
  });
}

function iso(at: number): string {
  return new Date(at).toISOString().slice(11, 23);
}
