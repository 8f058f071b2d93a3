import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { createSystemClock } from "../../src/adapters/clock-system/clock.ts";
import { openSqliteStore } from "../../src/adapters/store-sqlite/store.ts";
import { KEYS } from "../../src/model/keys.ts";
import { positionSchema } from "../../src/model/position.ts";
import { embeddingVersion, type Release } from "../../src/model/release.ts";
import type { replicationSchema } from "../../src/model/replication.ts";
import { type Spec, specSchema } from "../../src/model/spec.ts";
import { createEmbedder } from "../../src/runtime/embedding.ts";
import { type RunningRuntime, startRuntime } from "../../src/runtime/server.ts";
import {
  EMBEDDING_PROBE_TEXT,
  embeddingFingerprint,
  referenceModelFingerprint,
} from "../../src/wire/fingerprint.ts";
import { AGENT_PATHS } from "../../src/wire/headers.ts";

/**
 * Two regions' agents as processes of their own, with indexes in files and a real runtime: what is
 * killed here is killed as an operating system does it.
 */

export const INDEX = "handbook";
export const TOKEN = "estate-token";
const EMBEDDING = "lexical-1";
const MODEL_DIGEST = `sha256:${"2".repeat(64)}`;
const AGENT = fileURLToPath(new URL("./index-agent.ts", import.meta.url));

export type RegionOfTwo = "eu-west" | "us-east";

/** All that an agent's process is told. */
export interface IndexAgentStart {
  readonly region: RegionOfTwo;
  readonly folder: string;
  readonly port: number;
  readonly spec: Spec;
  readonly release: { readonly digest: string; readonly body: Release };
}

export interface IndexEstateOptions {
  readonly folder: string;
  readonly dimensions: number;
  readonly replication: z.input<typeof replicationSchema>;
  readonly interval?: string;
}

export class IndexEstate {
  readonly spec: Spec;
  readonly folder: string;
  readonly #release: IndexAgentStart["release"];
  readonly #runtime: RunningRuntime;
  readonly #ports: Readonly<Record<RegionOfTwo, number>>;
  readonly #children = new Map<RegionOfTwo, ChildProcess>();

  static async begin(options: IndexEstateOptions): Promise<IndexEstate> {
    const { dimensions } = options;
    const runtime = await startRuntime({
      ...{ model: "reference-1", modelDigest: MODEL_DIGEST },
      ...{ embeddingModel: EMBEDDING, embeddingSalt: "v1", dimensions },
    });
    const ports = { "eu-west": await freePort(), "us-east": await freePort() };
    mkdirSync(options.folder, { recursive: true });
    const estate = new IndexEstate(options, runtime, ports);
    await estate.own("eu-west", 1);
    return estate;
  }

  constructor(
    { folder, dimensions, replication, interval = "500ms" }: IndexEstateOptions,
    runtime: RunningRuntime,
    ports: Readonly<Record<RegionOfTwo, number>>,
  ) {
    this.folder = folder;
    this.#runtime = runtime;
    this.#ports = ports;
    this.spec = specOf(runtime.url, ports, replication, interval);
    this.#release = releaseOf(dimensions);
  }

  /** What its records must be embedded as for its runtime's questions to find them. */
  get embedding(): string {
    const { embedding } = this.#release.body;
    if (embedding === undefined) throw new Error("the release was made with one");
    return embeddingVersion(embedding);
  }

  /** Gives an index to a region, as a controller's promotion leaves it in the store. */
  async own(region: RegionOfTwo, epoch: number): Promise<void> {
    const store = openSqliteStore({
      path: join(this.folder, "store.db"),
      clock: createSystemClock(),
    });
    const value = { index: INDEX, epoch, region, frozen: false };
    await store.commit({ compare: [], operations: [{ put: KEYS.ownership(INDEX), value }] });
    await store.close();
  }

  indexFile(region: RegionOfTwo): string {
    return join(this.folder, region, "index.db");
  }

  artifacts(region: RegionOfTwo): string {
    return join(this.folder, region, "artifacts");
  }

  async start(region: RegionOfTwo): Promise<ChildProcess> {
    const start: IndexAgentStart = {
      ...{ region, folder: this.folder, port: this.#ports[region] },
      ...{ spec: this.spec, release: this.#release },
    };
    const child = spawn(process.execPath, [AGENT], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#children.set(region, child);
    child.send(start);
    await Promise.race([
      once(child, "message"),
      once(child, "exit").then(() => {
        throw new Error(`the agent of ${region} ended before it listened`);
      }),
    ]);
    return child;
  }

  /** SIGKILL, and waits until the system has ended it. */
  async kill(region: RegionOfTwo): Promise<void> {
    const child = this.#children.get(region);
    this.#children.delete(region);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  async ask(region: RegionOfTwo, method: "GET" | "POST", path: string, body?: unknown) {
    const response = await fetch(`http://127.0.0.1:${this.#ports[region]}${path}`, {
      method,
      headers: { authorization: `Bearer ${TOKEN}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const told: unknown = await response.json();
    if (response.ok) return told;
    throw new Error(`${region}: ${method} ${path}: ${response.status}: ${JSON.stringify(told)}`);
  }

  async position(region: RegionOfTwo) {
    const told = await this.ask(region, "GET", AGENT_PATHS.index(INDEX));
    return z
      .object({ position: positionSchema, standing: z.object({ kind: z.string() }) })
      .parse(told);
  }

  /** Hands documents to the owner; gives the position that it acknowledged. */
  async ingest(region: RegionOfTwo, changes: readonly unknown[]) {
    const told = await this.ask(region, "POST", AGENT_PATHS.changes(INDEX), changes);
    return z.object({ position: positionSchema }).parse(told).position;
  }

  async end(): Promise<void> {
    for (const region of [...this.#children.keys()]) await this.kill(region);
    await this.#runtime.close();
  }
}

export function document(id: string, text: string, sourceTime: number) {
  const document = { id, title: `Title of ${id}`, text, audience: "public", sourceTime };
  return { op: "upsert", document };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

function releaseOf(dimensions: number): IndexAgentStart["release"] {
  const embedder = createEmbedder({ salt: "v1", dimensions });
  return {
    digest: `sha256:${"1".repeat(64)}`,
    body: {
      ...{ name: "assistant", version: "1.0.0" },
      model: {
        id: "reference-1",
        digest: MODEL_DIGEST,
        fingerprint: referenceModelFingerprint(MODEL_DIGEST),
      },
      embedding: {
        ...{ id: EMBEDDING, dimensions },
        fingerprint: embeddingFingerprint(embedder.embed(EMBEDDING_PROBE_TEXT)),
      },
      prompts: {},
      policy: { requestsPerMinute: 600, maxOutputTokens: 512 },
    },
  };
}

function specOf(
  runtime: string,
  ports: Readonly<Record<RegionOfTwo, number>>,
  replication: z.input<typeof replicationSchema>,
  interval: string,
): Spec {
  const regions = Object.entries(ports).map(([name, port]) => [
    name,
    {
      // Nobody listens there: these estates have no gateways.
      ...{ jurisdiction: "EU", gateway: "127.0.0.1:9", agent: `127.0.0.1:${port}` },
      components: {
        runtime: { targets: [{ name: "local", url: runtime, model: "reference-1" }] },
        index: { engine: "sqlite" },
      },
    },
  ]);
  return specSchema.parse({
    ...{ tideover: 1, estate: "test", detection: { interval, timeout: "2s", confirm: "20s" } },
    regions: Object.fromEntries(regions),
    tenants: { acme: { keys: [`sha256:${"a".repeat(64)}`] } },
    indexes: { [INDEX]: { home: "eu-west", replication } },
    workflows: {},
  });
}
