import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { pino } from "pino";
import { createSystemClock } from "../../src/adapters/clock-system/clock.ts";
import type { GatewayOptions } from "../../src/gateway/options.ts";
import type { ServedSnapshot } from "../../src/gateway/served-release.ts";
import { type Gateway, startGateway } from "../../src/gateway/server.ts";
import { SnapshotHolder } from "../../src/gateway/snapshots.ts";
import { canonicalJson, sha256 } from "../../src/lib/canonical.ts";
import { signText } from "../../src/lib/signing.ts";
import type { AuditRecord } from "../../src/model/audit.ts";
import {
  type IndexStanding,
  NO_WATERMARKS,
  type Watermarks,
} from "../../src/model/index-health.ts";
import type { Position } from "../../src/model/position.ts";
import { DEFAULT_REFLEX } from "../../src/model/reflex.ts";
import type { Release } from "../../src/model/release.ts";
import type {
  CarriedRelease,
  SignedSnapshot,
  Snapshot,
  WorkflowRoute,
} from "../../src/model/snapshot.ts";
import type { AuditLog } from "../../src/ports/audit.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { IndexHit, IndexQuery, IndexReader } from "../../src/ports/index.ts";
import { afterBy } from "../../src/sim/after.ts";
import { DIMENSIONS } from "./upstream.ts";

export const ACME_KEY = "tdk-acme-0123456789abcdef";
export const ESTATE_TOKEN = "estate-token";
export const BOLT_KEY = "tdk-bolt-0123456789abcdef";

export const realClock: Clock = createSystemClock();

/** A clock whose hands a test moves; nothing that sleeps on it wakes before. */
export function handClock(): Clock & { forward(ms: number): void } {
  let now = 1_000_000;
  let sleepers: { until: number; wake: () => void }[] = [];
  const sleep: Clock["sleep"] = (ms, signal) =>
    new Promise((resolve) => {
      sleepers.push({ until: now + ms, wake: resolve });
      signal?.addEventListener("abort", () => resolve());
    });
  return {
    now: () => now,
    monotonic: () => now,
    sleep,
    after: afterBy(sleep),
    forward(ms) {
      now += ms;
      const due = sleepers.filter(({ until }) => until <= now);
      sleepers = sleepers.filter(({ until }) => until > now);
      for (const { wake } of due) wake();
    },
  };
}

export class MemoryAudit implements AuditLog {
  readonly records: AuditRecord[] = [];
  /** Set: every append fails with it. */
  failure: Error | null = null;

  async append(record: AuditRecord): Promise<void> {
    if (this.failure !== null) throw this.failure;
    this.records.push(record);
  }
  async find(requestId: string): Promise<AuditRecord | null> {
    return this.records.findLast((record) => record.requestId === requestId) ?? null;
  }
  async close(): Promise<void> {}
}

/** Enough of an index for the gateway: it finds everything that the audiences allow. */
export class MemoryIndex implements IndexReader {
  readonly queries: IndexQuery[] = [];
  readonly hits: IndexHit[];
  failure: Error | null = null;

  constructor(hits: IndexHit[]) {
    this.hits = hits;
  }
  async search(query: IndexQuery): Promise<IndexHit[]> {
    this.queries.push(query);
    if (this.failure !== null) throw this.failure;
    return this.hits.filter(({ audience }) => query.audiences.includes(audience)).slice(0, query.k);
  }
  async position(): Promise<Position> {
    if (this.failure !== null) throw this.failure;
    return {
      seq: 42,
      digest: "0".repeat(32),
      sourceTime: 1_700_000_000_000,
      count: this.hits.length,
    };
  }
  async markAt(): Promise<null> {
    return null;
  }
  async watermarks(): Promise<Watermarks> {
    return NO_WATERMARKS;
  }
  async standing(): Promise<IndexStanding> {
    return { kind: "whole" };
  }
  async close(): Promise<void> {}
}

export interface SigningKey {
  readonly privatePem: string;
  readonly publicPem: string;
}

export function signingKey(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return {
    privatePem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}

/** A snapshot whose regions all serve one release, with that release in reach. */
export type OneReleaseSnapshot = ServedSnapshot;

export function signSnapshot(snapshot: Snapshot, key: SigningKey): SignedSnapshot {
  // What a region sees of its own release is not part of what is signed.
  const {
    release: _release,
    releaseDigest: _digest,
    ...signed
  }: Partial<ServedSnapshot> = snapshot;
  return signText(canonicalJson(signed), key.privatePem);
}

export const ROUTE: WorkflowRoute = {
  epoch: 1,
  serving: ["eu-west"],
  mode: null,
  degradedModes: ["no-retrieval"],
  prompt: "support",
  retrieval: null,
  deadlineMs: 60_000,
  hedge: false,
  longContext: null,
};

/** Stands for the snapshot's one release where a test builds a region by hand. */
export const THE_RELEASE = "";

export const RELEASE_ONE: Release = {
  name: "handbook",
  version: "1",
  model: { id: "m", digest: "sha256:m", fingerprint: "f" },
  embedding: { id: "lexical-1", dimensions: DIMENSIONS, fingerprint: "e" },
  prompts: {
    support: {
      system: "You help {{tenant}} with {{workflow}}.\n{{documents}}",
      version: "sha256:prompt-one",
    },
  },
  policy: { requestsPerMinute: 600, maxOutputTokens: 100 },
};

/**
 * A sound snapshot of two regions and one workflow, `support`, that `eu-west` serves. Every region
 * serves `release`, under `releaseDigest`, but one whose `release` says otherwise.
 */
export function snapshotOf(changes: Partial<OneReleaseSnapshot> = {}): OneReleaseSnapshot {
  const { release = RELEASE_ONE, releaseDigest = "sha256:release-one" } = changes;
  const made = rawSnapshot(changes);
  const regions = Object.entries(made.regions).map(([name, region]) => {
    const own = region.release === THE_RELEASE ? releaseDigest : region.release;
    return [name, { ...region, release: release === null ? "none" : own }] as const;
  });
  const one = release === null ? {} : { [releaseDigest]: carried(release) };
  return {
    ...made,
    release,
    releaseDigest: release === null ? "none" : releaseDigest,
    releases: { ...one, ...changes.releases },
    regions: Object.fromEntries(regions),
  };
}

export function carried(body: Release): CarriedRelease {
  return { body, signatures: [], parts: {} };
}

function rawSnapshot(changes: Partial<Snapshot>): Snapshot {
  return {
    estate: "test",
    number: 1,
    issuedAt: 1_700_000_000_000,
    because: "a test",
    releases: {},
    maxBodyBytes: 10 * 1024 * 1024,
    reflex: DEFAULT_REFLEX,
    regions: {
      "eu-west": regionOf("http://127.0.0.1:9"),
      "us-east": regionOf("http://127.0.0.1:9"),
    },
    workflows: { support: ROUTE },
    tenants: {
      acme: { keys: [sha256(ACME_KEY)] },
      bolt: { keys: [sha256(BOLT_KEY)], labels: ["staff"] },
    },
    ...changes,
  };
}

export function regionOf(gateway: string, ...urls: string[]): Snapshot["regions"][string] {
  const targets = urls.map((url, i) => ({
    name: `target-${i + 1}`,
    url,
    model: "m",
    keyEnv: null,
  }));
  return { gateway, jurisdiction: "EU", release: THE_RELEASE, targets };
}

/** What a test started, and how it all ends. */
export class World {
  readonly key = signingKey();
  readonly #endings: (() => Promise<unknown>)[] = [];
  #ids = 0;

  /** Anything with a `close`, closed when the test is over. */
  async own<T extends { close(): Promise<unknown> }>(started: Promise<T> | T): Promise<T> {
    const thing = await started;
    this.#endings.push(() => thing.close());
    return thing;
  }

  async folder(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), "tideover-gateway-"));
    this.#endings.push(() => rm(path, { recursive: true, force: true }));
    return path;
  }

  /** An estate's holder, with its own file; adopts the given snapshot at once. */
  async holder(
    first: Snapshot | null,
    clock: Clock = realClock,
    region = "eu-west",
  ): Promise<SnapshotHolder> {
    const file = join(await this.folder(), "snapshot.json");
    const holder = SnapshotHolder.signed({
      estate: "test",
      region,
      // Tests write digests that a person can read.
      verifyRelease: () => null,
      file,
      trusted: [this.key.publicPem],
      clock,
    });
    if (first !== null) await holder.offer(signSnapshot(first, this.key));
    return holder;
  }

  async gateway(
    options: Partial<GatewayOptions> & Pick<GatewayOptions, "region" | "snapshots">,
  ): Promise<Gateway> {
    return this.own(
      startGateway({
        host: "127.0.0.1",
        port: 0,
        indexes: new Map(),
        audit: new MemoryAudit(),
        clock: realClock,
        logger: pino({ level: "silent" }),
        keys: () => undefined,
        requestId: () => `req-${options.region}-${++this.#ids}`,
        estateToken: ESTATE_TOKEN,
        ...options,
        timeouts: { drainMs: 200, peerMs: 500, ...options.timeouts },
      }),
    );
  }

  sign(snapshot: Snapshot): SignedSnapshot {
    return signSnapshot(snapshot, this.key);
  }

  async end(): Promise<void> {
    for (const ending of this.#endings.reverse()) await ending();
  }
}

export function clientOf(url: string, apiKey = ACME_KEY): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
}

/** A chat request by hand, for what the official client would never send. */
export function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      authorization: `Bearer ${ACME_KEY}`,
      ...headers,
    },
    body: body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body),
  });
}

export const QUESTION = {
  model: "support",
  messages: [{ role: "user" as const, content: "How long is parental leave?" }],
};
