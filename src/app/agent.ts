import { openJsonlAudit } from "../adapters/audit-jsonl/audit.ts";
import { createHttpBulk } from "../adapters/bulk-http/bulk.ts";
import { createSystemClock } from "../adapters/clock-system/clock.ts";
import { createHttpProbe } from "../adapters/probe-http/probe.ts";
import { openSqliteStore } from "../adapters/store-sqlite/store.ts";
import { TideoverError } from "../lib/errors.ts";
import type { RegionSpec } from "../model/spec.ts";
import { startAgent } from "../region/agent.ts";
import { withArtifacts } from "../region/artifacts/releases.ts";
import { knownReleases } from "../region/known-releases.ts";
import { listenAddress, regionOf } from "./address.ts";
import { openArtifacts, openSnapshots } from "./artifacts.ts";
import { makeWritable } from "./data-dir.ts";
import { type Estate, keysOf } from "./estate.ts";
import { digestKeys, openIndexes } from "./indexes.ts";
import { createLogger } from "./logger.ts";
import { claimsOf, releaseVerifier } from "./release-trust.ts";
import { closing, type Role } from "./role.ts";
import { openSources } from "./sources.ts";
import { trustOf } from "./trust-root.ts";

/** One region's agent: the only process that writes the region's indexes. */
export async function composeAgent(estate: Estate, regionName: string): Promise<Role> {
  const region = regionOf(estate, regionName);
  if (!region.agent) {
    throw new TideoverError(`region "${regionName}" of ${estate.specPath} has no agent address`, {
      code: "USAGE",
      next: "Add `agent: host:port` to the region, or start the gateway alone.",
    });
  }
  const files = estate.data.region(regionName);
  makeWritable(files.root);
  const clock = createSystemClock();
  const keys = keysOf(estate);
  const store = openSqliteStore({ path: estate.data.store, clock });
  const probe = createHttpProbe();
  const indexes = await openIndexes(estate, regionName, { readOnly: false });
  const sources = await openSources(estate);
  const audit = await openJsonlAudit({ path: files.audit });
  const artifacts = openArtifacts(estate, regionName, { clock, store });
  const snapshots = openSnapshots(estate, regionName, keys.token);
  const bulk = createHttpBulk();
  const trust = trustOf(estate, regionName);
  const known = knownReleases(store, releaseVerifier({ trust, clock }));
  const agent = await startAgent({
    region: regionName,
    ...listenAddress(region.agent),
    spec: estate.spec,
    release: estate.release,
    expiryOf: (release) => claimsOf(release, trust()).expires,
    ...(artifacts === null
      ? { releases: known }
      : { releases: withArtifacts(known, artifacts.keeper), artifacts: artifacts.keeper }),
    golden: estate.golden,
    store,
    clock,
    probe,
    indexes,
    sources,
    digestKeys: digestKeys(estate, regionName),
    audit,
    traffic: audit,
    snapshots: snapshots.places,
    bulk,
    token: keys.token,
    canaryKeys: new Map(Object.entries(keys.canaryKeys)),
    targetKeys: targetKeys(region),
    logger: createLogger(`agent:${regionName}`, estate.environment.logLevel),
  });
  return closing(agent, [
    ...[...(artifacts?.opened ?? []), snapshots, ...indexes.values(), ...sources.values()],
    ...[audit, probe, bulk, store],
  ]);
}

/** API keys of runtime targets, from the environment variables that the spec names. */
function targetKeys(region: RegionSpec): Map<string, string> {
  const names = region.components.runtime.targets.flatMap(({ keyEnv }) => keyEnv ?? []);
  return new Map(
    names.flatMap((name) => {
      const key = process.env[name];
      return key === undefined ? [] : [[name, key] as const];
    }),
  );
}
