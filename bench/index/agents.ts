import { createSystemClock } from "../../src/adapters/clock-system/clock.ts";
import { createHttpProbe } from "../../src/adapters/probe-http/probe.ts";
import type { Ownership } from "../../src/model/intent.ts";
import { type Spec, specSchema } from "../../src/model/spec.ts";
import type { AuditLog } from "../../src/ports/audit.ts";
import type { IndexStore } from "../../src/ports/index.ts";
import { knownReleases } from "../../src/region/known-releases.ts";
import type { LocalIndex } from "../../src/region/local-index.ts";
import { startServer } from "../../src/region/server.ts";
import { World } from "../../src/region/world.ts";
import { MemoryBackend, MemoryStore } from "../../src/sim/store.ts";

export const INDEX = "bench";
const OWNER = "owner";
const REPLICA = "replica";

/** An owner's API on a real socket, and a replica that asks it; neither does anything unasked. */
export interface BenchAgents {
  readonly world: World;
  readonly replica: LocalIndex;
  readonly ownership: Ownership;
  close(): Promise<void>;
}

export async function startAgents(owner: IndexStore, replica: IndexStore): Promise<BenchAgents> {
  const probe = createHttpProbe();
  const serving = worldOf(OWNER, owner, specOf("127.0.0.1:1"), probe);
  const server = await startServer(serving);
  const world = worldOf(REPLICA, replica, specOf(new URL(server.url).host), probe);
  const ownership = { index: INDEX, epoch: 1, region: OWNER, frozen: false };
  for (const one of [serving, world]) one.book.learn([ownership], one.book.beginRead(0));
  const close = async (): Promise<void> => {
    await server.close();
    await probe.close();
  };
  return { world, replica: world.index(INDEX), ownership, close };
}

function worldOf(
  region: string,
  index: IndexStore,
  spec: Spec,
  probe: ReturnType<typeof createHttpProbe>,
): World {
  const clock = createSystemClock();
  const store = new MemoryStore(new MemoryBackend(clock));
  const nothing = (): void => undefined;
  return new World({
    region,
    host: "127.0.0.1",
    port: 0,
    spec,
    release: null,
    releases: knownReleases(store, () => null),
    golden: new Map(),
    store,
    clock,
    probe,
    indexes: new Map([[INDEX, index]]),
    audit: NO_AUDIT,
    token: "bench",
    canaryKeys: new Map(),
    logger: { info: nothing, warn: nothing },
  });
}

const NO_AUDIT: AuditLog = {
  append: async () => {},
  find: async () => null,
  close: async () => {},
};

function specOf(owner: string): Spec {
  const components = {
    runtime: { targets: [{ name: "none", url: "http://127.0.0.1:1", model: "m" }] },
  };
  const region = { jurisdiction: "EU", gateway: "127.0.0.1:1", components };
  return specSchema.parse({
    tideover: 1,
    estate: "bench",
    regions: {
      [OWNER]: { ...region, agent: owner },
      [REPLICA]: { ...region, agent: "127.0.0.1:2" },
    },
    tenants: {},
    indexes: { [INDEX]: { home: OWNER } },
    workflows: {},
  });
}
