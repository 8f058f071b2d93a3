import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createSystemClock } from "../../src/adapters/clock-system/clock.ts";
import { createHttpProbe } from "../../src/adapters/probe-http/probe.ts";
import { openSqliteStore } from "../../src/adapters/store-sqlite/store.ts";
import { createGatewayTraffic } from "../../src/adapters/traffic-gateways/traffic.ts";
import { freePorts } from "../../src/app/ports.ts";
import { loadedRelease } from "../../src/app/release-trust.ts";
import { loadRelease } from "../../src/config/load-release.ts";
import { type Controller, startController } from "../../src/control/controller.ts";
import { asKnown, type LoadedRelease } from "../../src/core/publish/releases.ts";
import { sha256 } from "../../src/lib/canonical.ts";
import { signText } from "../../src/lib/signing.ts";
import { type Evidence, evidenceSchema } from "../../src/model/evidence.ts";
import { KEYS } from "../../src/model/keys.ts";
import type { ReleaseRequest } from "../../src/model/request.ts";
import { type Spec, specSchema } from "../../src/model/spec.ts";
import type { Agents } from "../../src/ports/agents.ts";
import type { Probe } from "../../src/ports/probe.ts";
import type { Store } from "../../src/ports/store.ts";
import { startRuntime } from "../../src/runtime/server.ts";
import { HEADERS } from "../../src/wire/headers.ts";
import { type Bench, firstMessage } from "../support/bench.ts";

const KEY = "tk-bench-rollback";
const TOKEN = "the-estate-of-the-bench";
const WORKFLOW = "support";
/** Started at once: more would only wait for each other on two cores. */
const AT_ONCE = 4;

export interface RollbackEstate {
  readonly releases: readonly [before: LoadedRelease, after: LoadedRelease];
  /** Asks for it and gives the plan's entries in the record once it has ended. */
  change(kind: ReleaseRequest["kind"], release: string | null): Promise<Evidence[]>;
  stop(): Promise<void>;
}

export interface RollbackOptions {
  readonly gateways: number;
  /** Of each gateway process, MiB. */
  readonly heapMiB: number;
  /** Folders of the two releases. */
  readonly folders: readonly [before: string, after: string];
  readonly keys: { readonly privatePem: string; readonly publicPem: string };
}

/**
 * An estate with so many regions, each with one real gateway process, under one real controller
 * with the embedded store. The agents are stood in for: what they answer is no part of the figure.
 */
export async function startRollbackEstate(
  bench: Bench,
  options: RollbackOptions,
): Promise<RollbackEstate> {
  const { gateways, folders, keys } = options;
  const ports = await freePorts(gateways);
  const runtime = await startRuntime({
    model: "reference-1",
    modelDigest: `sha256:${"0".repeat(64)}`,
    embeddingModel: "unused",
    embeddingSalt: "",
    tokenDelayMs: 0,
  });
  const spec = specOf(ports, runtime.url);
  await startGateways(bench, spec, options);
  const clock = createSystemClock();
  const store = openSqliteStore({ path: join(bench.folder, "store.db"), clock });
  const probe = createHttpProbe();
  const addresses = Object.entries(spec.regions).map(
    ([name, { gateway }]) => [name, `http://${gateway}`] as const,
  );
  const releases = [
    loadedRelease(loadRelease(folders[0])),
    loadedRelease(loadRelease(folders[1])),
  ] as const;
  let plans = 0;
  const controller = startController({
    id: "bench",
    spec,
    release: releases[0],
    bakeMs: 0,
    store,
    clock,
    probe,
    traffic: createGatewayTraffic({ probe, gateways: new Map(addresses), timeoutMs: 5_000 }),
    agents: standIns(probe, new Map(addresses)),
    notify: { send: async () => undefined, sent: async () => true },
    sign: (payload) => signText(payload, keys.privatePem),
    logger: { info: () => undefined, warn: () => undefined, error: () => undefined },
    newId: () => `plan-${++plans}`,
  });
  await know(store, releases[1]);
  return {
    releases,
    change: (kind, release) => change(store, kind, release),
    stop: () => stopAll(controller, store, [probe, runtime]),
  };
}

async function stopAll(
  controller: Controller,
  store: Store,
  others: readonly { close(): Promise<unknown> }[],
): Promise<void> {
  await controller.stop();
  await store.close();
  for (const one of others) await one.close();
}

function specOf(ports: readonly number[], runtime: string): Spec {
  const regions = ports.map((port, at) => [
    regionName(at),
    {
      jurisdiction: "EU",
      gateway: `127.0.0.1:${port}`,
      components: {
        runtime: { targets: [{ name: "reference", url: runtime, model: "reference-1" }] },
      },
    },
  ]);
  const names = ports.map((_, at) => regionName(at));
  return specSchema.parse({
    tideover: 1,
    estate: "bench",
    // Patient: fifty processes on two cores must not be taken for an outage.
    detection: { interval: "5s", timeout: "5s", confirm: "60s" },
    regions: Object.fromEntries(regions),
    tenants: { bench: { keys: [sha256(KEY)] } },
    workflows: {
      [WORKFLOW]: {
        pattern: "active-passive",
        primary: names[0],
        standbys: names.slice(1),
        rto: "30s",
        rpo: "5s",
        prompt: "assistant",
        declare: { by: "person", who: "nobody", signals: ["region-outage"] },
        customers: { channel: "none", message: "none" },
      },
    },
  });
}

function regionName(at: number): string {
  return `region-${String(at + 1).padStart(2, "0")}`;
}

async function startGateways(bench: Bench, spec: Spec, options: RollbackOptions): Promise<void> {
  const { heapMiB, keys } = options;
  const trusted = Buffer.from(keys.publicPem).toString("base64");
  const waiting = Object.entries(spec.regions);
  const folder = join(bench.folder, "regions");
  const one = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [region, { gateway }] = next;
      mkdirSync(join(folder, region), { recursive: true });
      const port = gateway.replace(/^.*:/, "");
      const args = [region, port, folder, trusted, TOKEN];
      const child = bench.startOwn("rollback/gateway-process.ts", args, null, [
        `--max-old-space-size=${heapMiB}`,
        "--max-semi-space-size=2",
      ]);
      await firstMessage(child);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** What agents would answer, but for the canary: that one is really asked of each gateway. */
function standIns(probe: Probe, gateways: ReadonlyMap<string, string>): Agents {
  const held = { complete: true, detail: "stood in for by the benchmark" };
  const unused = async (): Promise<never> => {
    throw new Error("the benchmark moves no index");
  };
  return {
    readiness: unused,
    obeyOwnership: unused,
    catchUp: unused,
    proveIndex: unused,
    fetchRelease: async () => held,
    verifyRelease: async () => held,
    async canary(region, workflow, timeoutMs) {
      const answer = await probe.exchange({
        url: `${gateways.get(region)}/v1/chat/completions`,
        method: "POST",
        headers: { authorization: `Bearer ${KEY}`, [HEADERS.readiness]: TOKEN },
        body: { model: workflow, messages: [{ role: "user", content: "Are you there?" }] },
        timeoutMs,
      });
      const headers = answer.answered ? answer.headers : {};
      return {
        ok: answer.answered && answer.status === 200,
        region: headers[HEADERS.region] ?? null,
        releaseDigest: headers[HEADERS.release] ?? null,
        epoch: Number(headers[HEADERS.epoch] ?? 0),
        mode: headers[HEADERS.mode] ?? null,
        detail: answer.answered ? `${answer.status}: ${answer.body.slice(0, 200)}` : answer.reason,
      };
    },
  };
}

async function know(store: Store, release: LoadedRelease): Promise<void> {
  const value = asKnown(release, Date.now(), "the benchmark");
  await store.commit({
    compare: [],
    operations: [{ put: KEYS.release(release.digest), value }],
  });
}

async function change(
  store: Store,
  kind: ReleaseRequest["kind"],
  release: string | null,
): Promise<Evidence[]> {
  const id = `bench-${kind}-${performance.now()}`;
  const before = (await readEvidence(store)).at(-1)?.seq ?? 0;
  const value: ReleaseRequest = { id, kind, release, by: "the benchmark", at: Date.now() };
  await store.commit({ compare: [], operations: [{ put: KEYS.releaseRequest(id), value }] });
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const entries = (await readEvidence(store)).filter(({ seq }) => seq > before);
    const refused = entries.find(({ kind, planId }) => kind === "request" && planId === null);
    if (refused !== undefined) throw new Error(refused.text);
    const end = entries.find(({ kind, data }) => kind === "plan" && data.status !== "running");
    if (end === undefined) continue;
    if (end.data.status !== "completed") throw new Error(end.text);
    return entries.filter(({ planId }) => planId === end.planId);
  }
}

async function readEvidence(store: Store): Promise<Evidence[]> {
  return (await store.list(KEYS.evidences)).map(({ value }) => evidenceSchema.parse(value));
}
