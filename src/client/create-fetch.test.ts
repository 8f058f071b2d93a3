import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TideoverError } from "../lib/errors.ts";
import { createFetch } from "./create-fetch.ts";
import {
  type Behaviour,
  bodyOf,
  bytes,
  EU,
  type FakeGateways,
  fakeGateways,
  idleWorld,
  json,
  never,
  refused,
  US,
} from "./gateways.fixture.ts";
import type { ClientEvent } from "./tools.ts";
import { retryAfterMs } from "./whole.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const answer =
  (from: string): Behaviour =>
  () =>
    json(200, { from });
const says = (status: number, headers: Record<string, string> = {}): Behaviour => {
  return () => json(status, { error: { message: `it says ${status}` } }, headers);
};
const breaks: Behaviour = () => {
  const headers = { "content-type": "application/json" };
  return new Response(bodyOf([bytes('{"from":')], "break"), { headers });
};

function clientOver(behave: Record<string, Behaviour>, options: { budgetMs?: number } = {}) {
  const fake = fakeGateways(behave);
  const world = idleWorld();
  const events: ClientEvent[] = [];
  const onEvent = (event: ClientEvent): void => void events.push(event);
  const send = createFetch({
    gateways: [EU, `${US}/`],
    fetch: fake.fetch,
    world,
    onEvent,
    ...options,
  });
  return { fake, world, events, send };
}

/** A chat completion that is not streamed. */
const CHAT = {
  method: "POST",
  headers: { "content-type": "application/json", authorization: "Bearer k" },
  body: JSON.stringify({ model: "support", messages: [] }),
};
const chat = (send: typeof fetch, init: RequestInit = {}) =>
  send(`${EU}/v1/chat/completions`, { ...CHAT, ...init });

const bases = (fake: FakeGateways): string[] => fake.got.map(({ base }) => base);

describe("before the first byte", () => {
  const MOVES: readonly { readonly name: string; readonly first: Behaviour }[] = [
    { name: "a refused connection", first: () => Promise.reject(refused()) },
    { name: "408", first: says(408) },
    { name: "421", first: says(421) },
    { name: "502", first: says(502) },
    { name: "503", first: says(503) },
    { name: "503 that wants an hour", first: says(503, { "retry-after": "3600" }) },
    { name: "503 that says not to retry there", first: says(503, { "x-should-retry": "false" }) },
    { name: "504", first: says(504) },
    { name: "500 that asks for another try", first: says(500, { "x-should-retry": "true" }) },
    { name: "a body that breaks", first: breaks },
    {
      name: "a body that ends too early and looks whole",
      first: () => new Response('{"from":', { headers: { "content-type": "application/json" } }),
    },
  ];
  for (const { name, first } of MOVES) {
    it(`${name} moves the request to the next gateway, under one id`, async () => {
      const { fake, send } = clientOver({ [EU]: first, [US]: answer("us") });
      const response = await chat(send);
      assert.equal(response.status, 200);
      assert.deepEqual(await response.json(), { from: "us" });
      assert.deepEqual(bases(fake), [EU, US]);
      const ids = fake.got.map(({ headers }) => headers.get("x-request-id") ?? "");
      assert.match(ids[0] ?? "", UUID);
      assert.equal(ids[0], ids[1]);
      assert.equal(fake.got[1]?.text, CHAT.body);
      assert.equal(fake.got[1]?.headers.get("authorization"), "Bearer k");
    });
  }

  for (const status of [400, 401, 404, 409, 422, 429, 500]) {
    it(`${status} is the answer, and nobody else is asked`, async () => {
      const { fake, send } = clientOver({ [EU]: says(status), [US]: answer("us") });
      const response = await chat(send);
      assert.equal(response.status, status);
      assert.match(await response.text(), new RegExp(`it says ${status}`));
      assert.deepEqual(bases(fake), [EU]);
    });
  }

  it("a gateway that is silent and does not live is left after its usual silence", async () => {
    const { fake, world, send } = clientOver({ [EU]: never, [US]: answer("us") });
    fake.alive.delete(EU);
    assert.deepEqual(await (await chat(send)).json(), { from: "us" });
    assert.deepEqual(fake.health, [EU]);
    assert.ok(world.elapsed() < 10_000, `${world.elapsed()} ms`);
  });

  it("a gateway that is silent and lives is waited for", async () => {
    const { fake, world, send } = clientOver({
      [EU]: () => new Promise((resolve) => world.after(60_000, () => resolve(json(200, {})))),
    });
    assert.equal((await chat(send)).status, 200);
    assert.equal(world.elapsed(), 60_000);
    assert.deepEqual(bases(fake), [EU]);
    assert.ok(fake.health.length > 3);
  });

  it("a proxy that says that nobody is behind it is no sign of life", async () => {
    const fake = fakeGateways({ [EU]: never, [US]: answer("us") });
    const send = createFetch({
      gateways: [EU, US],
      world: idleWorld(),
      fetch: async (input, init) =>
        String(input) === `${EU}/healthz` ? json(503, {}) : fake.fetch(input, init),
    });
    assert.deepEqual(await (await chat(send)).json(), { from: "us" });
  });

  it("many silent requests ask one question", async () => {
    const { fake, send } = clientOver({ [EU]: never, [US]: answer("us") });
    fake.alive.delete(EU);
    await Promise.all(Array.from({ length: 20 }, () => chat(send)));
    assert.deepEqual(fake.health, [EU]);
  });

  it("a wait for the headers can have a bound of its own", async () => {
    const fake = fakeGateways({ [EU]: never, [US]: answer("us") });
    const world = idleWorld();
    const send = createFetch({ gateways: [EU, US], fetch: fake.fetch, world, headersMs: 700 });
    assert.deepEqual(await (await chat(send)).json(), { from: "us" });
    assert.equal(world.elapsed(), 700);
    assert.deepEqual(fake.health, []);
  });

  it("when all fail for a moment, they are asked again after a wait", async () => {
    let asked = 0;
    const { fake, send } = clientOver({
      [EU]: () => (++asked < 2 ? Promise.reject(refused()) : json(200, { from: "eu" })),
    });
    assert.deepEqual(await (await chat(send)).json(), { from: "eu" });
    assert.deepEqual(bases(fake).toSorted(), [EU, EU, US]);
  });

  it("Retry-After is waited out when it is short, by everybody who said it", async () => {
    let asked = 0;
    const { world, send } = clientOver({
      [EU]: () => (++asked < 2 ? says(503, { "retry-after-ms": "4000" }) : answer("eu"))(got()),
      [US]: says(503, { "retry-after": "5" }),
    });
    assert.deepEqual(await (await chat(send)).json(), { from: "eu" });
    assert.equal(world.elapsed(), 4_000);
  });

  it("when nobody may be asked again, the last refusal is the answer", async () => {
    const { fake, world, send } = clientOver({
      [EU]: says(503, { "x-should-retry": "false" }),
      [US]: says(503, { "retry-after": "120" }),
    });
    const response = await chat(send);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("retry-after"), "120");
    assert.deepEqual(bases(fake), [EU, US]);
    assert.equal(world.elapsed(), 0);
  });

  it("when nobody answers at all, it fails as fetch does and names every try", async () => {
    const { fake, events, send } = clientOver({});
    await assert.rejects(chat(send), (error) => {
      assert.ok(error instanceof TypeError);
      assert.match(error.message, /eu\.ai\.example \(fetch failed: connect ECONNREFUSED/);
      assert.match(error.message, /us\.ai\.example/);
      return true;
    });
    assert.equal(fake.got.length, 6);
    assert.equal(events.length, 6);
  });

  it("the budget ends it, whatever else would still be tried", async () => {
    const { world, send } = clientOver({ [EU]: never, [US]: never }, { budgetMs: 12_000 });
    await assert.rejects(chat(send), /no answer in/);
    assert.equal(world.elapsed(), 12_000);
  });
});

describe("how long a gateway asks to be left alone", () => {
  const NOW = Date.UTC(2026, 0, 5, 12, 0, 0);
  const SAID: readonly (readonly [headers: Record<string, string>, ms: number | null])[] = [
    [{}, null],
    [{ "retry-after": "2" }, 2_000],
    [{ "retry-after": "2", "retry-after-ms": "150" }, 150],
    [{ "retry-after": "-2" }, 0],
    [{ "retry-after": "Mon, 05 Jan 2026 12:00:07 GMT" }, 7_000],
    [{ "retry-after": "Mon, 05 Jan 2026 11:00:00 GMT" }, 0],
    [{ "retry-after": "soon" }, null],
    [{ "retry-after-ms": "soon", "retry-after": "1" }, 1_000],
  ];
  for (const [headers, ms] of SAID) {
    it(`${JSON.stringify(headers)} is ${ms} ms`, () => {
      assert.equal(retryAfterMs(new Headers(headers), NOW), ms);
    });
  }
});

describe("what may be sent twice", () => {
  const file = (send: typeof fetch, headers: Record<string, string> = {}) =>
    send(`${EU}/v1/files`, { method: "POST", body: "x", headers });

  it("a request that may have changed something is not repeated", async () => {
    const { fake, send } = clientOver({ [EU]: breaks, [US]: answer("us") });
    await assert.rejects(file(send), /no gateway answered/);
    assert.deepEqual(bases(fake), [EU]);
  });

  it("unless the gateway says that it did nothing", async () => {
    const { fake, send } = clientOver({ [EU]: says(421), [US]: answer("us") });
    assert.equal((await file(send)).status, 200);
    assert.deepEqual(bases(fake), [EU, US]);
  });

  it("or the caller says that it is the same request", async () => {
    const { send } = clientOver({ [EU]: breaks, [US]: answer("us") });
    assert.equal((await file(send, { "idempotency-key": "1" })).status, 200);
  });

  it("a body that can be read only once is", async () => {
    const { fake, send } = clientOver({ [EU]: says(503), [US]: answer("us") });
    const init = { body: bodyOf([bytes('{"a":'), bytes("1}")], "close"), duplex: "half" } as const;
    await chat(send, init);
    assert.deepEqual(
      fake.got.map(({ text }) => text),
      ['{"a":1}', '{"a":1}'],
    );
  });

  it("a Request is as good as its parts", async () => {
    const { fake, send } = clientOver({ [EU]: says(503), [US]: answer("us") });
    const given = new Request(`${US}/v1/embeddings?x=1`, { ...CHAT, body: "{}" });
    assert.equal((await send(given)).status, 200);
    assert.deepEqual(
      fake.got.map(({ base, path, method, text }) => [base, path, method, text]),
      [
        [EU, "/v1/embeddings?x=1", "POST", "{}"],
        [US, "/v1/embeddings?x=1", "POST", "{}"],
      ],
    );
    assert.equal(fake.got[1]?.headers.get("content-type"), "application/json");
  });
});

describe("the caller", () => {
  it("that aborts is rejected with its own reason, and nobody else is asked", async () => {
    const mine = new Error("I changed my mind");
    const leaving = new AbortController();
    const { fake, send } = clientOver({
      [EU]: () => {
        leaving.abort(mine);
        return never();
      },
    });
    await assert.rejects(chat(send, { signal: leaving.signal }), mine);
    assert.deepEqual(bases(fake), [EU]);
    assert.equal(fake.got[0]?.init.signal?.aborted, true);
  });

  it("that aborts between two rounds is not kept waiting", async () => {
    const leaving = new AbortController();
    const { fake, world, send } = clientOver({
      [EU]: says(503),
      [US]: () => {
        world.after(1, () => leaving.abort());
        return json(503, {});
      },
    });
    await assert.rejects(chat(send, { signal: leaving.signal }), { name: "AbortError" });
    assert.equal(fake.got.length, 2);
  });

  it("that has aborted already asks nobody", async () => {
    const { fake, send } = clientOver({ [EU]: answer("eu") });
    await assert.rejects(chat(send, { signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.deepEqual(fake.got, []);
  });

  it("keeps an id of its own", async () => {
    const { fake, send } = clientOver({ [EU]: answer("eu") });
    await chat(send, { headers: { "x-request-id": "mine-1" } });
    assert.equal(fake.got[0]?.headers.get("x-request-id"), "mine-1");
  });

  it("gets status, headers and URL of the answer", async () => {
    const { send } = clientOver({ [EU]: () => json(200, {}, { "x-tideover-region": "eu-west" }) });
    const response = await chat(send);
    assert.equal(response.headers.get("x-tideover-region"), "eu-west");
    assert.equal(response.headers.get("content-type"), "application/json");
  });

  it("may have an answer without a body", async () => {
    const { send } = clientOver({ [EU]: () => new Response(null, { status: 204 }) });
    assert.equal((await chat(send)).body, null);
  });

  it("is not failed by a listener that throws", async () => {
    const fake = fakeGateways({ [US]: answer("us") });
    const onEvent = (): void => assert.fail("the log is full");
    const options = { gateways: [EU, US], fetch: fake.fetch, world: idleWorld(), onEvent };
    assert.equal((await chat(createFetch(options))).status, 200);
  });
});

describe("which gateway is asked", () => {
  it("anybody else's URL goes to the given fetch as it is", async () => {
    const seen: unknown[][] = [];
    const send = createFetch({
      gateways: [EU],
      fetch: async (...given) => {
        seen.push(given);
        return new Response("theirs", { status: 503 });
      },
    });
    const init = { method: "POST", body: "x" };
    for (const url of ["https://api.openai.com/v1/files", `${EU}.evil.example/v1/models`]) {
      assert.equal((await send(url, init)).status, 503);
      assert.deepEqual(seen.splice(0), [[url, init]]);
    }
  });

  it("one that failed is left alone, and comes back through one real request", async () => {
    const { fake, world, send } = clientOver({ [US]: answer("us") });
    await chat(send);
    await chat(send);
    assert.deepEqual(bases(fake), [EU, US, US]);
    await new Promise<void>((resolve) => void world.after(1_000, resolve));
    fake.got.length = 0;
    fake.behave.set(EU, answer("eu"));
    const [a, b] = await Promise.all([chat(send), chat(send)]);
    assert.deepEqual(bases(fake).toSorted(), [EU, US]);
    assert.deepEqual([await a?.json(), await b?.json()], [{ from: "eu" }, { from: "us" }]);
    await chat(send);
    assert.equal(bases(fake).at(-1), EU);
  });

  it("one that serves and cannot answer this request has not failed", async () => {
    const { fake, send } = clientOver({ [EU]: says(503), [US]: answer("us") });
    await chat(send);
    await chat(send);
    assert.deepEqual(bases(fake), [EU, US, EU, US]);
  });

  const WRONG: readonly (readonly [gateways: string[], message: RegExp])[] = [
    [[], /no gateway is given/],
    [["eu.example"], /"eu\.example" is not an http or https URL/],
    [["ftp://eu.example"], /is not an http or https URL/],
    [["https://eu.example?key=1"], /more than a host and a path/],
    [["https://eu.example", "https://eu.example/"], /https:\/\/eu\.example is given twice/],
  ];
  for (const [gateways, message] of WRONG) {
    it(`${JSON.stringify(gateways)} is refused at once`, () => {
      assert.throws(
        () => createFetch({ gateways }),
        (error) =>
          error instanceof TideoverError && error.code === "USAGE" && message.test(error.message),
      );
    });
  }
});

function got() {
  return { base: EU, path: "", method: "GET", headers: new Headers(), text: "", init: {} };
}
