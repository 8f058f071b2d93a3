import { randomUUID } from "node:crypto";
import { Worker } from "node:worker_threads";
import { openJsonlAudit } from "../adapters/audit-jsonl/audit.ts";
import { createSystemClock } from "../adapters/clock-system/clock.ts";
import type { LogLevel } from "../config/env.ts";
import { oneRelease } from "../core/publish/releases.ts";
import { buildSnapshot, initialIntents } from "../core/publish/snapshot.ts";
import type { GatewayOptions } from "../gateway/options.ts";
import { startGateway } from "../gateway/server.ts";
import { SnapshotHolder } from "../gateway/snapshots.ts";
import { startCrew } from "../gateway/workers/crew.ts";
import type { WorkerStart } from "../gateway/workers/questions.ts";
import type { Clock } from "../ports/clock.ts";
import { listenAddress, regionOf } from "./address.ts";
import { makeWritable } from "./data-dir.ts";
import { type Estate, keysOf } from "./estate.ts";
import { type IndexPlace, indexPlaces, openIndexFiles } from "./indexes.ts";
import { createLogger } from "./logger.ts";
import { releaseVerifier, trustOf } from "./release-trust.ts";
import { closing, type Role } from "./role.ts";

/** What a worker thread is made of, beside what all of them share. Plain data. */
export interface GatewayParts {
  readonly region: string;
  readonly logLevel: LogLevel;
  readonly indexes: ReadonlyMap<string, IndexPlace>;
  readonly estateToken: string | null;
  readonly peers: ReadonlyMap<string, string>;
}

/** A worker thread's `workerData`. */
export interface WorkerParts {
  readonly start: WorkerStart;
  readonly parts: GatewayParts;
}

/**
 * One region's gateway, from the spec, the region's own files and nothing else. `workers` threads
 * answer; with one, this thread does. The spec's `workers` counts when none is given.
 */
export async function composeGateway(
  estate: Estate,
  regionName: string,
  workers?: number,
): Promise<Role> {
  const region = regionOf(estate, regionName);
  const files = estate.data.region(regionName);
  makeWritable(files.root);
  const clock = createSystemClock();
  const common = {
    ...listenAddress(region.gateway),
    snapshots: snapshotsFor(estate, regionName, clock),
    audit: await openJsonlAudit({ path: files.audit }),
    clock,
    logger: createLogger(`gateway:${regionName}`, estate.environment.logLevel),
  };
  const parts = partsOf(estate, regionName);
  const count = workers ?? region.workers ?? 1;
  return count === 1 ? composeAlone(common, parts) : composeCrew(common, parts, count);
}

type Common = Pick<GatewayOptions, "host" | "port" | "snapshots" | "audit" | "clock" | "logger">;

async function composeAlone(common: Common, parts: GatewayParts): Promise<Role> {
  const { region, estateToken, peers } = parts;
  const indexes = await openIndexFiles(parts.indexes, { readOnly: true });
  const gateway = await startGateway({
    ...common,
    region,
    indexes,
    keys: (name) => process.env[name],
    requestId: randomUUID,
    ...(estateToken === null ? {} : { estateToken }),
    peers,
  });
  return closing(gateway, [...indexes.values(), common.audit]);
}

async function composeCrew(common: Common, parts: GatewayParts, workers: number): Promise<Role> {
  const gateway = await startCrew({
    ...common,
    workers,
    spawn: (start) => {
      const workerData: WorkerParts = { start, parts };
      return new Worker(new URL("./gateway-worker.ts", import.meta.url), { workerData });
    },
  });
  return closing(gateway, [common.audit]);
}

function partsOf(estate: Estate, region: string): GatewayParts {
  // Without controllers there is no agent either, and nobody who could prove anything.
  const alone = isAlone(estate);
  return {
    region,
    logLevel: estate.environment.logLevel,
    indexes: indexPlaces(estate, region),
    estateToken: alone ? null : keysOf(estate).token,
    peers: alone ? new Map() : peersOf(estate),
  };
}

/**
 * Where the gateway's snapshot comes from. An estate without controllers has nobody who could ever
 * publish one, so the spec itself is the snapshot; otherwise only signed ones are served.
 */
function snapshotsFor(estate: Estate, region: string, clock: Clock): SnapshotHolder {
  const { spec, release } = estate;
  if (isAlone(estate)) {
    const now = clock.now();
    const intents = initialIntents(spec, now);
    const because = `read from ${estate.specPath}`;
    const releases = oneRelease(release);
    const snapshot = buildSnapshot({ spec, releases, intents, number: 1, because, now });
    return SnapshotHolder.standalone(snapshot, region, clock);
  }
  return SnapshotHolder.signed({
    estate: spec.estate,
    region,
    verifyRelease: releaseVerifier({ trust: trustOf(estate, region), clock }),
    file: estate.data.region(region).snapshot,
    trusted: keysOf(estate).trustedKeys,
    clock,
  });
}

function peersOf({ spec }: Estate): Map<string, string> {
  const regions = Object.entries(spec.regions);
  return new Map(regions.map(([name, { gateway }]) => [name, `http://${gateway}`]));
}

function isAlone({ spec }: Estate): boolean {
  return spec.controllers.length === 0;
}
