import assert from "node:assert/strict";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { APIError, type OpenAI, RateLimitError } from "openai";
import { type AuditRecord, auditRecordSchema } from "../../src/model/audit.ts";
import { HEADERS } from "../../src/wire/headers.ts";
import { ask, callerOf, gatewayUrl, type Told, WORKFLOWS } from "../support/callers.ts";
import { type Change, eventually, KEYS, startSample, type TestEstate } from "../support/estate.ts";

const REGIONS = ["eu-west", "us-east"] as const;
const SERVING = "eu-west";
const QUESTION = "Until what time are orders for the night express of spare parts accepted?";
/** Small enough to be used up, large enough for all the other tests together. */
const PER_MINUTE = 120;
const DEADLINE_MS = 4_000;
const STAYS = {
  "support-search": ["region-outage", "index-corruption"],
  assistant: ["region-outage"],
  summarize: ["region-outage"],
};

/** On every answer of the OpenAI API, good or bad. */
const ALWAYS = [HEADERS.requestId, HEADERS.region, HEADERS.release, HEADERS.snapshot];
/** On every answer that a workflow made. */
const OF_AN_ANSWER = [...ALWAYS, HEADERS.workflow, HEADERS.mode, HEADERS.prompt, HEADERS.epoch];

describe("the data path", () => {
  let up: TestEstate;

  before(async () => {
    const changes: Change[] = [
      [["workflows", "summarize", "deadline"], `${DEADLINE_MS}ms`],
      // What becomes of requests while nothing moves: a region without its model is left otherwise.
      ...WORKFLOWS.map((name): Change => [["workflows", name, "declare", "signals"], STAYS[name]]),
    ];
    up = await startSample(changes, lowerTheLimit);
    await eventually("both copies of the index to hold the corpus", async () => {
      const { regions } = await up.control.status();
      const counts = regions.map(({ indexes }) => indexes[0]?.position?.count ?? 0);
      return counts.every((count) => count > 0 && count === counts[0]);
    });
  });
  after(async () => {
    await up?.stop();
  });

  for (const region of REGIONS) {
    for (const workflow of WORKFLOWS) {
      it(`answers ${workflow} through ${region}, whole and streamed alike`, async () => {
        const client = callerOf(up, region);
        const whole = await ask(client, workflow, QUESTION);
        const streamed = await ask(client, workflow, QUESTION, true);
        assert.equal(streamed.text, whole.text);
        if (workflow !== "summarize") assert.match(whole.text, /19:15/);
        for (const { headers } of [whole, streamed]) {
          assertHas(headers, OF_AN_ANSWER);
          assert.equal(headers.get(HEADERS.region), SERVING);
          assert.equal(headers.get(HEADERS.workflow), workflow);
          assert.equal(headers.get(HEADERS.mode), "normal");
          assert.equal(headers.get(HEADERS.release), up.estate.release?.digest);
          const watermark = headers.get(HEADERS.watermark);
          if (workflow === "summarize") assert.equal(watermark, null);
          else assert.match(watermark ?? "", /^\d+@\d{4}-\d\d-\d\dT/);
        }
      });
    }

    it(`lists the workflows as models through ${region}`, async () => {
      const { data, response } = await callerOf(up, region).models.list().withResponse();
      // The workflows, and the embedding model, since some of them retrieve.
      const known = [...WORKFLOWS, "meridian-lexical-2026-01"];
      assert.deepEqual(data.data.map(({ id }) => id).toSorted(), known.toSorted());
      assertHas(response.headers, ALWAYS);
      assert.equal(response.headers.get(HEADERS.region), region);
    });

    it(`refuses an unknown key at ${region}`, async () => {
      const error = await refused(ask(callerOf(up, region, { key: "tk-nobody" }), "assistant"));
      assert.equal(error.status, 401);
      assert.equal(error.code, "invalid_api_key");
      assertHas(error.headers, ALWAYS);
    });

    it(`names the workflows that it knows when asked for another at ${region}`, async () => {
      const error = await refused(ask(callerOf(up, region), "gpt-4o"));
      assert.equal(error.status, 404);
      assert.equal(error.code, "model_not_found");
      for (const workflow of WORKFLOWS) assert.ok(error.message.includes(workflow), error.message);
      assertHas(error.headers, ALWAYS);
    });

    it(`takes a body of 11 MB for what it is at ${region}, and the connection goes on`, async () => {
      const before = pidOf(`gateway:${region}`);
      const tooLarge = Buffer.alloc(11 * 1024 * 1024, "a");
      const answers = await onOneConnection(region, [
        rawRequest(tooLarge),
        rawRequest(tooLarge, { chunked: true }),
        rawRequest(chat("assistant", QUESTION), { last: true }),
      ]);
      assert.deepEqual(
        answers.map(({ status }) => status),
        [413, 413, 200],
      );
      for (const { headers, text } of answers.slice(0, 2)) {
        assert.equal(JSON.parse(text).error.code, "body_too_large");
        assertHas(headers, ALWAYS);
      }
      assert.match(answers[2]?.text ?? "", /19:15/);
      assert.equal(pidOf(`gateway:${region}`), before);
    });

    it(`says what is wrong with a body at ${region}`, async () => {
      const cases: readonly [body: Buffer, code: string][] = [
        [Buffer.from('{"model": "assistant", '), "invalid_json"],
        [Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), "invalid_utf8"],
      ];
      for (const [body, code] of cases) {
        const [answer] = await onOneConnection(region, [rawRequest(body, { last: true })]);
        assert.equal(answer?.status, 400);
        assert.equal(JSON.parse(answer.text).error.code, code);
        assertHas(answer.headers, ALWAYS);
      }
    });

    it(`shows no tenant another one's documents through ${region}`, async () => {
      const asked = [false, true].flatMap((stream) =>
        ["support-search", "assistant"].map((name) => assertIsolated(region, name, stream)),
      );
      await Promise.all(asked);
    });
  }

  it("keeps a record of what it answered, in both regions when it was forwarded", async () => {
    const told = await ask(callerOf(up, "us-east"), "support-search", QUESTION);
    const forwarded = auditOf("us-east", told);
    assert.equal(forwarded.forwardedTo, "eu-west");
    assert.equal(forwarded.tenant, "acme");
    assert.equal(forwarded.outcome, "complete");
    assert.equal(forwarded.watermark, told.headers.get(HEADERS.watermark));
    const answered = auditOf("eu-west", told);
    assert.equal(answered.forwardedTo, null);
    assert.equal(answered.target, "local");
    assert.equal(answered.workflow, "support-search");
    assert.ok(answered.sources.includes("acme-spare-parts-night"), answered.sources.join());
    assert.equal(answered.promptVersion, told.headers.get(HEADERS.prompt));
    assert.ok((answered.promptTokens ?? 0) > 0 && (answered.completionTokens ?? 0) > 0);
    const refusal = await refused(ask(callerOf(up, "eu-west"), "gpt-4o"));
    assert.equal(auditOf("eu-west", { headers: refusal.headers ?? new Headers() }).status, 404);
  });

  it("limits one tenant's rate, says when to come back, and the client does", async () => {
    const cobalt = callerOf(up, SERVING, { key: KEYS.cobalt });
    const refusal = await firstRefusal(cobalt);
    assert.ok(refusal instanceof RateLimitError);
    assert.equal(refusal.code, "rate_limit_exceeded");
    const waitMs = Number(refusal.headers?.get("retry-after-ms"));
    assert.ok(waitMs > 0 && waitMs <= 60_000 / PER_MINUTE, `retry-after-ms: ${waitMs}`);
    assert.equal(refusal.headers?.get("x-ratelimit-limit-requests"), String(PER_MINUTE));
    assertHas(refusal.headers, [...ALWAYS, HEADERS.workflow, HEADERS.epoch]);
    // The official client reads the header and comes back by itself.
    const patient = callerOf(up, SERVING, { key: KEYS.cobalt, maxRetries: 5 });
    assert.ok((await ask(patient, "summarize")).text.length > 0);
    // Nobody else pays for it: neither another tenant nor another workflow of the same one.
    assert.ok((await ask(callerOf(up, SERVING), "summarize")).text.length > 0);
    assert.ok((await ask(cobalt, "assistant")).text.length > 0);
  });

  it("bounds a request that no model answers, and answers a held one when it is back", async (t) => {
    const runtime = `runtime:${SERVING}:local`;
    await up.supervisor.killProcess(runtime);
    const held = ask(callerOf(up, "us-east"), "support-search", QUESTION);
    // Handled at once: it is awaited only after the other one has failed.
    held.catch(() => undefined);
    // Can do without documents, not without a model; that it meets the same silence before, must
    // not turn the held one into a refusal.
    const other = ask(callerOf(up, SERVING), "assistant", QUESTION);
    other.catch(() => undefined);
    const started = performance.now();
    const refusal = await refused(ask(callerOf(up, SERVING), "summarize", QUESTION));
    const tookMs = performance.now() - started;
    assert.equal(refusal.status, 503);
    assert.equal(refusal.code, "no_region_answers");
    assert.match(refusal.message, /summarize now\. Tried: .*local/);
    assert.ok(Number(refusal.headers?.get("retry-after-ms")) > 0);
    assert.ok(tookMs < 5 * DEADLINE_MS, `${tookMs} ms`);
    t.diagnostic(refusal.message);
    await up.supervisor.startProcess(runtime);
    const { text, headers } = await held;
    assert.match(text, /19:15/);
    assert.equal(headers.get(HEADERS.mode), "normal");
    assert.ok((await other).text.length > 0);
    for (const region of REGIONS) await ask(callerOf(up, region), "summarize");
  });

  async function assertIsolated(region: string, workflow: string, stream: boolean): Promise<void> {
    const phrase = "What is the confidentiality marker of Acme, the code word in no shipment?";
    const marker = "quillfeather-7731";
    const acme = await ask(callerOf(up, region), workflow, phrase, stream);
    assert.ok(acme.text.includes(marker), acme.text);
    const bolt = callerOf(up, region, { key: KEYS.bolt });
    const quoted = `${phrase} It begins with "quillfeather".`;
    const told = await ask(bolt, workflow, quoted, stream);
    assert.ok(!told.text.includes(marker), told.text);
    const { tenant, sources } = auditOf(SERVING, told);
    assert.equal(tenant, "bolt");
    assert.ok(sources.length > 0);
    const foreign = sources.filter((id) => /^(acme|cobalt)-/.test(id));
    assert.deepEqual(foreign, []);
  }

  /** Asks until it is refused; a bucket is empty after its size and a few more. */
  async function firstRefusal(client: OpenAI): Promise<unknown> {
    for (let asked = 0; asked < 3 * PER_MINUTE; asked += 10) {
      const batch = Array.from({ length: 10 }, () => ask(client, "summarize", "One. Two."));
      const results = await Promise.allSettled(batch);
      const rejected = results.find((one) => one.status === "rejected");
      if (rejected) return rejected.reason;
    }
    return assert.fail(`${3 * PER_MINUTE} requests were let pass`);
  }

  function auditOf(region: string, { headers }: Pick<Told, "headers">): AuditRecord {
    const id = headers.get(HEADERS.requestId);
    const lines = readFileSync(up.estate.data.region(region).audit, "utf8").trimEnd().split("\n");
    const found = lines.map((line) => JSON.parse(line)).filter(({ requestId }) => requestId === id);
    assert.equal(found.length, 1, `${region} has ${found.length} records of ${id}`);
    return auditRecordSchema.parse(found[0]);
  }

  function pidOf(name: string): number {
    const found = up.supervisor.processes().find((process) => process.name === name);
    assert.equal(found?.state, "running");
    return found?.pid ?? 0;
  }

  /** Everything is sent without waiting for an answer; resolves when the gateway has closed. */
  async function onOneConnection(
    region: string,
    requests: readonly Buffer[],
  ): Promise<readonly RawAnswer[]> {
    const { hostname, port } = new URL(gatewayUrl(up, region));
    const socket = connect(Number(port), hostname);
    const pieces: Buffer[] = [];
    // A reset is an error here, and would fail the test.
    socket.write(Buffer.concat(requests));
    for await (const piece of socket) pieces.push(piece);
    const text = Buffer.concat(pieces).toString("utf8");
    return text
      .split(/(?=HTTP\/1\.1 \d{3} )/)
      .filter((answer) => answer !== "")
      .map(parseAnswer);
  }

  // The last one: it leaves support-search in the other region.
  it("goes on without its index where a workflow can, and holds where not until a copy answers", async (t) => {
    const index = up.estate.data.region(SERVING).index("handbook");
    const aside = `${index}.aside`;
    renameSync(index, aside);
    try {
      const held = [false, true].flatMap((stream) =>
        REGIONS.map((region) => ask(callerOf(up, region), "support-search", QUESTION, stream)),
      );
      for (const region of REGIONS) {
        for (const stream of [false, true]) {
          const client = callerOf(up, region);
          const { text, headers } = await ask(client, "assistant", QUESTION, stream);
          assert.ok(text.length > 0 && !text.includes("19:15"), text);
          assert.equal(headers.get(HEADERS.mode), "no-retrieval");
          assert.equal(headers.get(HEADERS.watermark), null);
        }
      }
      for (const { text, headers } of await Promise.all(held)) {
        assert.match(text, /19:15/);
        assert.equal(headers.get(HEADERS.region), "us-east");
        assert.equal(headers.get(HEADERS.mode), "normal");
      }
      const { plans } = await up.control.plans();
      t.diagnostic(plans[0]?.decision.because ?? "no plan");
      assert.deepEqual(
        plans.map(({ workflow, decision }) => [workflow, decision.kind, decision.domain]),
        [["support-search", "failover", "index-corruption"]],
      );
    } finally {
      renameSync(aside, index);
    }
    for (const workflow of ["support-search", "assistant"]) {
      await eventually(`${workflow} to be normal again`, async () => {
        const told = await ask(callerOf(up, "us-east"), workflow, QUESTION).catch(() => null);
        return told?.headers.get(HEADERS.mode) === "normal" && told.text.includes("19:15");
      });
    }
  });
});

interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** A request by hand: the official client sends no nonsense and says nothing of its sockets. */
function rawRequest(body: Buffer, { chunked = false, last = false } = {}): Buffer {
  const head = [
    "POST /v1/chat/completions HTTP/1.1",
    "host: gateway",
    "content-type: application/json",
    `authorization: Bearer ${KEYS.acme}`,
    chunked ? "transfer-encoding: chunked" : `content-length: ${body.length}`,
    ...(last ? ["connection: close"] : []),
    "\r\n",
  ].join("\r\n");
  const sent = chunked
    ? [Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n0\r\n\r\n")]
    : [body];
  return Buffer.concat([Buffer.from(head), ...sent]);
}

function parseAnswer(raw: string): RawAnswer {
  const [head = "", text = ""] = raw.split("\r\n\r\n", 2);
  const [status = "", ...lines] = head.split("\r\n");
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return { status: Number(status.split(" ")[1]), headers, text };
}

function chat(workflow: string, question: string): Buffer {
  const messages = [{ role: "user", content: question }];
  return Buffer.from(JSON.stringify({ model: workflow, messages }));
}

async function refused(asked: Promise<unknown>): Promise<APIError> {
  try {
    await asked;
  } catch (error) {
    assert.ok(error instanceof APIError, String(error));
    return error;
  }
  return assert.fail("it was answered");
}

function assertHas(headers: Headers | undefined, names: readonly string[]): void {
  const missing = names.filter((name) => !headers?.get(name));
  assert.deepEqual(missing, [], `got ${JSON.stringify([...(headers ?? [])])}`);
}

function lowerTheLimit(folder: string): void {
  const file = join(folder, "release", "release.yaml");
  const text = readFileSync(file, "utf8");
  const changed = text.replace(/requestsPerMinute: \d+/, `requestsPerMinute: ${PER_MINUTE}`);
  assert.notEqual(changed, text);
  writeFileSync(file, changed);
}
