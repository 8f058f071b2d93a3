import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { pino } from "pino";
import { eventually } from "../../../test/support/estate.ts";
import {
  ACME_KEY,
  MemoryAudit,
  QUESTION,
  ROUTE,
  regionOf,
  snapshotOf,
  World,
} from "../../../test/support/gateway-world.ts";
import {
  answers,
  answersWith,
  chunk,
  type FakeUpstream,
  silent,
  sse,
  startUpstream,
} from "../../../test/support/upstream.ts";
import { openJsonlAudit } from "../../adapters/audit-jsonl/audit.ts";
import { createSystemClock } from "../../adapters/clock-system/clock.ts";
import { TideoverError } from "../../lib/errors.ts";
import { auditRecordSchema } from "../../model/audit.ts";
import type { Snapshot } from "../../model/snapshot.ts";
import type { AuditLog } from "../../ports/audit.ts";
import { SnapshotHolder } from "../snapshots.ts";
import type { Seat } from "../together.ts";
import { type CrewTimes, startCrew } from "./crew.ts";

const MANY = 4;
/** A worker that dies in a test shall be back before the test is bored. */
const TIMES = { askMs: 300, againMs: 10, closeMs: 5_000 };

interface Told {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

interface StartOptions {
  readonly workers?: number;
  readonly port?: number;
  readonly changes?: Parameters<typeof snapshotOf>[0];
  readonly times?: Partial<CrewTimes>;
}

interface Status {
  readonly number: number;
  readonly lastError: string | null;
  readonly targets: readonly {
    readonly name: string;
    readonly standing: string;
    readonly ejections: number;
  }[];
  readonly retries: { readonly requests: number };
  readonly workers: readonly Seat[];
}

describe("a gateway of several workers", { concurrency: false }, () => {
  let world: World;
  let upstream: FakeUpstream;
  let audit: AuditLog;
  let url: string;
  let file: string;
  let threads: Worker[];
  let refusals = 0;
  let logged: { msg: string; againMs?: number; because?: string }[];
  let close: () => Promise<void>;

  beforeEach(async () => {
    world = new World();
    threads = [];
    logged = [];
    upstream = await world.own(startUpstream("first"));
    audit = new MemoryAudit();
  });
  afterEach(() => world.end());

  it("admits exactly the limit, over many connections and all workers", async () => {
    const release = snapshotOf().release ?? assert.fail("it has one");
    const policy = { ...release.policy, requestsPerMinute: 50 };
    await started({ changes: { release: { ...release, policy } }, workers: MANY });
    const startedAt = performance.now();
    const told = await Promise.all(Array.from({ length: 200 }, () => ask()));
    const refilled = Math.floor((performance.now() - startedAt) / 1_200);
    const admitted = told.filter(({ status }) => status === 200).length;
    assert.ok(workersOf(told).length > 1, "several workers took part");
    assert.ok(admitted >= 50 && admitted <= 50 + refilled, `${admitted}, ${refilled} refilled`);
    const others = told.filter(({ status }) => status !== 200);
    assert.deepEqual(new Set(others.map(({ status }) => status)), new Set([429]));
    assert.equal(upstream.asked.length, admitted);
  });

  it("stops asking a failing target once the gateway has seen it fail three times", async () => {
    const second = await world.own(startUpstream("second"));
    upstream.chat = answersWith(401, {});
    await started({ changes: { regions: regionsOf(upstream, second) } });
    const told = await inTurn(16);
    assert.ok(workersOf(told).length > 1, "several workers took part");
    assert.deepEqual(new Set(told.map(({ status }) => status)), new Set([200]));
    // Of a slow machine it may have been tried again meanwhile, by one request of all.
    const failing = (await status()).targets.find(({ name }) => name === "target-1");
    assert.equal(upstream.asked.length, 2 + (failing?.ejections ?? 0));
  });

  it("tries a returning target with one real request of all workers", async () => {
    const second = await world.own(startUpstream("second"));
    upstream.chat = answersWith(401, {});
    await started({ changes: { regions: regionsOf(upstream, second) } });
    await inTurn(3);
    upstream.chat = silent;
    const standing = async () => (await status()).targets.find(({ name }) => name === "target-1");
    await eventually("its period to end", async () => (await standing())?.standing === "trial");
    const trial = upstream.next("/v1/chat/completions");
    const asked = ask();
    await trial;
    const told = await Promise.all(Array.from({ length: 16 }, () => ask()));
    assert.ok(workersOf(told).length > 1, "several workers took part");
    assert.equal(upstream.asked.length, 4, "three that ejected it, and its trial");
    await upstream.kill();
    assert.equal((await asked).status, 200);
  });

  it("writes one whole record for each request, over many rotations", async () => {
    const folder = await world.folder();
    const path = join(folder, "audit.jsonl");
    audit = await world.own(openJsonlAudit({ path, maxBytes: 3_000, keep: 1_000 }));
    await started({ workers: MANY });
    const told: Told[] = [];
    for (let wave = 0; wave < 30; wave++)
      told.push(...(await Promise.all(Array.from({ length: 10 }, () => ask()))));
    assert.equal(workersOf(told).length, MANY);
    const records = await recordsIn(folder);
    assert.ok((await readdir(folder)).length > 20, "it was rotated");
    assert.deepEqual(records.toSorted(), told.map(idOf).toSorted());
    const [one] = told;
    const found = await audit.find(idOf(one ?? assert.fail()));
    assert.equal(found?.outcome, "complete");
  });

  it("answers all the same when the log takes no record, and says so wherever it is asked", async () => {
    audit = await world.own(openJsonlAudit({ path: "/dev/full" }));
    await started();
    assert.equal((await ask()).status, 200);
    for (let n = 0; n < 6; n++) {
      const ready = await get("/readyz");
      assert.match(ready.text, /audit records are not kept \(1 so far\)/);
    }
  });

  it("serves a snapshot in all workers once its offer is answered, and keeps the newest", async () => {
    await started();
    const numbers = [4, 2, 7, 3, 6, 5];
    await Promise.all(numbers.map((number) => put(number)));
    const told = await Promise.all(Array.from({ length: 24 }, () => ask()));
    assert.ok(workersOf(told).length > 1, "several workers took part");
    assert.deepEqual(
      new Set(told.map(({ headers }) => headers["x-tideover-snapshot"])),
      new Set(["7"]),
    );
    assert.equal((await status()).number, 7);
    const kept = JSON.parse(await readFile(file, "utf8"));
    assert.equal(JSON.parse(kept.payload).number, 7);
    assert.equal((await put(8)).status, 200);
    const again = await put(8);
    assert.deepEqual([again.status, (await status()).lastError], [409, null]);
  });

  it("acknowledges no number that one of its workers does not serve", async () => {
    await started();
    const stalled = threads[1] ?? assert.fail();
    stalled.postMessage({ order: "stall" });
    const agent = await living();
    const offered = await put(2, agent);
    assert.deepEqual(JSON.parse(offered.text), { adopted: true, number: 1 });
    const shown = JSON.parse((await get("/tideover/v1/status", agent)).text);
    assert.deepEqual([shown.number, shown.workers[1].state], [1, "silent"]);
    const page = (await get("/metrics", agent)).text;
    assert.match(page, /tideover_gateway_workers\{state="silent"\} 1\n/);
    agent.destroy();
    await stalled.terminate();
    await eventually("its successor to serve", async () => {
      const { number, workers } = await status();
      return number === 2 && workers.every(({ state }) => state === "up");
    });
  });

  it("wakes held requests of all workers when a snapshot says who serves", async () => {
    await started({ changes: { workflows: { support: { ...ROUTE, serving: ["us-east"] } } } });
    const held = Array.from({ length: 16 }, () => ask());
    await eventually("all to be held", async () => (await status()).retries.requests === 16);
    await put(2);
    const told = await Promise.all(held);
    assert.ok(workersOf(told).length > 1, "several workers took part");
    assert.deepEqual(new Set(told.map(({ status }) => status)), new Set([200]));
  });

  it("adds up what its workers counted, whichever is asked, also of one that is gone", async () => {
    await started();
    const told = await Promise.all(Array.from({ length: 40 }, () => ask()));
    assert.ok(workersOf(told).length > 1, "several workers took part");
    for (let n = 0; n < 6; n++) assert.equal(await counted("requests_total"), 40);
    assert.equal(await counted("request_seconds_count"), 40);
    await threads[0]?.terminate();
    await eventually("its successor", async () => (await status()).workers[0]?.state === "up");
    assert.equal(await counted("requests_total"), 40);
    assert.equal(await counted("request_seconds_count"), 40);
    assert.equal(await counted("worker_restarts_total"), 1);
    assert.equal(await counted("snapshot_number"), 1);
  });

  for (const order of ["throw", "reject", "exhaust"] as const) {
    it(`replaces a worker that dies (${order}), and hurts its requests alone`, async () => {
      await started();
      const open = heldStreams();
      const streams = Array.from({ length: 24 }, () => ask({ ...QUESTION, stream: true }));
      const settled = Promise.allSettled(streams);
      await eventually("all streams to be open", () => open.length === streams.length);
      threads[0]?.postMessage({ order });
      await eventually("its successor to be up", async () => {
        // A connection that the kernel gave the dying one is hurt, too.
        const { workers } = await status().catch(() => ({ workers: [] }));
        return workers[0]?.restarts === 1 && workers[0].state === "up";
      });
      for (const end of open) end("far");
      const ended = await settled;
      const whole = ended.filter((one) => one.status === "fulfilled").map(({ value }) => value);
      assert.ok(whole.length > 0 && whole.length < streams.length, `${whole.length} ended whole`);
      assert.ok(!workersOf(whole).includes("w1"), "nothing of the dead one is taken for whole");
      for (const { text } of whole) assert.match(text, /far.*\[DONE\]/s);
      upstream.chat = answers("as before");
      for (const { status } of await inTurn(16)) assert.equal(status, 200);
    });
  }

  it("tries for ever longer while no thread is to be had, and the others go on", async () => {
    await started();
    refusals = 3;
    await threads[0]?.terminate();
    await eventually(
      "its successor to be up",
      async () => (await status()).workers[0]?.restarts === 1,
    );
    const pauses = logged.filter(({ msg }) => /died/.test(msg)).map(({ againMs }) => againMs);
    assert.deepEqual(pauses, [10, 20, 40, 80]);
    assert.equal(logged.filter(({ because }) => because === "no thread is to be had").length, 3);
  });

  it("ends and replaces a worker that hangs", async () => {
    await started({ times: { pulseMs: 100 } });
    threads[1]?.postMessage({ order: "stall" });
    const agent = await living();
    await eventually("its successor to be up", async () => {
      const shown: Status = JSON.parse((await get("/tideover/v1/status", agent)).text);
      return shown.workers[1]?.restarts === 1 && shown.workers[1].state === "up";
    });
    agent.destroy();
    for (const { status } of await inTurn(16)) assert.equal(status, 200);
  });

  it("lets what is under way end when it closes, and then is gone", async () => {
    await started();
    const open = heldStreams();
    const stream = ask({ ...QUESTION, stream: true });
    await eventually("the stream to be open", () => open.length === 1);
    const closed = close();
    open[0]?.("far");
    assert.match((await stream).text, /far.*\[DONE\]/s);
    await closed;
    await assert.rejects(ask(), /ECONNREFUSED/);
  });

  it("is not started where another listens, be it one that would share", async () => {
    await started();
    const { port } = new URL(url);
    await assert.rejects(start({ port: Number(port) }), isTaken);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const address = other.address();
    assert.ok(address !== null && typeof address === "object");
    await assert.rejects(start({ port: address.port }), isTaken);
    other.close();
  });

  async function started({ changes, ...options }: StartOptions = {}): Promise<void> {
    const regions = regionsOf(upstream);
    const gateway = await start({ ...options, changes: { regions, ...changes } });
    url = gateway.url;
    close = () => gateway.close();
  }

  /** A gateway of the given snapshot, its audit log, and threads that can be told to fail. */
  async function start({ workers = 2, port = 0, changes = {}, times = {} }: StartOptions) {
    const clock = createSystemClock();
    const folder = await world.folder();
    file = join(folder, "snapshot.json");
    const { publicPem } = world.key;
    const snapshots = SnapshotHolder.signed({
      ...{ estate: "test", region: "eu-west", verifyRelease: () => null },
      ...{ file, trusted: [publicPem], clock },
    });
    await snapshots.offer(world.sign(snapshotOf(changes)));
    const gateway = await startCrew({
      ...{ workers, host: "127.0.0.1", port, snapshots, audit, clock },
      times: { ...TIMES, ...times },
      logger: pino({ level: "error" }, { write: (line) => logged.push(JSON.parse(line)) }),
      spawn: (start) => {
        if (refusals > 0) {
          refusals -= 1;
          throw new Error("no thread is to be had");
        }
        const worker = new Worker(new URL("./worker.fixture.ts", import.meta.url), {
          workerData: { start },
          resourceLimits: { maxOldGenerationSizeMb: 96 },
        });
        threads[start.seat - 1] = worker;
        return worker;
      },
    });
    return world.own(gateway);
  }

  /** From now on each stream begins, and ends when the test says its last word. */
  function heldStreams(): ((last: string) => void)[] {
    const open: ((last: string) => void)[] = [];
    upstream.chat = (_asked, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(sse(chunk({ role: "assistant", content: "so " })));
      const end = sse(chunk({}, "stop")) + sse("[DONE]");
      open.push((last) => response.end(sse(chunk({ content: last })) + end));
    };
    return open;
  }

  /** On a connection of its own, which the kernel gives to some worker, unless an agent holds one. */
  function ask(body: unknown = QUESTION): Promise<Told> {
    return call("POST", "/v1/chat/completions", body);
  }

  function get(path: string, agent?: Agent): Promise<Told> {
    return call("GET", path, undefined, agent);
  }

  function put(number: number, agent?: Agent): Promise<Told> {
    const signed = world.sign(snapshotOf({ number, regions: regionsOf(upstream) }));
    return call("PUT", "/tideover/v1/snapshot", signed, agent);
  }

  function call(method: string, path: string, body: unknown, agent?: Agent): Promise<Told> {
    const headers = { authorization: `Bearer ${ACME_KEY}`, "content-type": "application/json" };
    return new Promise((resolve, reject) => {
      const sent = request(
        `${url}${path}`,
        { method, headers, agent: agent ?? false },
        (response) => {
          told(response).then(resolve, reject);
        },
      );
      sent.on("error", reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  async function inTurn(times: number): Promise<Told[]> {
    const all: Told[] = [];
    for (let n = 0; n < times; n++) all.push(await ask());
    return all;
  }

  async function status(): Promise<Status> {
    return JSON.parse((await get("/tideover/v1/status")).text);
  }

  /** A connection to a worker that answers. */
  async function living(): Promise<Agent> {
    for (;;) {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const answered = get("/healthz", agent).then(
        () => true,
        () => false,
      );
      const late = new Promise<boolean>((resolve) => setTimeout(resolve, 500, false));
      if (await Promise.race([answered, late])) return agent;
      agent.destroy();
    }
  }

  /** The sum of a metric over its labels. */
  async function counted(name: string): Promise<number> {
    const lines = (await get("/metrics")).text.split("\n");
    return lines
      .filter((line) => line.startsWith(`tideover_gateway_${name}`))
      .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }
});

async function told(response: IncomingMessage): Promise<Told> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece);
  const text = Buffer.concat(pieces).toString("utf8");
  return { status: response.statusCode ?? 0, headers: response.headers, text };
}

function idOf({ headers }: Told): string {
  return String(headers["x-request-id"]);
}

/** Which workers gave these answers. */
function workersOf(told: readonly Told[]): string[] {
  return [...new Set(told.map((one) => idOf(one).slice(0, 2)))];
}

async function recordsIn(folder: string): Promise<string[]> {
  const files = (await readdir(folder)).filter((name) => name.startsWith("audit.jsonl"));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")));
  return texts
    .flatMap((text) => text.split("\n").slice(0, -1))
    .map((line) => auditRecordSchema.parse(JSON.parse(line)).requestId);
}

function regionsOf(...upstreams: readonly FakeUpstream[]): Snapshot["regions"] {
  const urls = upstreams.map((upstream) => upstream.url);
  const nobody = "http://127.0.0.1:9";
  return { "eu-west": regionOf(nobody, ...urls), "us-east": regionOf(nobody) };
}

function isTaken(error: unknown): boolean {
  return error instanceof TideoverError && error.code === "PORT_TAKEN";
}
