import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import OpenAI, { APIError } from "openai";
import {
  answers,
  answersWith,
  type Behaviour,
  chunk,
  type FakeUpstream,
  silent,
  sse,
  startUpstream,
} from "../../test/support/upstream.ts";
import { readDelivered } from "../core/stream/delivered.ts";
import { createFetch } from "./create-fetch.ts";
import { tellingOf } from "./gateways.fixture.ts";
import type { ClientEvent } from "./tools.ts";

const WORDS = ["Parental ", "leave ", "is ", "16 ", "weeks."];
const ANSWER = WORDS.join("");
const ASKED = { model: "support", messages: [{ role: "user" as const, content: "How long?" }] };

/** The whole answer as one gateway would tell it. */
const events = (id: string): string[] => [
  ...[chunk({ role: "assistant", content: "" }), ...WORDS.map((content) => chunk({ content }))].map(
    (event) => JSON.stringify({ ...event, id }),
  ),
  JSON.stringify({ ...chunk({}, "stop"), id }),
  "[DONE]",
];

/** Tells the rest that is asked for. */
const tellsRest: Behaviour = ({ body }, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.end(tellingOf(events("b"), readDelivered(body.tideover_resume)));
};

/** Tells so many events, and then its socket breaks. */
const breaksBehind =
  (count: number): Behaviour =>
  (_asked, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(events("a").slice(0, count).map(sse).join(""), () => {
      response.socket?.resetAndDestroy();
    });
  };

describe("the official client over two real gateways", () => {
  let eu: FakeUpstream;
  let us: FakeUpstream;
  let happened: ClientEvent[];
  let client: OpenAI;

  beforeEach(async () => {
    [eu, us] = [await startUpstream("eu"), await startUpstream("us")];
    happened = [];
    client = clientWith({});
  });
  afterEach(async () => {
    await Promise.all([eu.close(), us.close()]);
  });

  function clientWith(options: { silenceMs?: number }): OpenAI {
    const gateways = [eu.url, us.url];
    const onEvent = (event: ClientEvent): void => void happened.push(event);
    const fetch = createFetch({ gateways, onEvent, ...options });
    return new OpenAI({ baseURL: `${eu.url}/v1`, apiKey: "k", maxRetries: 0, fetch });
  }

  async function streamed(): Promise<{ text: string; finishes: number; ids: number }> {
    let [text, finishes] = ["", 0];
    const ids = new Set<string>();
    for await (const event of await client.chat.completions.create({ ...ASKED, stream: true })) {
      ids.add(event.id);
      text += event.choices[0]?.delta.content ?? "";
      if (event.choices[0]?.finish_reason) finishes += 1;
    }
    return { text, finishes, ids: ids.size };
  }

  it("is answered by the first", async () => {
    const { choices } = await client.chat.completions.create(ASKED);
    assert.equal(choices[0]?.message.content, "the answer of eu");
    assert.equal((await streamed()).text, "the answer of eu");
    assert.deepEqual(us.asked, []);
  });

  it("is answered by the second when nothing listens at the first", async () => {
    await eu.kill();
    const { data, response } = await client.chat.completions.create(ASKED).withResponse();
    assert.equal(data.choices[0]?.message.content, "the answer of us");
    assert.equal(response.url, `${us.url}/v1/chat/completions`);
    assert.equal((await streamed()).text, "the answer of us");
  });

  it("gets a whole answer elsewhere when one breaks in its middle", async () => {
    eu.chat = (_asked, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": 1_000 });
      response.write('{"id":"chatcmpl-1","choices":[', () => response.socket?.resetAndDestroy());
    };
    const { choices } = await client.chat.completions.create(ASKED);
    assert.equal(choices[0]?.message.content, "the answer of us");
  });

  for (let count = 1; count < events("a").length; count++) {
    it(`reads one seamless answer when a socket breaks behind event ${count}`, async () => {
      eu.chat = breaksBehind(count);
      us.chat = tellsRest;
      assert.deepEqual(await streamed(), { text: ANSWER, finishes: 1, ids: 1 });
    });
  }

  it("reads the rest elsewhere when a gateway stops in the middle and stays silent", async () => {
    eu.chat = ({ path }, response) => {
      if (path === "/healthz") return;
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(events("a").slice(0, 3).map(sse).join(""));
    };
    us.chat = tellsRest;
    client = clientWith({ silenceMs: 50 });
    assert.deepEqual(await streamed(), { text: ANSWER, finishes: 1, ids: 1 });
    assert.match(happened[0]?.kind === "cut" ? happened[0].because : "", /silent for \d+ ms/);
  });

  it("throws when nobody can go on, and its helper never takes the half for an answer", async () => {
    const refuses = answersWith(422, { error: { message: "not inside this" } });
    const begins = breaksBehind(4);
    eu.chat = (asked, response) =>
      ("tideover_resume" in asked.body ? refuses : begins)(asked, response);
    us.chat = eu.chat;
    await assert.rejects(streamed(), (error) => {
      assert.ok(error instanceof APIError);
      assert.equal(error.code, "stream_cut");
      assert.match(error.message, /not inside this/);
      return true;
    });
    const helper = client.chat.completions.stream(ASKED);
    await assert.rejects(helper.finalContent());
  });

  it("aborts at the gateway, too", async () => {
    eu.chat = silent;
    const leaving = new AbortController();
    const asked = eu.next("/v1/chat/completions");
    const answer = client.chat.completions.create(ASKED, { signal: leaving.signal });
    const failed = assert.rejects(answer, { name: "Error", message: /aborted/ });
    const { over } = await asked;
    leaving.abort();
    await failed;
    await over;
    assert.deepEqual(us.asked, []);
  });

  it("reuses its connections behind streams that were read to their end", async () => {
    eu.chat = answers("one two");
    for (let i = 0; i < 12; i++) await streamed();
    const ports = new Set(eu.askedAt("/v1/chat/completions").map(({ port }) => port));
    // Node's fetch gives a connection back a moment after its body's end, so that two take turns.
    assert.ok(ports.size <= 4, `${ports.size} connections for 12 streams`);
  });
});
