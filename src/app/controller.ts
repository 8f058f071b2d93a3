import { randomUUID } from "node:crypto";
import { createHttpAgents } from "../adapters/agents-http/agents.ts";
import { createSystemClock } from "../adapters/clock-system/clock.ts";
import { openFileNotify } from "../adapters/notify-file/notify.ts";
import { createHttpProbe } from "../adapters/probe-http/probe.ts";
import { openSqliteStore } from "../adapters/store-sqlite/store.ts";
import { createGatewayTraffic } from "../adapters/traffic-gateways/traffic.ts";
import { startApi } from "../api/server.ts";
import { startController } from "../control/controller.ts";
import { signText } from "../lib/signing.ts";
import { releaseSpecOf, type Spec } from "../model/spec.ts";
import { listenAddress } from "./address.ts";
import { makeWritable } from "./data-dir.ts";
import { type Estate, keysOf } from "./estate.ts";
import { withCanaryKeys } from "./keys.ts";
import { createLogger } from "./logger.ts";
import { firstRelease } from "./own-releases.ts";
import { claimsOf, releaseVerifier } from "./release-trust.ts";
import { closing, type Role } from "./role.ts";
import { namedTrust } from "./trust-root.ts";

/** One controller with its API. Several may run on one store: one leads. */
export async function composeController(estate: Estate, address: string): Promise<Role> {
  makeWritable(estate.data.root);
  const clock = createSystemClock();
  const keys = keysOf(estate);
  const { spec } = estate;
  const release = releaseSpecOf(spec);
  const trust = namedTrust(estate);
  const id = `controller-${address.replace(/^.*:/, "")}`;
  const logger = createLogger(id, estate.environment.logLevel);
  const store = openSqliteStore({ path: estate.data.store, clock });
  const first = await firstRelease(estate, { store, clock, logger });
  const probe = createHttpProbe();
  const controller = startController({
    id,
    spec: withCanaryKeys(spec, keys),
    release: first,
    ...(release === null ? {} : { bakeMs: release.bake }),
    store,
    clock,
    probe,
    traffic: createGatewayTraffic({ probe, gateways: addresses(spec, "gateway") }),
    agents: createHttpAgents({ probe, token: keys.token, agents: addresses(spec, "agent") }),
    notify: await openFileNotify({ path: estate.data.notices }),
    sign: (payload) => signText(payload, keys.signingKey),
    logger,
    newId: randomUUID,
  });
  const api = await startApi({
    ...listenAddress(address),
    estate: { spec, release: estate.release },
    store,
    clock,
    controller,
    token: keys.token,
    newId: randomUUID,
    verifyRelease: releaseVerifier({ trust, clock }),
    claimsOf: (offered) => claimsOf(offered, trust()),
  });
  // The API first: a controller that stops must not be asked for anything more.
  return closing(api, [{ close: () => controller.stop() }, probe, store]);
}

/** Base URL of one role by region. */
function addresses(spec: Spec, role: "gateway" | "agent"): Map<string, string> {
  return new Map(
    Object.entries(spec.regions).flatMap(([name, region]) =>
      region[role] ? [[name, `http://${region[role]}`] as const] : [],
    ),
  );
}
