import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import OpenAI, { APIConnectionTimeoutError } from "openai";
import {
  ACME_KEY,
  clientOf,
  handClock,
  QUESTION,
  regionOf,
  snapshotOf,
  World,
} from "../../../test/support/gateway-world.ts";
import {
  answers,
  answersWith,
  type Behaviour,
  chunk,
  completion,
  silent,
  startUpstream,
  streams,
} from "../../../test/support/upstream.ts";
import type { Gateway } from "../server.ts";
import { CHAT, type TwoRegions, twoRegions } from "./two-regions.fixture.ts";

const TOOL = {
  type: "function" as const,
  function: {
    name: "daysOf",
    description: "Days of a kind of leave.",
    parameters: { type: "object", properties: { kind: { type: "string" } } },
    parse: (text: string): { kind: string } => JSON.parse(text),
    function: ({ kind }: { kind: string }) => `${kind}: 182`,
  },
};

describe("the official client's helpers", () => {
  const world = new World();
  let estate: TwoRegions;
  let gateways: readonly Gateway[];

  before(async () => {
    estate = await twoRegions(world);
    gateways = [estate.serving, estate.forwarding];
  });
  after(() => world.end());

  it("gather a stream: text, usage and events", async () => {
    const usage = { ...chunk({}), choices: [], usage: completion("").usage };
    const text = [chunk({ role: "assistant", content: "Half " }), chunk({ content: "a year." })];
    const events = [...text, chunk({}, "stop"), usage, "[DONE]"];
    estate.upstream.chat = streams(events, (response) => response.end());
    for (const { url } of gateways) {
      const stream = clientOf(url).chat.completions.stream({
        ...QUESTION,
        stream_options: { include_usage: true },
      });
      const deltas: string[] = [];
      stream.on("content", (delta) => deltas.push(delta));
      const final = await stream.finalChatCompletion();
      assert.equal(final.choices[0]?.message.content, "Half a year.");
      assert.deepEqual(deltas, ["Half ", "a year."]);
      assert.deepEqual(final.usage, completion("").usage);
    }
  });

  it("run tools to the end, streamed and not", async () => {
    for (const { url } of gateways) {
      for (const stream of [false, true]) {
        estate.upstream.chat = callsThenAnswers();
        const before = estate.upstream.asked.length;
        const asked = { ...QUESTION, tools: [TOOL] };
        const { completions } = clientOf(url).chat;
        const runner = stream
          ? completions.runTools({ ...asked, stream: true })
          : completions.runTools(asked);
        assert.equal(await runner.finalContent(), "It is 182 days.");
        const [, second] = estate.upstream.asked.slice(before);
        const messages = second?.body.messages as { role: string; content: string }[];
        assert.deepEqual(
          messages.map(({ role }) => role),
          ["system", "user", "assistant", "tool"],
        );
        assert.equal(messages.at(-1)?.content, "parental: 182");
      }
    }
  });

  const begun = [chunk({ role: "assistant", content: "Half " }), chunk({ content: "a" })];
  const midway: readonly (readonly [
    string,
    (client: OpenAI) => Promise<AsyncIterable<unknown>>,
  ])[] = [
    ["chat", (client) => client.chat.completions.create({ ...QUESTION, stream: true })],
    [
      "completions",
      (client) => client.completions.create({ model: "support", prompt: "a", stream: true }),
    ],
    [
      "responses",
      (client) => client.responses.create({ model: "support", input: "a", stream: true }),
    ],
  ];
  for (const [name, begin] of midway) {
    it(`abort a stream of ${name} in the middle, and with it the work upstream`, async () => {
      estate.upstream.chat = streams(begun, () => undefined);
      for (const { url } of gateways) {
        const reached = estate.upstream.next(CHAT);
        const kept = nextRecord();
        for await (const _ of await begin(clientOf(url))) break;
        await (await reached).over;
        assert.equal((await kept).outcome, "abandoned");
      }
    });
  }

  it("give up after their own time, and with them the work upstream", async () => {
    estate.upstream.chat = silent;
    for (const { url } of gateways) {
      const reached = estate.upstream.next(CHAT);
      const client = clientOf(url).withOptions({ timeout: 200 });
      await assert.rejects(client.chat.completions.create(QUESTION), APIConnectionTimeoutError);
      await (await reached).over;
    }
  });

  /** Asks for the tool first, and answers when it has the tool's result. */
  function callsThenAnswers(): Behaviour {
    const call = {
      id: "c1",
      type: "function",
      function: { name: "daysOf", arguments: '{"kind":"parental"}' },
    };
    return (asked, response) => {
      const messages = asked.body.messages as { role: string }[];
      if (messages.at(-1)?.role === "tool") return answers("It is 182 days.")(asked, response);
      if (asked.body.stream === true) {
        const delta = { role: "assistant", content: null, tool_calls: [{ index: 0, ...call }] };
        const events = [chunk(delta), chunk({}, "tool_calls"), "[DONE]"];
        return streams(events, (open) => open.end())(asked, response);
      }
      const message = { role: "assistant", content: null, tool_calls: [call] };
      const choices = [{ index: 0, message, finish_reason: "tool_calls", logprobs: null }];
      return answersWith(200, { ...completion(""), choices })(asked, response);
    };
  }

  /** Resolves with the next record of the serving gateway. */
  function nextRecord() {
    const { audit } = estate;
    const append = audit.append;
    return new Promise<(typeof audit.records)[number]>((resolve) => {
      audit.append = async (record) => {
        audit.append = append;
        await append.call(audit, record);
        resolve(record);
      };
    });
  }
});

describe("the official client's retries", () => {
  const world = new World();
  after(() => world.end());

  /** A client that retries once, and what it was answered each time. */
  function retrying(url: string, onAnswer: (response: Response) => void | Promise<void>) {
    const answered: Response[] = [];
    const client = new OpenAI({
      baseURL: `${url}/v1`,
      apiKey: ACME_KEY,
      maxRetries: 1,
      fetch: async (...request) => {
        const response = await fetch(...request);
        answered.push(response);
        await onAnswer(response);
        return response;
      },
    });
    return { client, answered };
  }

  it("come back when the rate limit says so", async () => {
    const clock = handClock();
    const upstream = await world.own(startUpstream("eu"));
    const regions = { "eu-west": regionOf("http://127.0.0.1:9", upstream.url) };
    const { release } = snapshotOf();
    assert.ok(release);
    const policy = { requestsPerMinute: 1, maxOutputTokens: 10 };
    const snapshot = snapshotOf({ regions, release: { ...release, policy } });
    const snapshots = await world.holder(snapshot, clock);
    const gateway = await world.gateway({ region: "eu-west", snapshots, clock });
    const { client, answered } = retrying(gateway.url, (response) => {
      if (response.status === 429) clock.forward(1_000);
    });
    await client.chat.completions.create(QUESTION);
    clock.forward(59_950);
    await client.responses.create({ model: "support", input: "Again." });
    assert.deepEqual(
      answered.map(({ status, headers }) => [status, headers.get("retry-after-ms")]),
      [
        [200, null],
        [429, "50"],
        [200, null],
      ],
    );
  });

  it("come back to a gateway that does not know yet who serves", async () => {
    const upstream = await world.own(startUpstream("eu"));
    const regions = { "eu-west": regionOf("http://127.0.0.1:9", upstream.url) };
    const snapshots = await world.holder(null);
    const gateway = await world.gateway({ region: "eu-west", snapshots });
    const { client, answered } = retrying(gateway.url, async (response) => {
      if (response.status === 503) await snapshots.offer(world.sign(snapshotOf({ regions })));
    });
    const { choices } = await client.chat.completions.create(QUESTION);
    assert.equal(choices[0]?.message.content, "the answer of eu");
    assert.deepEqual(
      answered.map(({ status }) => status),
      [503, 200],
    );
  });

  it("are not made of a request that is wrong", async () => {
    const { serving } = await twoRegions(world);
    const { client, answered } = retrying(serving.url, () => undefined);
    const body = { model: "support", input: "a", previous_response_id: "resp_1" };
    await assert.rejects(client.responses.create(body), { status: 400 });
    assert.equal(answered.length, 1);
  });
});
