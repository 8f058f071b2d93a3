import assert from "node:assert/strict";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { createSystemClock } from "../adapters/clock-system/clock.ts";
import { SimClock } from "../sim/clock.ts";
import { QUESTION } from "./findings.fixture.ts";
import { ask, clientFor, type LoadOptions, type Question, startLoad } from "./load.ts";

interface Request {
  readonly key: string;
  readonly model: string;
  readonly stream: boolean;
  readonly text: string;
}
type Reply = (response: ServerResponse, request: Request) => void;

/** A gateway as far as a caller sees it; what it answers is each test's own. */
let reply: Reply;
let requests: Request[];
let gateway: string;
let server: ReturnType<typeof createServer>;

beforeEach(async () => {
  requests = [];
  server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString());
      const key = String(incoming.headers.authorization).slice("Bearer ".length);
      const { model, stream = false, messages } = body;
      const request = { key, model, stream, text: messages[0].content };
      requests.push(request);
      reply(response, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  gateway = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const HEADERS = {
  "x-request-id": "req-7",
  "x-tideover-region": "us-east",
  "x-tideover-release": "sha256:r",
  "x-tideover-mode": "no-retrieval",
};

const whole =
  (content: string, finish_reason: string | null = "stop"): Reply =>
  (response) => {
    response.writeHead(200, { "content-type": "application/json", ...HEADERS });
    const message = { role: "assistant", content };
    response.end(JSON.stringify({ choices: [{ index: 0, message, finish_reason }] }));
  };

const delta = (content: string, finish_reason: string | null = null) => ({
  choices: [{ index: 0, delta: { content }, finish_reason }],
});
const DONE = "[DONE]";
const ERROR = { error: { message: "the region was lost", type: "api_error" } };

/** Server-sent events, and then the end of the body, or of the connection. */
const streamed =
  (events: readonly unknown[], end: "ends" | "breaks" = "ends"): Reply =>
  (response) => {
    response.writeHead(200, { "content-type": "text/event-stream", ...HEADERS });
    const text = events.map(
      (event) => `data: ${event === DONE ? DONE : JSON.stringify(event)}\n\n`,
    );
    response.write(text.join(""), () => (end === "ends" ? response.end() : response.destroy()));
  };

const refusal =
  (status: number, headers: Record<string, string> = {}): Reply =>
  (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify({ error: { message: `why ${status}` } }));
  };

describe("what a caller got", () => {
  const finished = [delta("It takes "), delta("42 days."), delta("", "stop"), DONE];
  const cases: readonly (readonly [string, boolean, Reply, string, boolean])[] = [
    ["a whole answer", false, whole("It takes 42 days."), "succeeded", true],
    [
      "a whole answer that was told to be short",
      false,
      whole("42 days", "length"),
      "succeeded",
      true,
    ],
    ["a wrong answer", false, whole("It takes a week."), "succeeded", false],
    [
      "an answer that says itself that it is not finished",
      false,
      whole("42 days", null),
      "silently-cut",
      false,
    ],
    ["an answer without a choice", false, (response) => response.end("{}"), "failed", false],
    ["a refusal", false, refusal(400), "failed", false],
    [
      "a failure of the gateway",
      false,
      refusal(500, { "x-should-retry": "false" }),
      "failed",
      false,
    ],
    ["a whole stream", true, streamed(finished), "succeeded", true],
    [
      "a whole stream with a wrong answer",
      true,
      streamed([delta("No.", "stop"), DONE]),
      "succeeded",
      false,
    ],
    ["a refused stream", true, refusal(400), "failed", false],
    ["a stream that is an error from its first event on", true, streamed([ERROR]), "failed", false],
    ["a stream cut with an error event", true, streamed([delta("42 days"), ERROR]), "cut", false],
    // As vLLM does: whoever looks for [DONE] alone takes it for a success.
    [
      "an error event and then [DONE]",
      true,
      streamed([delta("42 days"), ERROR, DONE]),
      "cut",
      false,
    ],
    ["a stream whose connection broke", true, streamed([delta("42 days")], "breaks"), "cut", false],
    [
      "a stream that just ended",
      true,
      streamed([delta("It takes 42 days.")]),
      "silently-cut",
      false,
    ],
    [
      "a stream that ended with [DONE] and no finish",
      true,
      streamed([delta("42 days"), DONE]),
      "silently-cut",
      false,
    ],
    ["a stream of nothing", true, streamed([DONE]), "silently-cut", false],
  ];
  for (const [what, stream, given, result, right] of cases) {
    test(`${what} is ${result}${right ? "" : ", and not right"}`, async () => {
      reply = given;
      const outcome = await askOnce(QUESTION, stream);
      assert.deepEqual(
        [outcome.result, outcome.right, outcome.streamed],
        [result, right, stream],
        outcome.detail,
      );
    });
  }

  test("names the request, region, release and mode that the gateway named", async () => {
    for (const stream of [false, true]) {
      reply = stream ? streamed(finished) : whole("42 days");
      assert.partialDeepStrictEqual(await askOnce(QUESTION, stream), {
        requestId: "req-7",
        region: "us-east",
        release: "sha256:r",
        mode: "no-retrieval",
        question: QUESTION,
      });
    }
    reply = streamed([delta("42"), ERROR]);
    const { region, detail } = await askOnce(QUESTION, true);
    assert.deepEqual([region, detail], ["us-east", "the region was lost"]);
    reply = refusal(400);
    assert.partialDeepStrictEqual(await askOnce(QUESTION, false), {
      region: null,
      requestId: null,
    });
  });

  test("is right with any answer where none was expected", async () => {
    reply = whole("anything");
    assert.equal((await askOnce({ ...QUESTION, expected: null }, false)).right, true);
  });

  test("is what the official client makes of it, with its own retries", async () => {
    const soon = refusal(503, { "retry-after-ms": "1" });
    reply = (...to) => (requests.length < 3 ? soon : whole("42 days"))(...to);
    assert.equal((await askOnce(QUESTION, false)).result, "succeeded");
    assert.equal(requests.length, 3);
    requests = [];
    reply = soon;
    const outcome = await askOnce(QUESTION, false);
    assert.deepEqual([outcome.result, outcome.detail], ["failed", "503 why 503"]);
    assert.equal(requests.length, 3);
  });

  test("is a failure when nobody listens", async () => {
    const client = clientFor("http://127.0.0.1:1", "key");
    client.maxRetries = 0;
    assert.equal((await ask(client, QUESTION, true, world())).result, "failed");
  });

  function askOnce(question: Question, stream: boolean) {
    return ask(clientFor(gateway, "key"), question, stream, world());
  }
});

/** A clock, and nobody who breaks anything off. */
function world(): Pick<LoadOptions, "clock" | "signal"> {
  return { clock: createSystemClock(), signal: new AbortController().signal };
}

describe("a load", () => {
  const question = (workflow: string, tenant = "acme"): Question => ({
    tenant,
    workflow,
    text: `to ${workflow}`,
    expected: null,
  });
  const answering: Reply = (response, request) =>
    (request.stream ? streamed([delta("yes", "stop"), DONE]) : whole("yes"))(response, request);

  const load = (over: Partial<LoadOptions> = {}) =>
    startLoad({
      gateway,
      keys: new Map([
        ["acme", "key-acme"],
        ["bolt", "key-bolt"],
      ]),
      questions: [question("rag"), question("plain", "bolt")],
      perSecond: 500,
      streamEvery: 2,
      maxRequests: 8,
      ...world(),
      ...over,
    });

  test("asks in turn, each tenant with its own key, each workflow streamed and not", async () => {
    reply = answering;
    const running = load();
    await running.first(() => running.outcomes.length === 8, 10_000);
    const outcomes = await running.stop();
    const kinds = ({ workflow }: Question) =>
      outcomes
        .filter((one) => one.question.workflow === workflow)
        .map((one) => one.streamed)
        .sort();
    assert.deepEqual(kinds(question("rag")), [false, false, true, true]);
    assert.deepEqual(kinds(question("plain")), [false, false, true, true]);
    assert.ok(outcomes.every(({ result }) => result === "succeeded"));
    assert.deepEqual(
      new Set(requests.map(({ model, key, text }) => `${model} ${key} ${text}`)),
      new Set(["rag key-acme to rag", "plain key-bolt to plain"]),
    );
  });

  test("is broken off at once, without waiting for answers that may never come", async () => {
    const stop = new AbortController();
    // As a gateway that holds a request: connected, and silent.
    const arrived = new Promise<void>((resolve) => {
      reply = () => resolve();
    });
    const running = load({ maxRequests: 1, signal: stop.signal });
    await arrived;
    stop.abort();
    assert.deepEqual(
      (await running.stop()).map(({ result }) => result),
      ["failed"],
    );
  });

  test("ends by itself after its last request, and sends nothing after a stop", async () => {
    reply = answering;
    const running = load({ maxRequests: 3 });
    await running.first(() => running.outcomes.length === 3, 10_000);
    assert.deepEqual([running.sent(), (await running.stop()).length], [3, 3]);
    assert.equal(requests.length, 3);
  });

  test("is open: requests go out when they are due, although nothing is answered", async () => {
    const held: ServerResponse[] = [];
    const { promise: allCame, resolve } = Promise.withResolvers<void>();
    reply = (response) => {
      held.push(response);
      if (held.length === 4) resolve();
    };
    const running = load({ maxRequests: 4, streamEvery: 99 });
    await allCame;
    assert.deepEqual([running.outcomes.length, running.sent()], [0, 4]);
    for (const [at, response] of held.entries()) whole("yes")(response, requests[at] as Request);
    assert.equal((await running.stop()).length, 4);
  });

  test("waits at its end for every answer under way", async () => {
    const { promise: came, resolve } = Promise.withResolvers<ServerResponse>();
    reply = (response) => resolve(response);
    const running = load({ maxRequests: 1 });
    const response = await came;
    const endedWith = running.stop().then((outcomes) => outcomes.length);
    let ended = false;
    void endedWith.then(() => {
      ended = true;
    });
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    assert.equal(ended, false);
    whole("yes")(response, requests[0] as Request);
    assert.equal(await endedWith, 1);
  });

  test("finds an outcome that is there, or that is still to come", async () => {
    reply = (response, request) =>
      (request.model === "rag" ? answering : refusal(400))(response, request);
    const running = load({ maxRequests: 2 });
    const failed = await running.first(({ result }) => result === "failed", 10_000);
    assert.equal(failed?.question.workflow, "plain");
    await running.stop();
    assert.equal(await running.first(({ result }) => result === "failed", 0), failed);
  });

  test("gives null when the outcome does not come in time", async () => {
    reply = answering;
    const clock = new SimClock();
    const running = load({ clock, maxRequests: 1 });
    const looked = running.first(() => false, 5_000);
    await clock.advance(4_999);
    assert.equal(await Promise.race([looked, "still looking"]), "still looking");
    await clock.advance(1);
    assert.equal(await looked, null);
    await running.stop();
  });

  test("keeps its pace by the clock that it is given", async () => {
    reply = answering;
    const clock = new SimClock();
    const running = load({ clock, perSecond: 10, maxRequests: 100 });
    await clock.settle();
    assert.equal(running.sent(), 1);
    await clock.advance(99);
    assert.equal(running.sent(), 1);
    await clock.advance(901);
    assert.equal(running.sent(), 11);
    await running.stop();
    await clock.advance(5_000);
    assert.equal(running.sent(), 11);
  });

  test("passes over a question whose tenant has no key", async () => {
    reply = answering;
    const running = load({
      questions: [question("rag", "stranger"), question("rag")],
      maxRequests: 4,
    });
    await running.first(() => running.outcomes.length === 2, 10_000);
    assert.deepEqual(
      (await running.stop()).map((one) => one.question.tenant),
      ["acme", "acme"],
    );
  });
});
