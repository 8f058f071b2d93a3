import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { z } from "zod";
import { openLayout } from "../../src/adapters/artifacts-layout/layout.ts";
import { openRegistry } from "../../src/adapters/artifacts-registry/registry.ts";
import { createHttpBulk } from "../../src/adapters/bulk-http/bulk.ts";
import { createSystemClock } from "../../src/adapters/clock-system/clock.ts";
import { createHttpProbe } from "../../src/adapters/probe-http/probe.ts";
import type { AuditRecord } from "../../src/model/audit.ts";
import type { GoldenSet } from "../../src/model/golden.ts";
import type { Ownership } from "../../src/model/intent.ts";
import { KEYS } from "../../src/model/keys.ts";
import type { Release } from "../../src/model/release.ts";
import type { replicationSchema } from "../../src/model/replication.ts";
import { type Spec, specSchema } from "../../src/model/spec.ts";
import type { Trouble } from "../../src/model/trouble.ts";
import type { ArtifactStore } from "../../src/ports/artifacts.ts";
import type { AuditLog } from "../../src/ports/audit.ts";
import type { EmbeddedChange, IndexStore } from "../../src/ports/index.ts";
import type { ChangeSource } from "../../src/ports/source.ts";
import { type Agent, startAgent } from "../../src/region/agent.ts";
import { knownReleases } from "../../src/region/known-releases.ts";
import type { AgentOptions, SnapshotPlaces } from "../../src/region/options.ts";
import { createEmbedder } from "../../src/runtime/embedding.ts";
import { type RunningRuntime, startRuntime } from "../../src/runtime/server.ts";
import { MemoryIndex } from "../../src/sim/index.ts";
import { MemoryBackend, MemoryStore } from "../../src/sim/store.ts";
import {
  EMBEDDING_PROBE_TEXT,
  embeddingFingerprint,
  referenceModelFingerprint,
} from "../../src/wire/fingerprint.ts";
import { AGENT_PATHS, GATEWAY_PATHS, HEADERS } from "../../src/wire/headers.ts";

/** Agents on loopback: real sockets and a real runtime, with a store and indexes in memory. */

export const TOKEN = "estate-token";
export const INDEX = "handbook";
export const WORKFLOW = "rag-search";
export const EMBEDDING = "lexical-1";
const MODEL = "reference-1";
const MODEL_DIGEST = `sha256:${"2".repeat(64)}`;
const SALT = "v1";
const DIMENSIONS = 256;

export const CANARY_KEYS = new Map([
  ["acme", "key-acme"],
  ["bolt", "key-bolt"],
]);

const embedder = createEmbedder({ salt: SALT, dimensions: DIMENSIONS });

export const RELEASE: { readonly digest: string; readonly body: Release } = {
  digest: `sha256:${"1".repeat(64)}`,
  body: {
    name: "assistant",
    version: "1.0.0",
    model: {
      id: MODEL,
      digest: MODEL_DIGEST,
      fingerprint: referenceModelFingerprint(MODEL_DIGEST),
    },
    embedding: {
      id: EMBEDDING,
      dimensions: DIMENSIONS,
      fingerprint: embeddingFingerprint(embedder.embed(EMBEDDING_PROBE_TEXT)),
    },
    prompts: {},
    policy: { requestsPerMinute: 600, maxOutputTokens: 512 },
  },
};

export const DOCUMENTS = [
  doc(
    "returns",
    "public",
    "Returns",
    "Goods may be returned within thirty days of their delivery.",
  ),
  doc(
    "acme-canary",
    "acme",
    "Acme marker",
    "The marker of Acme is the code word quillfeather and no other.",
  ),
  doc(
    "bolt-canary",
    "bolt",
    "Bolt marker",
    "The marker of Bolt is the code word sprocketmoth and no other.",
  ),
];

export const GOLDEN: GoldenSet = {
  questions: [
    {
      id: "acme-01-returns",
      tenant: "acme",
      question: "Within how many days of delivery may goods be returned?",
      documents: ["returns"],
      answer: "thirty days",
    },
  ],
  canaries: [
    { tenant: "acme", document: "acme-canary", phrase: "quillfeather" },
    { tenant: "bolt", document: "bolt-canary", phrase: "sprocketmoth" },
  ],
};

function doc(id: string, audience: string, title: string, text: string) {
  return { op: "upsert", document: { id, title, text, audience, sourceTime: 1_000 } } as const;
}

/** A change with a vector, for filling an index without a runtime. */
export function embedded(id: string, sourceTime = 1_000): EmbeddedChange {
  const vector = Buffer.alloc(DIMENSIONS * 4);
  vector.writeFloatLE(1, 0);
  const common = {
    op: "upsert",
    id,
    title: id,
    text: `Text of ${id}.`,
    audience: "public",
    labels: [],
    payload: {},
  } satisfies Partial<EmbeddedChange>;
  return { ...common, sourceTime, embedding: EMBEDDING, vector: vector.toString("base64") };
}

/** Stands at a region's address, so that the region can be cut off and come back elsewhere. */
export class Relay {
  /** Port that it leads to; null: connections are closed at once. */
  to: number | null = null;
  /** After so many bytes towards the caller the connections break, once. */
  breakAfterBytes = Number.POSITIVE_INFINITY;
  breaks = 0;
  readonly #sockets = new Set<Socket>();
  readonly #server = createTcpServer((socket) => this.#serve(socket));

  static async listen(): Promise<Relay> {
    const relay = new Relay();
    await new Promise<void>((resolve) => relay.#server.listen(0, "127.0.0.1", resolve));
    return relay;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.to = null;
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(caller: Socket): void {
    caller.on("error", () => undefined);
    if (this.to === null) {
      caller.destroy();
      return;
    }
    const callee = connect(this.to, "127.0.0.1");
    callee.on("error", () => caller.destroy());
    for (const socket of [caller, callee]) {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    }
    caller.on("close", () => callee.destroy());
    callee.on("close", () => caller.destroy());
    caller.pipe(callee);
    callee.on("data", (data: Buffer) => this.#pass(data, caller, callee));
  }

  #pass(data: Buffer, caller: Socket, callee: Socket): void {
    this.breakAfterBytes -= data.length;
    if (this.breakAfterBytes >= 0) {
      caller.write(data);
      return;
    }
    this.breakAfterBytes = Number.POSITIVE_INFINITY;
    this.breaks += 1;
    caller.destroy();
    callee.destroy();
  }
}

type GatewayAnswer = [status: number, body: unknown, headers: Record<string, string>];

/** A gateway as readiness sees it, with faults to order. */
export class FakeGateway implements AuditLog {
  number = 0;
  /** What its status page says of its targets. */
  troubles: readonly Trouble[] = [];
  readonly adopted: unknown[] = [];
  /** Headers and behaviour that a test may change. */
  says = {
    region: "",
    release: RELEASE.digest,
    limit: "600",
    leak: false,
    keepsAudit: true,
    takesSnapshots: true,
    mode: "normal",
    /** More of its status than a gateway of before releases said. */
    status: {} as object,
  };
  /** Questions that it was asked, in order. */
  readonly questions: string[] = [];
  /** Readiness headers of the chats, in order; undefined for a chat without one. */
  readonly readinessHeaders: (string | undefined)[] = [];
  readonly #records = new Map<string, AuditRecord>();
  readonly #index: IndexStore;
  readonly #server: HttpServer;

  constructor(region: string, index: IndexStore) {
    this.says.region = region;
    this.#index = index;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const body = chunks.length === 0 ? null : JSON.parse(Buffer.concat(chunks).toString());
        const failed = (error: unknown): GatewayAnswer => [
          503,
          { error: { message: `${error}` } },
          {},
        ];
        void this.#answer(request.method ?? "", request.url ?? "", request.headers, body)
          .catch(failed)
          .then(([status, value, headers]) => {
            response.writeHead(status, { "content-type": "application/json", ...headers });
            response.end(JSON.stringify(value));
          });
      });
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  async append(record: AuditRecord): Promise<void> {
    this.#records.set(record.requestId, record);
  }

  async find(requestId: string): Promise<AuditRecord | null> {
    return this.#records.get(requestId) ?? null;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(
    method: string,
    url: string,
    headers: Readonly<Record<string, unknown>>,
    body: unknown,
  ): Promise<GatewayAnswer> {
    if (url === "/healthz") return [200, { status: "ok" }, {}];
    if (url === GATEWAY_PATHS.status) {
      const { number, troubles } = this;
      return [200, { number, sinceMs: 5, lastError: null, troubles, ...this.says.status }, {}];
    }
    if (url === GATEWAY_PATHS.snapshot && !this.says.takesSnapshots) {
      return [409, { adopted: false, number: this.number, reason: "no trusted key" }, {}];
    }
    if (url === GATEWAY_PATHS.snapshot && method === "PUT") return [200, this.#adopt(body), {}];
    if (url === "/v1/chat/completions") return this.#chat(headers, body);
    return [404, {}, {}];
  }

  #adopt(body: unknown): object {
    this.adopted.push(body);
    this.number = JSON.parse((body as { payload: string }).payload).number;
    return { adopted: true, number: this.number };
  }

  async #chat(headers: Readonly<Record<string, unknown>>, body: unknown): Promise<GatewayAnswer> {
    this.readinessHeaders.push(headers[HEADERS.readiness] as string | undefined);
    const key = String(headers.authorization).slice("Bearer ".length);
    const tenant = [...CANARY_KEYS].find(([, one]) => one === key)?.[0];
    if (tenant === undefined) return [401, { error: { message: "unknown key" } }, {}];
    const requestId = String(headers[HEADERS.requestId]);
    const question = (body as { messages: { content: string }[] }).messages[0]?.content ?? "";
    this.questions.push(question);
    const hits = await this.#index.search({
      vector: Float32Array.from(embedder.embed(question)),
      embedding: EMBEDDING,
      audiences: this.says.leak ? ["public", ...CANARY_KEYS.keys()] : ["public", tenant],
      k: 2,
    });
    if (this.says.keepsAudit) await this.append(this.#record(requestId, tenant, hits));
    const message = { role: "assistant", content: hits[0]?.text ?? "Nothing is known." };
    return [
      200,
      { choices: [{ index: 0, message, finish_reason: "stop" }] },
      this.#named(requestId),
    ];
  }

  #named(requestId: string): Record<string, string> {
    return {
      [HEADERS.requestId]: requestId,
      [HEADERS.region]: this.says.region,
      [HEADERS.release]: this.says.release,
      [HEADERS.mode]: this.says.mode,
      [HEADERS.epoch]: "1",
      "x-ratelimit-limit-requests": this.says.limit,
    };
  }

  #record(requestId: string, tenant: string, hits: readonly { id: string }[]): AuditRecord {
    return {
      at: 0,
      requestId,
      region: this.says.region,
      tenant,
      workflow: WORKFLOW,
      epoch: 1,
      snapshot: this.number,
      mode: this.says.mode,
      releaseDigest: this.says.release,
      promptVersion: null,
      watermark: null,
      sources: hits.map(({ id }) => id),
      forwardedTo: null,
      target: null,
      attempts: [],
      status: 200,
      outcome: "complete",
      promptTokens: null,
      completionTokens: null,
      tookMs: 1,
    };
  }
}

export interface AgentRegion {
  readonly name: string;
  readonly index: MemoryIndex;
  readonly store: MemoryStore;
  readonly gateway: FakeGateway;
  /** What stands at the agent's address. */
  readonly relay: Relay;
  /** Messages that the agent logged. */
  readonly log: string[];
  /** Its own layout, where the world was made with snapshots. */
  readonly artifacts: ArtifactStore;
  /** Layout's folder. */
  readonly folder: string;
  start(options?: {
    readonly index?: IndexStore;
    readonly source?: ChangeSource;
    readonly proofQuestions?: AgentOptions["proofQuestions"];
    readonly release?: typeof RELEASE;
  }): Promise<Agent>;
  /** The agent's own address is asked, past the relay. */
  ask(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
}

export interface AgentWorld {
  readonly spec: Spec;
  readonly backend: MemoryBackend;
  readonly eu: AgentRegion;
  readonly us: AgentRegion;
  readonly runtime: RunningRuntime;
  own(ownership: Partial<Ownership>): void;
  close(): Promise<void>;
}

/** Two regions, eu-west owning the index under epoch 1; agents start on demand. */
export async function createAgentWorld(
  detection?: Record<string, string>,
  replication?: z.input<typeof replicationSchema>,
): Promise<AgentWorld> {
  const runtime = await startRuntime({
    model: MODEL,
    modelDigest: MODEL_DIGEST,
    embeddingModel: EMBEDDING,
    embeddingSalt: SALT,
    dimensions: DIMENSIONS,
  });
  const clock = createSystemClock();
  const backend = new MemoryBackend(clock);
  const probe = createHttpProbe();
  const bulk = createHttpBulk();
  const root = mkdtempSync(join(tmpdir(), "tideover-agents-"));
  const closers: (() => Promise<void>)[] = [];
  const places = await Promise.all(
    ["eu-west", "us-east"].map(async (name) => {
      const index = new MemoryIndex();
      const gateway = new FakeGateway(name, index);
      return {
        name,
        index,
        gateway,
        gatewayPort: await gateway.listen(),
        relay: await Relay.listen(),
      };
    }),
  );
  const spec = specOf(
    runtime.url,
    places.map(({ name, gatewayPort, relay }) => [name, `127.0.0.1:${gatewayPort}`, relay.address]),
    detection,
    replication,
  );
  const peers = new Map(
    places.map(({ name, relay }) => [
      name,
      openRegistry({ url: `http://${relay.address}${AGENT_PATHS.artifactsOf}`, secret: TOKEN }),
    ]),
  );
  const regions = places.map(({ name, index, gateway, relay }): AgentRegion => {
    const store = new MemoryStore(backend);
    const log: string[] = [];
    const folder = join(root, name);
    const artifacts = openLayout({ folder });
    closers.push(() => artifacts.close());
    const snapshots: SnapshotPlaces = { own: artifacts, of: (other) => peers.get(other) ?? null };
    let url = "";
    const say = (_: object, message: string): void => void log.push(message);
    return {
      name,
      index,
      store,
      gateway,
      relay,
      log,
      artifacts,
      folder,
      async start(given = {}) {
        const agent = await startAgent({
          region: name,
          host: "127.0.0.1",
          port: 0,
          spec,
          release: given.release ?? RELEASE,
          releases: knownReleases(store, () => null),
          golden: new Map([[WORKFLOW, GOLDEN]]),
          store,
          clock,
          probe,
          indexes: new Map([[INDEX, given.index ?? index]]),
          ...(given.source ? { sources: new Map([[INDEX, given.source]]) } : {}),
          audit: gateway,
          token: TOKEN,
          canaryKeys: CANARY_KEYS,
          ...(given.proofQuestions && { proofQuestions: given.proofQuestions }),
          readinessEvery: 100,
          ...(replication === undefined ? {} : { snapshots, bulk }),
          logger: { info: say, warn: say },
        });
        url = agent.url;
        relay.to = Number(new URL(agent.url).port);
        closers.push(() => agent.close());
        return agent;
      },
      async ask(method, path, body) {
        const response = await fetch(`${url}${path}`, {
          method,
          headers: { authorization: `Bearer ${TOKEN}` },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        return { status: response.status, body: await response.json() };
      },
    };
  });
  const [eu, us] = regions;
  if (eu === undefined || us === undefined) throw new Error("two regions were made");
  const world: AgentWorld = {
    spec,
    backend,
    eu,
    us,
    runtime,
    own: (given) => {
      const value = { index: INDEX, epoch: 1, region: "eu-west", frozen: false, ...given };
      backend.commit({ compare: [], operations: [{ put: KEYS.ownership(INDEX), value }] });
    },
    close: async () => {
      for (const close of closers.reverse()) await close();
      for (const peer of peers.values()) await peer.close();
      await bulk.close();
      rmSync(root, { recursive: true, force: true });
      await Promise.all(places.flatMap(({ gateway, relay }) => [gateway.close(), relay.close()]));
      await probe.close();
      await runtime.close();
    },
  };
  world.own({});
  return world;
}

function specOf(
  runtime: string,
  places: readonly (readonly [name: string, gateway: string, agent: string])[],
  detection: Record<string, string> = { interval: "20ms", timeout: "1s", confirm: "5s" },
  replication?: z.input<typeof replicationSchema>,
): Spec {
  const key = { keys: [`sha256:${"a".repeat(64)}`] };
  return specSchema.parse({
    tideover: 1,
    estate: "test",
    detection,
    regions: Object.fromEntries(
      places.map(([name, gateway, agent]) => [
        name,
        {
          jurisdiction: "EU",
          gateway,
          agent,
          components: {
            runtime: { targets: [{ name: "local", url: runtime, model: MODEL }] },
            index: { engine: "sqlite" },
          },
        },
      ]),
    ),
    tenants: { acme: { ...key, labels: ["staff"] }, bolt: key },
    indexes: {
      [INDEX]: { home: "eu-west", ...(replication === undefined ? {} : { replication }) },
    },
    workflows: {
      [WORKFLOW]: {
        pattern: "active-passive",
        primary: "eu-west",
        standbys: ["us-east"],
        rto: "10s",
        rpo: "2s",
        retrieval: { index: INDEX, topK: 2 },
        declare: { by: "automatic", who: "on-call", signals: ["region-outage"] },
        customers: { channel: "status page", message: "moved" },
        golden: { questions: "golden.yaml" },
      },
    },
  });
}

/** Resolves when `holds` does. Throws, saying what was waited for, after 10 s. */
export async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const clock = createSystemClock();
  const end = clock.monotonic() + 10_000;
  while (!(await holds())) {
    if (clock.monotonic() > end) throw new Error(`waited in vain for: ${what}`);
    await clock.sleep(5);
  }
}
