import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { zodTextFormat } from "openai/helpers/zod";
import type { ResponseCreateParamsNonStreaming } from "openai/resources/responses/responses";
import { z } from "zod";
import { clientOf, World } from "../../../test/support/gateway-world.ts";
import {
  answers,
  answersWith,
  chunk,
  completion,
  streams,
} from "../../../test/support/upstream.ts";
import type { Gateway } from "../server.ts";
import { CHAT, type TwoRegions, twoRegions } from "./two-regions.fixture.ts";

const ASKED = { model: "support", input: "How long is parental leave?" };
const SYSTEM = { role: "system", content: "You help acme with support.\n" };
const PARAMETERS = { type: "object", properties: {}, additionalProperties: false };
const FIND = { type: "function" as const, name: "find", parameters: PARAMETERS, strict: true };
const USAGE = {
  input_tokens: 11,
  input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
  output_tokens: 7,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 18,
};

describe("POST /v1/responses", () => {
  const world = new World();
  let estate: TwoRegions;
  let gateways: readonly Gateway[];

  before(async () => {
    estate = await twoRegions(world);
    gateways = [estate.serving, estate.forwarding];
  });
  after(() => world.end());

  it("answers a question through the chat chain, under this API's names", async () => {
    estate.upstream.chat = answers("Half a year.");
    for (const { url } of gateways) {
      const asked = estate.upstream.next(CHAT);
      const { data, response } = await clientOf(url)
        .responses.create({
          ...ASKED,
          instructions: "Be brief.",
          max_output_tokens: 50,
          metadata: { ticket: "7" },
          store: false,
          temperature: 0,
        })
        .withResponse();
      assert.deepEqual((await asked).body, {
        model: "m",
        messages: [
          SYSTEM,
          { role: "system", content: "Be brief." },
          { role: "user", content: ASKED.input },
        ],
        max_completion_tokens: 50,
        temperature: 0,
      });
      const id = response.headers.get("x-request-id") ?? "";
      const { output_text, ...body } = JSON.parse(JSON.stringify(data));
      assert.equal(output_text, "Half a year.");
      assert.deepEqual(body, {
        id: `resp_${id}`,
        object: "response",
        created_at: 1,
        status: "completed",
        error: null,
        incomplete_details: null,
        background: false,
        instructions: "Be brief.",
        max_output_tokens: 50,
        metadata: { ticket: "7" },
        parallel_tool_calls: true,
        previous_response_id: null,
        reasoning: { effort: null, summary: null },
        store: false,
        truncation: "disabled",
        temperature: 0,
        text: { format: { type: "text" } },
        tool_choice: "auto",
        tools: [],
        top_p: null,
        user: null,
        model: "fake",
        output: [
          {
            id: `msg_${id}_0`,
            type: "message",
            status: "completed",
            role: "assistant",
            content: [{ type: "output_text", text: "Half a year.", annotations: [], logprobs: [] }],
          },
        ],
        usage: USAGE,
      });
      const record = await estate.audit.find(id);
      assert.deepEqual([record?.outcome, record?.completionTokens], ["complete", 7]);
    }
  });

  it("carries tools, their choice, a schema and fields of the target's own", async () => {
    const asked = estate.upstream.next(CHAT);
    const format = { type: "json_schema" as const, name: "days", schema: PARAMETERS, strict: true };
    await clientOf(estate.forwarding.url).responses.create({
      ...ASKED,
      tools: [{ ...FIND, description: "Finds." }],
      tool_choice: { type: "function", name: "find" },
      text: { format, verbosity: "low" },
      reasoning: { effort: "high" },
      include: ["message.output_text.logprobs"],
      top_logprobs: 2,
      user: "u",
      chat_template_kwargs: { thinking: true },
    } as ResponseCreateParamsNonStreaming);
    const { messages, max_tokens, ...body } = (await asked).body;
    assert.deepEqual(body, {
      model: "m",
      tools: [
        {
          type: "function",
          function: { name: "find", description: "Finds.", parameters: PARAMETERS, strict: true },
        },
      ],
      tool_choice: { type: "function", function: { name: "find" } },
      response_format: {
        type: "json_schema",
        json_schema: { name: "days", schema: PARAMETERS, strict: true },
      },
      verbosity: "low",
      reasoning_effort: "high",
      logprobs: true,
      top_logprobs: 2,
      user: "u",
      chat_template_kwargs: { thinking: true },
    });
  });

  it("carries a conversation: parts, images, calls of one turn, and their results", async () => {
    const asked = estate.upstream.next(CHAT);
    const url = "data:image/png;base64,AA==";
    await clientOf(estate.serving.url).responses.create({
      ...ASKED,
      input: [
        { role: "developer", content: "Be exact." },
        {
          role: "user",
          content: [
            { type: "input_text", text: "What is this?" },
            { type: "input_image", image_url: url, detail: "low" },
            { type: "input_file", file_data: "AA==", filename: "a.pdf" },
          ],
        },
        { type: "reasoning", id: "rs_1", summary: [] },
        {
          type: "message",
          role: "assistant",
          id: "msg_1",
          status: "completed",
          content: [{ type: "output_text", text: "Let me look.", annotations: [] }],
        },
        { type: "function_call", call_id: "c1", name: "find", arguments: '{"q":1}' },
        { type: "function_call", call_id: "c2", name: "count", arguments: "{}" },
        { type: "function_call_output", call_id: "c1", output: "Found." },
        {
          type: "function_call_output",
          call_id: "c2",
          output: [{ type: "input_text", text: "2" }],
        },
      ],
    });
    const call = (id: string, name: string, given: string) => ({
      id,
      type: "function",
      function: { name, arguments: given },
    });
    assert.deepEqual((await asked).body.messages, [
      SYSTEM,
      { role: "developer", content: "Be exact." },
      {
        role: "user",
        content: [
          { type: "text", text: "What is this?" },
          { type: "image_url", image_url: { url, detail: "low" } },
          { type: "file", file: { file_data: "AA==", filename: "a.pdf" } },
        ],
      },
      {
        role: "assistant",
        content: "Let me look.",
        tool_calls: [call("c1", "find", '{"q":1}'), call("c2", "count", "{}")],
      },
      { role: "tool", tool_call_id: "c1", content: "Found." },
      { role: "tool", tool_call_id: "c2", content: "2" },
    ]);
  });

  it("streams to the official helper, with the usage although nobody asked for it", async () => {
    const usage = { ...chunk({}), choices: [], usage: completion("").usage };
    const text = [chunk({ content: "Half " }), chunk({ content: "a year." }), chunk({}, "stop")];
    estate.upstream.chat = streams([...text, usage, "[DONE]"], (response) => response.end());
    for (const { url } of gateways) {
      const asked = estate.upstream.next(CHAT);
      const stream = clientOf(url).responses.stream(ASKED);
      const deltas: string[] = [];
      stream.on("response.output_text.delta", ({ delta, snapshot }) => {
        deltas.push(delta);
        assert.equal(snapshot, deltas.join(""));
      });
      const response = await stream.finalResponse();
      assert.deepEqual(deltas, ["Half ", "a year."]);
      assert.equal(response.status, "completed");
      assert.equal(response.output_text, "Half a year.");
      assert.deepEqual(response.usage, USAGE);
      assert.deepEqual((await asked).body.stream_options, { include_usage: true });
    }
  });

  it("streams a tool call, which the caller answers in the next request", async () => {
    const called = (fields: object) => chunk({ tool_calls: [{ index: 0, ...fields }] });
    estate.upstream.chat = streams(
      [
        called({ id: "c1", type: "function", function: { name: "find", arguments: "" } }),
        called({ function: { arguments: '{"q":' } }),
        called({ function: { arguments: "1}" } }),
        chunk({}, "tool_calls"),
        "[DONE]",
      ],
      (response) => response.end(),
    );
    const { responses } = clientOf(estate.forwarding.url);
    const first = await responses.stream({ ...ASKED, tools: [FIND] }).finalResponse();
    const [call] = first.output;
    assert.ok(call?.type === "function_call");
    assert.deepEqual([call.call_id, call.name, call.arguments], ["c1", "find", '{"q":1}']);

    estate.upstream.chat = answers("It is 1.");
    const asked = estate.upstream.next(CHAT);
    // What the helper gathered goes back as it is, its parsed arguments included.
    const output = { type: "function_call_output" as const, call_id: "c1", output: "1" };
    const second = await responses.create({
      ...ASKED,
      input: [{ role: "user", content: ASKED.input }, call, output],
    });
    assert.equal(second.output_text, "It is 1.");
    const messages = (await asked).body.messages as { role: string }[];
    assert.deepEqual(
      messages.map(({ role }) => role),
      ["system", "user", "assistant", "tool"],
    );
  });

  it("carries custom tools with their grammar, and streams a call of one in pieces", async () => {
    const called = (fields: object) => chunk({ tool_calls: [{ index: 0, ...fields }] });
    estate.upstream.chat = streams(
      [
        called({ id: "c1", type: "custom", custom: { name: "shell", input: "" } }),
        called({ custom: { input: "ls " } }),
        called({ custom: { input: '-l "x"' } }),
        chunk({}, "tool_calls"),
        "[DONE]",
      ],
      (response) => response.end(),
    );
    const { responses } = clientOf(estate.forwarding.url);
    const sent = estate.upstream.next(CHAT);
    const format = { type: "grammar" as const, syntax: "regex" as const, definition: "ls .*" };
    const shell = { type: "custom" as const, name: "shell", description: "Runs.", format };
    const deltas: string[] = [];
    const items = new Set<string>();
    let done: object = {};
    for await (const event of await responses.create({
      ...ASKED,
      stream: true,
      tools: [shell, { type: "custom", name: "free" }],
      tool_choice: { type: "custom", name: "shell" },
    })) {
      if (event.type === "response.custom_tool_call_input.delta") {
        deltas.push(event.delta);
        items.add(event.item_id);
      }
      if (event.type === "response.custom_tool_call_input.done") {
        items.add(event.item_id);
        assert.equal(event.input, 'ls -l "x"');
      }
      if (event.type === "response.completed") done = event.response.output[0] ?? {};
    }
    assert.deepEqual(deltas, ["ls ", '-l "x"']);
    const [id = ""] = items;
    assert.match(id, /^ctc_/);
    assert.equal(items.size, 1);
    const call = { type: "custom_tool_call" as const, call_id: "c1", name: "shell" };
    const item = { ...call, id, status: "completed", input: 'ls -l "x"' };
    assert.deepEqual(done, item);
    const { tools, tool_choice } = (await sent).body;
    assert.deepEqual(tool_choice, { type: "custom", custom: { name: "shell" } });
    const { type, ...grammar } = format;
    assert.deepEqual(tools, [
      {
        type: "custom",
        custom: { name: "shell", description: "Runs.", format: { type, grammar } },
      },
      { type: "custom", custom: { name: "free" } },
    ]);

    estate.upstream.chat = answers("Nothing there.");
    const asked = estate.upstream.next(CHAT);
    const output = { type: "custom_tool_call_output" as const, call_id: "c1", output: "" };
    const input = [{ role: "user" as const, content: "List." }, { ...call, input: "ls" }, output];
    assert.equal((await responses.create({ ...ASKED, input })).output_text, "Nothing there.");
    const { messages } = (await asked).body;
    assert.ok(Array.isArray(messages));
    assert.deepEqual(messages.slice(-2), [
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "c1", type: "custom", custom: { name: "shell", input: "ls" } }],
      },
      { role: "tool", tool_call_id: "c1", content: "" },
    ]);
  });

  it("gives structured output to the official parser", async () => {
    estate.upstream.chat = answers('{"days":182}');
    const format = zodTextFormat(z.object({ days: z.number() }), "leave");
    for (const { url } of gateways) {
      const parsed = await clientOf(url).responses.parse({ ...ASKED, text: { format } });
      assert.deepEqual(parsed.output_parsed, { days: 182 });
    }
  });

  it("calls an answer incomplete that its length has cut", async () => {
    const [choice] = completion("Half a").choices;
    estate.upstream.chat = answersWith(200, {
      ...completion(""),
      choices: [{ ...choice, finish_reason: "length" }],
    });
    const { status, incomplete_details } = await clientOf(estate.serving.url).responses.create(
      ASKED,
    );
    assert.deepEqual([status, incomplete_details], ["incomplete", { reason: "max_output_tokens" }]);
  });

  it("ends a cut stream as failed and breaks the connection, so that nothing looks finished", async () => {
    const begun = [chunk({ role: "assistant", content: "" }), chunk({ content: "Half " })];
    estate.upstream.chat = streams(begun, (response) => response.socket?.resetAndDestroy());
    for (const { url } of gateways) {
      const stream = await clientOf(url).responses.create({ ...ASKED, stream: true });
      const types: string[] = [];
      await assert.rejects(async () => {
        for await (const event of stream) {
          types.push(event.type);
          if (event.type !== "response.failed") continue;
          assert.equal(event.response.error?.code, "server_error");
          assert.match(event.response.error?.message ?? "", /connection reset/);
        }
      });
      assert.deepEqual(types.slice(-2), ["response.output_text.delta", "response.failed"]);
    }
  });

  it("tells errors as every API of OpenAI does", async () => {
    const { responses } = clientOf(estate.forwarding.url);
    await assert.rejects(responses.create({ ...ASKED, model: "gpt-4" }), {
      status: 404,
      code: "model_not_found",
    });
    const error = { message: "too long", type: "invalid_request_error", code: "context" };
    estate.upstream.chat = answersWith(422, { error });
    for (const stream of [false, true]) {
      await assert.rejects(async () => responses.create({ ...ASKED, stream }), {
        status: 422,
        code: "context",
      });
    }
  });

  const refused: readonly (readonly [object, string, RegExp])[] = [
    [{ previous_response_id: "resp_1" }, "previous_response_id", /Send the conversation so far/],
    [{ conversation: "conv_1" }, "conversation", /keeps no responses/],
    [{ store: true }, "store", /Leave it out or send false/],
    [{ background: true }, "background", /Stream the answer/],
    [{ prompt: { id: "p" } }, "prompt", /workflow/],
    [{ n: 2 }, "n", /one answer/],
    [{ tools: [{ type: "web_search" }] }, "tools[0].type", /"web_search".*'function' and 'custom'/],
    [{ tools: [{ type: "custom" }] }, "tools[0].name", /Missing/],
    [{ tool_choice: { type: "file_search" } }, "tool_choice.type", /file_search/],
    [{ max_output_tokens: 0 }, "max_output_tokens", /above 0/],
    [{ text: { format: { type: "json_schema", name: "x" } } }, "text.format.schema", /Missing/],
    [{ input: [] }, "input", /at least one/],
    [{ input: [{ type: "item_reference", id: "x" }] }, "input[0]", /Nothing is stored/],
    [{ input: [{ type: "computer_call" }] }, "input[0].type", /computer_call/],
    [{ input: [{ role: "robot", content: "x" }] }, "input[0].role", /robot/],
    [
      { input: [{ role: "user", content: [{ type: "input_image", file_id: "f" }] }] },
      "input[0].content[0].file_id",
      /Send the content itself/,
    ],
  ];
  for (const [fields, param, message] of refused) {
    it(`refuses what it cannot do, with what to do instead: ${param}`, async () => {
      const asked = estate.upstream.asked.length;
      const body = { ...ASKED, ...fields } as ResponseCreateParamsNonStreaming;
      await assert.rejects(clientOf(estate.serving.url).responses.create(body), {
        status: 400,
        param,
        message,
      });
      assert.equal(estate.upstream.asked.length, asked);
    });
  }
});
