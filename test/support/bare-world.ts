import assert from "node:assert/strict";
import type { AuditHistory } from "../../src/ports/audit.ts";
import type { Bulk } from "../../src/ports/bulk.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { IndexStore } from "../../src/ports/index.ts";
import { World } from "../../src/region/world.ts";
import { simSpec } from "../../src/sim/estate.ts";
import { MemoryBackend, MemoryStore } from "../../src/sim/store.ts";
import { INDEX } from "./agent-world.ts";

/** What the parts of us-east's agent share, without an agent: for the tests of one part alone. */
export function bareWorld(
  index: IndexStore,
  given: { monotonic?: () => number; bulk?: Bulk; traffic?: AuditHistory } = {},
): World {
  const { monotonic = () => 0, bulk, traffic } = given;
  const clock: Clock = {
    ...{ now: monotonic, monotonic },
    sleep: async () => undefined,
    after: () => () => undefined,
  };
  const fails = (): never => assert.fail("not asked");
  return new World({
    ...{ region: "us-east", host: "127.0.0.1", port: 0, spec: simSpec(), release: null, clock },
    ...{ golden: new Map(), canaryKeys: new Map(), token: "t" },
    store: new MemoryStore(new MemoryBackend(clock)),
    releases: { fetch: fails, verify: fails },
    probe: { exchange: fails },
    audit: { append: fails, find: fails, close: fails },
    indexes: new Map([[INDEX, index]]),
    ...(bulk === undefined ? {} : { bulk }),
    ...(traffic === undefined ? {} : { traffic }),
    logger: { info: () => undefined, warn: () => undefined },
  });
}
