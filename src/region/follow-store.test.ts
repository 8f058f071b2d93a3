import assert from "node:assert/strict";
import { test } from "node:test";
import { oneRelease } from "../core/publish/releases.ts";
import { buildSnapshot, initialIntents } from "../core/publish/snapshot.ts";
import { canonicalJson } from "../lib/canonical.ts";
import { KEYS } from "../model/keys.ts";
import { SimClock } from "../sim/clock.ts";
import { SIM_RELEASE, simRelease, simSpec } from "../sim/estate.ts";
import { MemoryBackend, MemoryStore } from "../sim/store.ts";
import { followStore } from "./follow-store.ts";
import type { AgentOptions } from "./options.ts";
import { World } from "./world.ts";

const spec = simSpec();
const clock = new SimClock();

/** As a controller publishes it, with all that a gateway verifies the release by. */
function published(digit: string, number: number) {
  const signatures = [{ payload: "{}", signature: "c2lnbmVk" }];
  const release = { ...simRelease(digit), signatures, parts: { "sha256:a": "YQ==" } };
  const intents = initialIntents(spec, 0);
  const releases = oneRelease(release);
  const body = buildSnapshot({ spec, releases, intents, number, because: "a test", now: 0 });
  return { payload: canonicalJson(body), keyId: "sim", signature: "sim", number };
}

function worldOn(store: MemoryStore): World {
  const options: AgentOptions = {
    ...{ region: "us-east", host: "127.0.0.1", port: 0, spec, release: SIM_RELEASE },
    ...{ golden: new Map(), store, clock, indexes: new Map(), token: "t", canaryKeys: new Map() },
    releases: { fetch: () => Promise.reject(), verify: () => Promise.reject() },
    probe: { exchange: () => Promise.reject() },
    audit: { append: async () => undefined, find: async () => null, close: async () => undefined },
    logger: { info: () => undefined, warn: () => undefined },
  };
  return new World(options);
}

test("an agent expects the release that the published snapshot gives its region, with its signatures", async () => {
  const backend = new MemoryBackend(clock);
  const world = worldOn(new MemoryStore(backend));
  assert.equal(world.release?.digest, SIM_RELEASE.digest, "before it has read anything");
  const value = published("b", 3);
  backend.commit({ compare: [], operations: [{ put: KEYS.snapshot, value }] });
  await followStore(world);
  assert.equal(world.snapshot?.number, 3);
  assert.equal(world.release?.digest, simRelease("b").digest);
  assert.equal(world.release?.signatures?.length, 1);
});
