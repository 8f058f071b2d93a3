import { randomUUID } from "node:crypto";
import { openJsonlAudit } from "../adapters/audit-jsonl/audit.ts";
import { createSystemClock } from "../adapters/clock-system/clock.ts";
import { oneRelease } from "../core/publish/releases.ts";
import { buildSnapshot, initialIntents } from "../core/publish/snapshot.ts";
import { startGateway } from "../gateway/server.ts";
import { SnapshotHolder } from "../gateway/snapshots.ts";
import type { Clock } from "../ports/clock.ts";
import { listenAddress, regionOf } from "./address.ts";
import { makeWritable } from "./data-dir.ts";
import { type Estate, keysOf } from "./estate.ts";
import { openIndexes } from "./indexes.ts";
import { createLogger } from "./logger.ts";
import { releaseVerifier, trustOf } from "./release-trust.ts";
import { closing, type Role } from "./role.ts";

/** One region's gateway, from the spec, the region's own files and nothing else. */
export async function composeGateway(estate: Estate, regionName: string): Promise<Role> {
  const region = regionOf(estate, regionName);
  const files = estate.data.region(regionName);
  makeWritable(files.root);
  const clock = createSystemClock();
  const indexes = await openIndexes(estate, regionName, { readOnly: true });
  const audit = await openJsonlAudit({ path: files.audit });
  const gateway = await startGateway({
    region: regionName,
    ...listenAddress(region.gateway),
    snapshots: snapshotsFor(estate, regionName, clock),
    indexes,
    audit,
    clock,
    logger: createLogger(`gateway:${regionName}`, estate.environment.logLevel),
    keys: (name) => process.env[name],
    requestId: randomUUID,
    // Without controllers there is no agent either, and nobody who could prove anything.
    ...(isAlone(estate) ? {} : { estateToken: keysOf(estate).token, peers: peersOf(estate) }),
  });
  return closing(gateway, [...indexes.values(), audit]);
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
