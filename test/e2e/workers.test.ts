import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { keysOf } from "../../src/app/estate.ts";
import { ingestDocuments } from "../../src/app/local-estate.ts";
import { freePorts } from "../../src/app/ports.ts";
import { specWithPorts } from "../../src/config/spec-ports.ts";
import { auditRecordSchema } from "../../src/model/audit.ts";
import { type RunningRuntime, startRuntime } from "../../src/runtime/server.ts";
import { HEADERS } from "../../src/wire/headers.ts";
import { ask as askWorkflow, callerOf, gatewayUrl } from "../support/callers.ts";
import {
  eventually,
  isAlive,
  KEYS,
  ROOT,
  startSample,
  type TestEstate,
} from "../support/estate.ts";
import { type Command, printed, run, start } from "../support/processes.ts";

interface Told {
  readonly status: number;
  readonly text: string;
  readonly requestId: string;
}

interface Status {
  readonly number: number;
  readonly workers: readonly { readonly state: string; readonly restarts: number }[];
}

describe("`tideover gateway --workers 2`", () => {
  let folder: string;
  let upstream: RunningRuntime;
  let url: string;
  let gateway: Command;
  const asked: Told[] = [];

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "tideover-test-"));
    upstream = await startRuntime({
      ...{ model: "my-model", modelDigest: "sha256:00000000" },
      ...{ embeddingModel: "none", embeddingSalt: "none" },
    });
    const [port = 0] = await freePorts(1);
    url = `http://127.0.0.1:${port}`;
    writeFileSync(join(folder, "tideover.yaml"), specFor(upstream.url, port));
    gateway = startGateway(["--workers", "2"]);
    await printed(gateway, "stderr", new RegExp(`gateway of here listens on ${url}`));
  });
  after(async () => {
    gateway?.signalGroup("SIGKILL");
    await upstream?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("answers with both, and keeps one whole record of each request", async () => {
    asked.push(...(await Promise.all(Array.from({ length: 60 }, () => ask()))));
    for (const { status, text } of asked)
      assert.deepEqual([status, /depot/.test(text)], [200, true]);
    assert.deepEqual(recorded(), asked.map(({ requestId }) => requestId).toSorted());
    assert.equal(await counted(), 60);
    const { number, workers } = await status();
    assert.deepEqual([number, workers.map(({ state }) => state)], [1, ["up", "up"]]);
  });

  it("replaces a worker that dies, says so, and loses no record of what it had answered", async () => {
    writeFileSync(join(folder, "die"), "");
    await printed(gateway, "stderr", /"because":"ordered to die".*a worker died/);
    await printed(gateway, "stderr", /a worker is up again/);
    asked.push(...(await Promise.all(Array.from({ length: 60 }, () => ask()))));
    assert.deepEqual(recorded(), asked.map(({ requestId }) => requestId).toSorted());
    assert.equal(await counted(), 120, "what the dead one counted is not forgotten");
    const restarts = (await status()).workers.reduce((sum, worker) => sum + worker.restarts, 0);
    assert.equal(restarts, 1);
  });

  it("keeps a second gateway off its address", async () => {
    const args = ["gateway", "--spec", join(folder, "tideover.yaml"), "--region", "here"];
    const second = await run([...args, "--data", join(folder, "other"), "--workers", "2"], {
      env: { LLM_KEY: "any" },
    });
    assert.equal(second.code, 3);
    assert.match(second.stderr, /cannot listen on 127\.0\.0\.1:\d+: the port is taken/);
  });

  it("ends with 0 at Ctrl-C, and frees its port", { timeout: 30_000 }, async () => {
    gateway.signal("SIGINT");
    const { code, stdout } = await gateway.result;
    assert.deepEqual([code, stdout, isAlive(gateway.pid)], [0, "", false]);
    gateway = startGateway([]);
    await printed(gateway, "stderr", /listens on/);
    assert.equal((await status()).workers, undefined, "one worker is one process, as ever");
  });

  for (const count of ["0", "65", "two", "1.5"]) {
    it(`refuses --workers ${count}, and says what to write`, async () => {
      const args = ["gateway", "--spec", join(folder, "tideover.yaml"), "--region", "here"];
      const { code, stderr } = await run([...args, "--workers", count]);
      assert.equal(code, 2);
      assert.match(stderr, new RegExp(`--workers ${count} is no number of workers\\n.*1 to 64`));
    });
  }

  function startGateway(more: readonly string[]): Command {
    const spec = ["--spec", join(folder, "tideover.yaml"), "--region", "here"];
    const hook = join(ROOT, "test", "support", "die-on-order.mjs");
    return start(["gateway", ...spec, "--data", join(folder, "data"), ...more], {
      env: {
        LLM_KEY: "any",
        NODE_OPTIONS: `--import ${hook}`,
        DIE_ON_ORDER: join(folder, "die"),
      },
    });
  }

  /** On a connection of its own: the kernel gives it to either worker. */
  function ask(): Promise<Told> {
    const headers = { authorization: `Bearer ${KEYS.acme}`, "content-type": "application/json" };
    const content = "When does the depot open?";
    return new Promise((resolve, reject) => {
      const options = { method: "POST", headers, agent: false } as const;
      const sent = request(`${url}/v1/chat/completions`, options, (response) => {
        const requestId = String(response.headers[HEADERS.requestId]);
        let text = "";
        response.on("data", (data) => {
          text += data;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text, requestId }));
        response.on("error", reject);
      });
      sent.on("error", reject);
      sent.end(JSON.stringify({ model: "chat", messages: [{ role: "user", content }] }));
    });
  }

  function recorded(): string[] {
    const lines = readFileSync(join(folder, "data", "regions", "here", "audit.jsonl"), "utf8");
    const records = lines.trimEnd().split("\n");
    return records.map((line) => auditRecordSchema.parse(JSON.parse(line)).requestId).toSorted();
  }

  async function status(): Promise<Status> {
    return (await (await fetch(`${url}/tideover/v1/status`)).json()) as Status;
  }

  async function counted(): Promise<number> {
    const page = await (await fetch(`${url}/metrics`)).text();
    const found = /^tideover_gateway_requests_total\{.*status="200".*\} (\d+)$/m.exec(page);
    return Number(found?.[1]);
  }
});

describe("an estate whose spec gives its gateways workers", () => {
  let up: TestEstate;

  before(async () => {
    up = await startSample(
      ["eu-west", "us-east"].map((region) => [["regions", region, "workers"], 2]),
    );
  });
  after(() => up?.stop());

  it("searches its indexes from every worker, while documents come in", async () => {
    const caller = callerOf(up, "eu-west");
    const watermarks = new Set<string>();
    const searched = async (): Promise<void> => {
      for (let n = 0; n < 8; n++) {
        const { text, headers } = await askWorkflow(caller, "support-search");
        assert.notEqual(text, "");
        assert.equal(headers.get(HEADERS.mode), "normal");
        watermarks.add(headers.get(HEADERS.watermark) ?? "");
      }
    };
    await Promise.all([ingested(8), ...Array.from({ length: 8 }, searched)]);
    assert.ok(watermarks.size > 1, "they saw it grow");
    for (const watermark of watermarks) assert.match(watermark, /^\d+@/);
  });

  it("acknowledges the published snapshot in each region once all workers serve it", async () => {
    const { snapshot } = await up.control.status();
    for (const region of ["eu-west", "us-east"]) {
      const url = `${gatewayUrl(up, region)}/tideover/v1/status`;
      await eventually(`${region} to serve ${snapshot}`, async () => {
        const shown = (await (await fetch(url)).json()) as Status;
        return shown.number === snapshot && shown.workers.length === 2;
      });
    }
  });

  /** So many documents, one after the other. */
  async function ingested(count: number): Promise<void> {
    const { token } = keysOf(up.estate);
    const { signal } = new AbortController();
    for (let n = 0; n < count; n++) {
      const id = `incoming-${n}`;
      const common = { text: "New.", audience: "public", labels: [], payload: {} };
      const documents = [{ id, title: id, ...common, sourceTime: Date.now() }];
      await ingestDocuments(up.estate, up.control, token, { index: "handbook", documents, signal });
    }
  }
});

/** The example of a gateway alone, on this port and before this upstream. */
function specFor(upstream: string, port: number): string {
  const example = readFileSync(join(ROOT, "examples", "gateway-only.yaml"), "utf8");
  return specWithPorts(example, () => port).replaceAll(/url: "[^"]*"/g, `url: "${upstream}"`);
}
