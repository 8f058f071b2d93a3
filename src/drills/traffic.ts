import { recoveryPointMs } from "../core/evidence/recovery.ts";
import { type Load, type Outcome, startLoad } from "./load.ts";
import { startTrickle, type Trickle } from "./pipeline.ts";
import type { LostPoint } from "./region-outage-checks.ts";
import { indexState } from "./returned-region.ts";
import type { Scope } from "./scope.ts";
import type { DrillWorld } from "./world.ts";

export const LOAD_PER_SECOND = 16;
const MAX_REQUESTS = 4_000;
const TRICKLE_MS = 200;

/** Callers of every workflow of a drill, and pipelines of every index that the victim owns. */
export interface Traffic {
  readonly load: Load;
  readonly trickles: ReadonlyMap<string, Trickle>;
  /** From now on the pipelines hand their changes to this region's agent. */
  writeTo(region: string): void;
  /** Ends both, once; gives what callers got. */
  stop(): Promise<readonly Outcome[]>;
}

/** `entrance`: the region at whose gateway the callers ask. */
export function startTraffic(world: DrillWorld, scope: Scope, entrance: string): Traffic {
  const load = startLoad({
    gateway: `http://${world.spec.regions[entrance]?.gateway}`,
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
 * How much of what the former region had accepted is missing where it was taken over, per index, the
 * worst one told. Asked of the survivor itself, before anything new is written there.
 */
export async function lostPoint(
  world: DrillWorld,
  scope: Scope,
  traffic: Traffic,
): Promise<LostPoint> {
  let worst: LostPoint = { rpaMs: 0, because: `no index had its pipeline in ${scope.victim}` };
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

function iso(at: number): string {
  return new Date(at).toISOString().slice(11, 23);
}
