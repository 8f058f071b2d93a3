import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseExact } from "./exact-json.ts";
import { textOf } from "./openai.ts";
import { parseChatRequest, parseEmbeddingsRequest } from "./parse-request.ts";

const user = { role: "user", content: "Hello" };
const good = { model: "m", messages: [user] };

test("a good request is given back untouched, unknown fields and nulls included", () => {
  const body = {
    ...good,
    messages: [
      { role: "developer", content: [{ type: "text", text: "Be kind." }] },
      user,
      {
        role: "assistant",
        tool_calls: [{ id: "c", type: "function", function: { name: "f", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "c", content: "42", extra: 1 },
    ],
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: 5,
    n: null,
    stop: ["a", "b"],
    response_format: { type: "json_object" },
    priority: 3,
  };
  const parsed = parseChatRequest(body);
  assert.ok(parsed.ok);
  assert.equal(parsed.request, body);
});

/** What is changed in the good request, and which param and code the fault must name. */
const FAULTS: readonly (readonly [change: object, param: string, code: string])[] = [
  [{ model: undefined }, "model", "missing_required_parameter"],
  [{ model: 4 }, "model", "invalid_type"],
  [{ model: "" }, "model", "invalid_value"],
  [{ messages: undefined }, "messages", "missing_required_parameter"],
  [{ messages: "hi" }, "messages", "invalid_type"],
  [{ messages: [] }, "messages", "empty_array"],
  [{ messages: [user, null] }, "messages[1]", "invalid_type"],
  [{ messages: [{ content: "x" }] }, "messages[0].role", "missing_required_parameter"],
  [{ messages: [{ role: "robot", content: "x" }] }, "messages[0].role", "invalid_value"],
  [{ messages: [{ role: "user", content: null }] }, "messages[0].content", "invalid_type"],
  [{ messages: [{ role: "user", content: 7 }] }, "messages[0].content", "invalid_type"],
  [
    { messages: [{ role: "user", content: [{ type: "text" }] }] },
    "messages[0].content[0].text",
    "missing_required_parameter",
  ],
  [
    { messages: [{ role: "tool", content: "x" }] },
    "messages[0].tool_call_id",
    "missing_required_parameter",
  ],
  [
    { messages: [{ role: "assistant", tool_calls: [{}] }] },
    "messages[0].tool_calls[0].function.name",
    "missing_required_parameter",
  ],
  [{ stream: "yes" }, "stream", "invalid_type"],
  [{ stream_options: { include_usage: true } }, "stream_options", "invalid_value"],
  [{ max_tokens: 0 }, "max_tokens", "integer_below_min_value"],
  [{ max_tokens: 1.5 }, "max_tokens", "invalid_type"],
  [{ max_completion_tokens: -1 }, "max_completion_tokens", "integer_below_min_value"],
  [{ max_tokens: parseExact("1e400") }, "max_tokens", "invalid_type"],
  [{ seed: 1.5 }, "seed", "invalid_type"],
  [{ seed: parseExact("1e400") }, "seed", "invalid_type"],
  [{ seed: parseExact("12345678901234567890") }, "seed", "invalid_value"],
  [{ n: 129 }, "n", "integer_above_max_value"],
  [{ temperature: 3 }, "temperature", "invalid_value"],
  [{ stop: [1] }, "stop", "invalid_type"],
  [{ tools: [{ type: "function" }] }, "tools[0].function.name", "missing_required_parameter"],
  [{ tools: [{}] }, "tools[0].function.name", "missing_required_parameter"],
  [{ tools: [{ type: "custom" }] }, "tools[0].custom.name", "missing_required_parameter"],
  [{ tools: [{ type: 1 }] }, "tools[0].type", "invalid_type"],
  [{ tools: ["search"] }, "tools[0]", "invalid_type"],
  [{ continue_final_message: 1 }, "continue_final_message", "invalid_type"],
];

test("each fault names its field, its kind and, in words, both", () => {
  for (const [change, param, code] of FAULTS) {
    const parsed = parseChatRequest({ ...good, ...change });
    assert.ok(!parsed.ok, `${JSON.stringify(change)} was taken`);
    assert.deepEqual([parsed.param, parsed.code], [param, code]);
    assert.ok(parsed.message.includes(`'${param}'`), parsed.message);
  }
});

test("a seed may have 64 bits, as servers take it", () => {
  for (const seed of ["9223372036854775807", "-9223372036854775808", "7"]) {
    assert.ok(parseChatRequest({ ...good, seed: parseExact(seed) }).ok, seed);
    assert.ok(parseChatRequest({ ...good, seed: Number(seed) }).ok, seed);
  }
});

test("any JSON value is judged without throwing", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (value, other) => {
      parseChatRequest(value);
      parseChatRequest({ model: "m", messages: [value, { role: "user", content: other }] });
      parseEmbeddingsRequest({ model: "m", input: value, dimensions: other });
    }),
  );
  for (const body of [null, 3, "x", []]) assert.equal(parseChatRequest(body).ok, false);
});

test("embeddings take one text or many, and no token ids", () => {
  assert.ok(parseEmbeddingsRequest({ model: "m", input: "a" }).ok);
  assert.ok(parseEmbeddingsRequest({ model: "m", input: ["a", ""], encoding_format: "base64" }).ok);
  for (const input of [undefined, [], [1, 2], [["a"]], new Array(2049).fill("a")]) {
    const parsed = parseEmbeddingsRequest({ model: "m", input });
    assert.ok(!parsed.ok && parsed.param === "input");
  }
  assert.ok(!parseEmbeddingsRequest({ model: "m", input: "a", encoding_format: "int8" }).ok);
});

test("the text of a message is its string or its text parts", () => {
  assert.equal(textOf({ role: "user", content: "a" }), "a");
  const parts = [
    { type: "text", text: "a" },
    { type: "image_url", image_url: {} },
    { type: "text", text: "b" },
  ];
  assert.equal(textOf({ role: "user", content: parts }), "a\nb");
  assert.equal(textOf({ role: "assistant", content: null }), "");
});
