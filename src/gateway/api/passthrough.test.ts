import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ACME_KEY, clientOf, post, QUESTION, World } from "../../../test/support/gateway-world.ts";
import {
  answers,
  answersWith,
  chunk,
  completion,
  sse,
  streams,
} from "../../../test/support/upstream.ts";
import type { Gateway } from "../server.ts";
import { CHAT, RETRIEVING, type TwoRegions, twoRegions } from "./two-regions.fixture.ts";

const TOOL = {
  type: "function" as const,
  function: { name: "find", parameters: { type: "object", properties: {} }, strict: true },
};
const SCHEMA = {
  type: "json_schema" as const,
  json_schema: { name: "days", strict: true, schema: { type: "object", properties: {} } },
};
const IMAGE = {
  role: "user" as const,
  content: [
    { type: "text" as const, text: "What is this?" },
    { type: "image_url" as const, image_url: { url: "data:image/png;base64,AA==", detail: "low" } },
  ],
};

const CUSTOM = {
  type: "custom" as const,
  custom: { name: "sh", format: { type: "grammar", grammar: { syntax: "lark", definition: "x" } } },
};

/** What a caller may send, none of it ours: each must reach the target as it came. */
const REQUESTS: readonly (readonly [string, object])[] = [
  ["tools", { tools: [TOOL], tool_choice: "required", parallel_tool_calls: false }],
  ["custom tools", { tools: [CUSTOM], tool_choice: { type: "custom", custom: { name: "sh" } } }],
  ["tools of its server alone", { tools: [{ type: "web_search", filters: { x: [] } }, TOOL] }],
  ["a JSON schema", { response_format: SCHEMA }],
  ["parts with an image", { messages: [IMAGE] }],
  [
    "several choices with logprobs",
    { n: 3, logprobs: true, top_logprobs: 2, logit_bias: { 5: 1 } },
  ],
  [
    "a conversation with tool calls",
    {
      messages: [
        { role: "user", content: "Find it." },
        {
          role: "assistant",
          content: null,
          tool_calls: [
            { id: "c1", type: "function", function: { name: "find", arguments: "{}" } },
            { id: "c2", type: "custom", custom: { name: "sh", input: "ls" } },
          ],
        },
        { role: "tool", tool_call_id: "c1", content: [{ type: "text", text: "Found." }] },
      ],
    },
  ],
  ["fields of its server alone", { guided_regex: "a+", chat_template_kwargs: { x: [1, null] } }],
];

describe("what passes through a gateway untouched", () => {
  const world = new World();
  let estate: TwoRegions;
  let gateways: readonly Gateway[];

  before(async () => {
    estate = await twoRegions(world, { workflows: RETRIEVING });
    gateways = [estate.serving, estate.forwarding];
  });
  after(() => world.end());

  for (const [name, fields] of REQUESTS) {
    it(`to the target: ${name}`, async () => {
      for (const { url } of gateways) {
        const asked = estate.upstream.next(CHAT);
        const body = { ...QUESTION, max_tokens: 9, ...fields };
        assert.equal((await post(url, body)).status, 200);
        const [system, ...messages] = (await asked).body.messages as unknown[];
        assert.match(JSON.stringify(system), /You help acme/);
        const seen = { ...(await asked).body, messages };
        assert.deepEqual(seen, { ...body, model: "m" });
      }
    });
  }

  it("to the target: numbers that are too large for this language, in each API", async () => {
    const { messages, model } = QUESTION;
    const large = '{"type":"object","maximum":1e400}';
    const chatTool = `{"type":"function","function":{"name":"find","parameters":${large}}}`;
    const tool = `{"type":"function","name":"find","parameters":${large}}`;
    const asked = [
      ["chat/completions", `"messages":${JSON.stringify(messages)},"tools":[${chatTool}]`],
      ["responses", `"input":"Hello","tools":[${tool}]`],
    ];
    for (const { url } of gateways) {
      for (const [path, fields] of asked) {
        const came = estate.upstream.next(CHAT);
        const response = await fetch(`${url}/v1/${path}`, {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${ACME_KEY}` },
          body: `{"model":"${model}",${fields}}`,
        });
        assert.equal(response.status, 200, await response.text());
        const { tools } = Object((await came).body);
        assert.equal(tools[0].function.parameters.maximum, Number.POSITIVE_INFINITY);
      }
    }
  });

  it("back to the caller: tool calls, every choice, logprobs and unknown fields", async () => {
    const { choices } = completion("x");
    const call = { id: "c1", type: "function", function: { name: "find", arguments: '{"q":1}' } };
    const answer = {
      ...completion("x"),
      choices: [
        { ...choices[0], logprobs: { content: [{ token: "x", logprob: -1, top_logprobs: [] }] } },
        {
          index: 1,
          message: { role: "assistant", content: null, tool_calls: [call], reasoning: "Hm." },
          finish_reason: "tool_calls",
        },
      ],
      prompt_logprobs: null,
    };
    estate.upstream.chat = answersWith(200, answer);
    for (const { url } of gateways) {
      assert.deepEqual(await (await post(url, QUESTION)).json(), answer);
    }
  });

  it("back to the caller, streamed: the same, to the byte, with the usage that was asked for", async () => {
    const piece = (index: number, fields: object) => ({
      ...chunk({}),
      choices: [{ index, delta: {}, finish_reason: null, ...fields }],
    });
    const events = [
      piece(0, { delta: { role: "assistant", content: "" }, token_ids: [7] }),
      piece(1, { delta: { content: "b" }, logprobs: { content: [{ token: "b", logprob: -1 }] } }),
      piece(0, {
        delta: {
          tool_calls: [
            { index: 0, id: "c1", type: "function", function: { name: "find", arguments: "{}" } },
          ],
        },
      }),
      piece(0, { finish_reason: "tool_calls" }),
      piece(1, { finish_reason: "stop" }),
      { ...chunk({}), choices: [], usage: completion("").usage },
      "[DONE]",
    ];
    estate.upstream.chat = streams(events, (response) => response.end());
    for (const { url } of gateways) {
      const asked = estate.upstream.next(CHAT);
      const stream_options = { include_usage: true };
      const response = await post(url, { ...QUESTION, n: 2, stream: true, stream_options });
      const told = (await response.text()).split("\n\n").filter((event) => event !== "");
      const sent = events.map((event) => sse(event).trim());
      // Choices are told side by side, so that one which is finished may wait for the other.
      assert.deepEqual(told.toSorted(), sent.toSorted());
      assert.equal(told.at(-1), "data: [DONE]");
      assert.deepEqual((await asked).body.stream_options, stream_options);
    }
  });

  it("tells of each model by its name: workflows, and the embedding that they retrieve with", async () => {
    estate.upstream.chat = answers("x");
    for (const { url } of gateways) {
      const { models } = clientOf(url);
      const { data } = await models.list();
      assert.deepEqual(
        data.map(({ id }) => id),
        ["search", "support", "lexical-1"],
      );
      for (const { id } of data) assert.equal((await models.retrieve(id)).id, id);
      await assert.rejects(models.retrieve("gpt-4"), { status: 404, code: "model_not_found" });
    }
  });
});
