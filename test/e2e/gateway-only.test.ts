import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import OpenAI from "openai";
import { parseDocument } from "yaml";
import { freePorts } from "../../src/app/ports.ts";
import { specWithPorts } from "../../src/config/spec-ports.ts";
import { type RunningRuntime, startRuntime } from "../../src/runtime/server.ts";
import { HEADERS } from "../../src/wire/headers.ts";
import { isAlive, ROOT } from "../support/estate.ts";
import { type Command, printed, start } from "../support/processes.ts";

const KEY = "tk-demo-acme";
/** How long a request may be held when no upstream answers; the example says nothing: a minute. */
const DEADLINE_MS = 2_000;

let folder: string;
let spec: string;
let url: string;
let first: RunningRuntime;
let second: RunningRuntime;
let gateway: Command;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "tideover-test-"));
  [first, second] = await Promise.all([upstream(), upstream()]);
  spec = join(folder, "tideover.yaml");
  const ports = await freePorts(1);
  writeFileSync(spec, exampleFor([first.url, second.url], ports[0] ?? 0));
  url = `http://127.0.0.1:${ports[0]}`;
  gateway = startGateway();
  await printed(gateway, "stderr", new RegExp(`gateway of here listens on ${url}`));
});
after(async () => {
  gateway?.signalGroup("SIGKILL");
  await Promise.all([first?.close(), second?.close()]);
  rmSync(folder, { recursive: true, force: true });
});

// In this order: each test leaves fewer upstreams to the next.

test("it lists its workflow as a model, to callers with a key only", async () => {
  const models = await client().models.list();
  assert.deepEqual(
    models.data.map(({ id }) => id),
    ["chat"],
  );
  const stranger = new OpenAI({ baseURL: `${url}/v1`, apiKey: "wrong", maxRetries: 0 });
  await assert.rejects(ask(stranger), ({ status }) => status === 401);
});

test("the official client gets a whole answer and a streamed one, the same", async () => {
  const whole = await ask();
  assert.match(whole.text, /depot/);
  assert.deepEqual(
    [whole.headers.get(HEADERS.region), whole.headers.get(HEADERS.mode)],
    ["here", "normal"],
  );
  let text = "";
  let finish: string | null | undefined;
  for await (const { choices } of await client().chat.completions.create({
    ...QUESTION,
    stream: true,
  })) {
    text += choices[0]?.delta.content ?? "";
    finish = choices[0]?.finish_reason ?? finish;
  }
  assert.deepEqual([text, finish], [whole.text, "stop"]);
});

test("it needs no controller and keeps no estate: only its audit log", () => {
  const data = join(folder, "data");
  assert.ok(readFileSync(join(data, "regions", "here", "audit.jsonl"), "utf8").includes("chat"));
  assert.equal(existsSync(join(data, "store.db")), false);
  assert.equal(existsSync(join(data, "keys")), false);
});

test("with the first upstream dead the second answers, and no caller sees an error", async () => {
  await first.close();
  for (let request = 0; request < 5; request += 1) assert.match((await ask()).text, /depot/);
});

test("with both dead: 503 within the deadline, with a request id and who was tried", async () => {
  await second.close();
  const from = performance.now();
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json" },
    body: JSON.stringify(QUESTION),
    // A bound for a gateway that would hold the request for ever, far above its deadline.
    signal: AbortSignal.timeout(DEADLINE_MS * 5),
  });
  const tookMs = performance.now() - from;
  assert.equal(response.status, 503);
  assert.match(response.headers.get(HEADERS.requestId) ?? "", /^[\w-]{8,}$/);
  assert.ok(response.headers.has("retry-after"));
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  assert.equal(error.code, "no_region_answers");
  for (const target of [/\bfirst \(/, /\bsecond \(/]) assert.match(error.message, target);
  assert.ok(tookMs > DEADLINE_MS / 2, "it was held: somebody might have come back");
});

test("when an upstream comes back, a held request is answered", async () => {
  const held = ask();
  second = await upstream(second.port);
  assert.match((await held).text, /depot/);
});

test("Ctrl-C ends it with 0, and frees its port", { timeout: 30_000 }, async () => {
  gateway.signal("SIGINT");
  const { code, stdout } = await gateway.result;
  assert.deepEqual([code, stdout, isAlive(gateway.pid)], [0, "", false]);
  const again = startGateway();
  await printed(again, "stderr", /listens on/);
  again.signalGroup("SIGTERM");
  assert.equal((await again.result).code, 0);
});

const QUESTION = {
  model: "chat",
  messages: [{ role: "user" as const, content: "When does the depot open?" }],
};

function startGateway(): Command {
  const args = ["--spec", spec, "--region", "here", "--data", join(folder, "data")];
  // The example's second upstream wants a key; the reference runtime takes any.
  return start(["gateway", ...args], { env: { LLM_KEY: "any" } });
}

function client(): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: KEY, maxRetries: 0 });
}

async function ask(by = client()): Promise<{ text: string; headers: Headers }> {
  const { data, response } = await by.chat.completions.create(QUESTION).withResponse();
  assert.equal(data.choices[0]?.finish_reason, "stop");
  return { text: data.choices[0]?.message.content ?? "", headers: response.headers };
}

/** One of the "any two OpenAI-compatible servers" that the example stands before. */
function upstream(port = 0): Promise<RunningRuntime> {
  return startRuntime({
    port,
    model: "my-model",
    modelDigest: "sha256:00000000",
    embeddingModel: "none",
    embeddingSalt: "none",
  });
}

/** The example as it stands, on a free port and before these upstreams. */
function exampleFor(upstreams: readonly string[], port: number): string {
  const example = readFileSync(join(ROOT, "examples", "gateway-only.yaml"), "utf8");
  const document = parseDocument(specWithPorts(example, () => port));
  const targets = ["regions", "here", "components", "runtime", "targets"];
  upstreams.forEach((upstream, at) => {
    document.setIn([...targets, at, "url"], upstream);
  });
  document.setIn(["workflows", "chat", "deadline"], `${DEADLINE_MS / 1_000}s`);
  return document.toString();
}
