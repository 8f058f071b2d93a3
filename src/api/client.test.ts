import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { TideoverError } from "../lib/errors.ts";
import { KEYS } from "../model/keys.ts";
import { SimClock } from "../sim/clock.ts";
import { simSpec } from "../sim/estate.ts";
import { ControlClient } from "./client.ts";
import { startApi } from "./server.ts";
import { plan, planState, record, storeWith, WORKFLOW } from "./values.fixture.ts";

const TOKEN = "the-token";
const closers: (() => void)[] = [];
after(() => {
  for (const close of closers) close();
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** `host:port` of something that answers like this. */
async function listen(handler: Handler): Promise<string> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An address at which nobody listens any more. */
async function nobody(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

const answering = (status: number, body: unknown): Handler => {
  return (_, response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  };
};

const clientOf = (...controllers: string[]) =>
  new ControlClient({ estate: "sim", controllers, token: TOKEN });

test("speaks with the real API: status, plans, record, runbook and a move", async () => {
  const store = await storeWith({
    ...record(3),
    [KEYS.plan("p1")]: plan("p1"),
    [KEYS.planState("p1")]: planState("p1"),
  });
  const api = await startApi({
    host: "127.0.0.1",
    port: 0,
    estate: { spec: simSpec(), release: null },
    store,
    clock: new SimClock(),
    controller: { status: () => null },
    token: TOKEN,
    newId: () => "r1",
    verifyRelease: () => null,
    claimsOf: () => ({ number: null, expires: null }),
  });
  try {
    const client = clientOf(new URL(api.url).host);
    assert.equal((await client.status()).estate, "sim");
    assert.deepEqual(await client.plans(), { plans: [plan("p1")], states: [planState("p1")] });
    assert.deepEqual(
      (await client.evidence(1)).map(({ seq }) => seq),
      [2, 3],
    );
    assert.equal((await client.runbook(WORKFLOW)).workflow, WORKFLOW);
    const request = await client.move("failback", WORKFLOW, { to: null, by: "alice" });
    assert.partialDeepStrictEqual(request, { id: "r1", kind: "failback", by: "alice" });
    await assert.rejects(client.runbook("a/../b?"), {
      code: "NOT_FOUND",
      retry: "never",
      message: 'there is no workflow "a/../b?"',
      next: `The spec has: ${WORKFLOW}.`,
    });
  } finally {
    await api.close();
  }
});

test("the next controller is asked when one does not answer, in whichever way", async (t) => {
  // Three seconds in life; what is tried is what comes after them.
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  t.mock.method(AbortSignal, "timeout", () => timeout(200));
  const silences: Readonly<Record<string, string>> = {
    "nobody listens": await nobody(),
    "the connection is dropped": await listen(({ socket }) => socket.destroy()),
    "it hangs": await listen(() => undefined),
    "something else answers there": await listen((_, response) => response.end("<html>")),
    "the answer is cut": await listen((_, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write('{"estate"', () => response.destroy());
    }),
  };
  const last = await listen(answering(200, { estate: "the second's" }));
  for (const [what, first] of Object.entries(silences)) {
    const status = await clientOf(first, last).status();
    assert.equal(status.estate, "the second's", what);
  }
});

test("the first that answers is the only one asked", async () => {
  const first = await listen(answering(200, { estate: "the first's" }));
  const second = await listen(() => assert.fail("asked"));
  assert.equal((await clientOf(first, second).status()).estate, "the first's");
});

test("a refusal is an answer: it is passed on, and nobody else is asked", async () => {
  let asked = 0;
  const second = await listen((request, response) => {
    asked += 1;
    answering(200, {})(request, response);
  });
  const refusals = [
    [404, "NOT_FOUND", "never"],
    [400, "USAGE", "never"],
    [401, "UNAUTHORIZED", "never"],
    // A store that is busy now: whoever polls, as a drill does, must go on.
    [503, "STORE_UNAVAILABLE", "later"],
  ] as const;
  for (const [status, code, retry] of refusals) {
    const error = { code, message: `why ${status}`, next: "Do this." };
    const first = await listen(answering(status, { error }));
    await assert.rejects(clientOf(first, second).status(), {
      name: "TideoverError",
      code,
      retry,
      message: `why ${status}`,
      next: "Do this.",
    });
  }
  assert.equal(asked, 0);
});

test("an error without the API's shape is told by its status", async () => {
  const address = await listen(answering(502, { detail: "a proxy's" }));
  await assert.rejects(clientOf(address).status(), {
    code: "STORE_UNAVAILABLE",
    message: "the controller answered 502",
  });
});

test("when none answers, it says which were asked and why each failed", async () => {
  const [first, second] = [await nobody(), await listen(({ socket }) => socket.destroy())];
  await assert.rejects(clientOf(first, second).status(), (error) => {
    assert.ok(error instanceof TideoverError);
    assert.deepEqual([error.code, error.retry], ["ESTATE_NOT_UP", "later"]);
    assert.match(error.message, /^no controller of estate "sim" answers \(/);
    assert.match(error.message, new RegExp(`${first}: [^;]*ECONNREFUSED`));
    assert.match(error.message, new RegExp(`${second}: [^;)]+\\)$`));
    return true;
  });
});

test("an estate without controllers is not up, and is told so", async () => {
  await assert.rejects(clientOf().status(), {
    code: "ESTATE_NOT_UP",
    message: 'no controller of estate "sim" answers (the spec names none)',
  });
});
