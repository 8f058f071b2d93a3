import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openLayout } from "../../src/adapters/artifacts-layout/layout.ts";
import { openRegistry } from "../../src/adapters/artifacts-registry/registry.ts";
import { openJsonlAudit } from "../../src/adapters/audit-jsonl/audit.ts";
import { createHttpBulk } from "../../src/adapters/bulk-http/bulk.ts";
import { createSystemClock } from "../../src/adapters/clock-system/clock.ts";
import { openSqliteIndex } from "../../src/adapters/index-sqlite/index.ts";
import { createHttpProbe } from "../../src/adapters/probe-http/probe.ts";
import { openSqliteStore } from "../../src/adapters/store-sqlite/store.ts";
import { startAgent } from "../../src/region/agent.ts";
import { knownReleases } from "../../src/region/known-releases.ts";
import { AGENT_PATHS } from "../../src/wire/headers.ts";
import { INDEX, type IndexAgentStart, TOKEN } from "./index-estate.ts";

/** One region's agent as a process; it ends with whoever started it. */
process.once("disconnect", () => process.exit(0));
const [start] = (await once(process, "message")) as [IndexAgentStart];
const { region, folder, port, spec, release } = start;
mkdirSync(join(folder, region), { recursive: true });
const clock = createSystemClock();
const store = openSqliteStore({ path: join(folder, "store.db"), clock });
const index = await openSqliteIndex({ path: join(folder, region, "index.db") });
const audit = openJsonlAudit({ path: join(folder, region, "audit.jsonl") });
const own = openLayout({ folder: join(folder, region, "artifacts") });
const peers = new Map(
  Object.entries(spec.regions).flatMap(([name, { agent }]) =>
    agent === undefined
      ? []
      : [[name, openRegistry({ url: `http://${agent}${AGENT_PATHS.artifactsOf}`, secret: TOKEN })]],
  ),
);
const say = (_: object, message: string): void => {
  if (process.env.TIDEOVER_SAY) process.stderr.write(`${region}: ${message}\n`);
};
await startAgent({
  ...{ region, host: "127.0.0.1", port, spec, release, store, clock, audit },
  releases: knownReleases(store, () => null),
  golden: new Map(),
  probe: createHttpProbe(),
  indexes: new Map([[INDEX, index]]),
  traffic: audit,
  snapshots: { own, of: (other) => peers.get(other) ?? null },
  bulk: createHttpBulk(),
  token: TOKEN,
  canaryKeys: new Map(),
  logger: { info: say, warn: say },
});
process.send?.("listening");
