import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Fields } from "./fields.ts";
import { parseChatRequest } from "./parse-request.ts";
import { responseToChat } from "./responses-request.ts";

const ASKED = { model: "support", input: "How long is parental leave?" };

function chatOf(fields: object): Fields {
  const read = responseToChat({ ...ASKED, ...fields });
  assert.ok(read.ok, read.ok ? "" : read.message);
  return read.chat;
}

function askedOf(fields: object): Fields {
  const read = responseToChat({ ...ASKED, ...fields });
  assert.ok(read.ok);
  return read.asked;
}

describe("a response request as a chat request", () => {
  it("adds nothing that was not asked for", () => {
    assert.deepEqual(chatOf({}), {
      model: "support",
      messages: [{ role: "user", content: ASKED.input }],
    });
  });

  it("takes null for absent, as SDKs of typed languages send it", () => {
    const nulls = ["instructions", "max_output_tokens", "metadata", "previous_response_id", "store"]
      .concat(["text", "tools", "tool_choice", "reasoning", "include", "conversation", "prompt"])
      .map((name) => [name, null]);
    assert.deepEqual(chatOf(Object.fromEntries(nulls)), chatOf({}));
  });

  it("passes fields that it does not know", () => {
    assert.deepEqual(chatOf({ guided_regex: "a+", seed: 3, service_tier: "flex" }), {
      ...chatOf({}),
      guided_regex: "a+",
      seed: 3,
      service_tier: "flex",
    });
  });

  it("keeps to itself what chat has no word for", () => {
    const only = { metadata: { a: "b" }, truncation: "auto", include: ["x"], store: false };
    assert.deepEqual(chatOf(only), chatOf({}));
  });

  it("says of tools only where there are some, as chat's servers demand", () => {
    for (const tools of [undefined, null, []]) {
      for (const tool_choice of ["auto", "none", null]) {
        assert.deepEqual(chatOf({ tools, tool_choice, parallel_tool_calls: true }), chatOf({}));
      }
    }
    assert.equal(chatOf({ tools: [], tool_choice: "required" }).tool_choice, "required");
    const find = { type: "function", name: "find" };
    const said = chatOf({ tools: [find], tool_choice: "auto", parallel_tool_calls: false });
    assert.deepEqual([said.tool_choice, said.parallel_tool_calls], ["auto", false]);
    assert.equal(askedOf({ parallel_tool_calls: false }).parallel_tool_calls, false);
  });

  it("asks a stream for its usage, and keeps other options of it", () => {
    const options = { include_obfuscation: false };
    assert.deepEqual(chatOf({ stream: true, stream_options: options }).stream_options, {
      include_obfuscation: false,
      include_usage: true,
    });
    assert.equal(chatOf({ stream: false }).stream_options, undefined);
  });

  it("translates formats and choices of tools", () => {
    assert.deepEqual(chatOf({ text: { format: { type: "json_object" } } }).response_format, {
      type: "json_object",
    });
    assert.equal(chatOf({ text: { format: { type: "text" } } }).response_format, undefined);
    assert.equal(chatOf({ tool_choice: "required" }).tool_choice, "required");
    const allowed = {
      type: "allowed_tools",
      mode: "auto",
      tools: [{ type: "function", name: "f" }],
    };
    assert.deepEqual(chatOf({ tool_choice: allowed }).tool_choice, {
      type: "allowed_tools",
      allowed_tools: { mode: "auto", tools: [{ type: "function", function: { name: "f" } }] },
    });
  });

  it("takes the arguments of a call as text, or says that it does not", () => {
    const calls: readonly (readonly [Fields, string])[] = [
      [{ type: "function_call", arguments: { q: 1 } }, "input[0].arguments"],
      [{ type: "custom_tool_call", input: ["ls"] }, "input[0].input"],
    ];
    for (const [call, param] of calls) {
      const input = [{ ...call, call_id: "c", name: "find" }];
      const read = responseToChat({ model: "support", input });
      assert.deepEqual(read.ok ? null : [read.param, read.code], [param, "invalid_type"]);
    }
  });

  it("says in the answer what was done, and not what was asked in vain", () => {
    const { store, truncation, previous_response_id } = askedOf({ truncation: "auto" });
    assert.deepEqual([store, truncation, previous_response_id], [false, "disabled", null]);
    assert.deepEqual(askedOf({ metadata: { a: "b" } }).metadata, { a: "b" });
  });

  it("refuses a length that is no number of tokens", () => {
    for (const most of [0, -1, 1.5, "9", Number.MAX_SAFE_INTEGER + 1]) {
      const read = responseToChat({ model: "support", input: "Hello", max_output_tokens: most });
      assert.equal(read.ok ? null : read.param, "max_output_tokens");
    }
  });

  it("makes every request of it a sound chat request, or a fault that names its place", () => {
    const noise = fc.jsonValue({ maxDepth: 2 });
    const part = fc.oneof(
      noise,
      fc.record(
        {
          type: fc.constantFrom(
            "input_text",
            "output_text",
            "input_image",
            "input_file",
            "refusal",
          ),
          text: fc.oneof(fc.string(), noise),
          image_url: fc.oneof(fc.string(), noise),
          file_data: fc.oneof(fc.string(), noise),
        },
        { requiredKeys: [] },
      ),
    );
    const item = fc.record(
      {
        type: fc.constantFrom("message", "function_call", "function_call_output", "reasoning"),
        role: fc.constantFrom("user", "assistant", "system", "developer", "tool"),
        content: fc.oneof(fc.string(), fc.array(part, { maxLength: 3 }), noise),
        call_id: fc.oneof(fc.string(), noise),
        name: fc.oneof(fc.string(), noise),
        arguments: fc.oneof(fc.string(), noise),
        output: fc.oneof(fc.string(), fc.array(part, { maxLength: 3 }), noise),
      },
      { requiredKeys: [] },
    );
    const body = fc.record(
      {
        model: fc.constant("support"),
        input: fc.oneof(fc.string(), fc.array(fc.oneof(item, noise), { maxLength: 5 }), noise),
        instructions: noise,
        max_output_tokens: noise,
        text: fc.oneof(noise, fc.record({ format: noise })),
        tools: fc.oneof(
          noise,
          fc.array(
            fc.record({ type: fc.constant("function"), name: fc.oneof(fc.string(), noise) }),
          ),
        ),
        tool_choice: noise,
        reasoning: noise,
        stream: fc.boolean(),
        stream_options: noise,
      },
      { requiredKeys: ["model", "input"] },
    );
    fc.assert(
      fc.property(fc.oneof(noise, body), (given) => {
        const read = responseToChat(given);
        if (!read.ok) {
          assert.ok(read.param !== null && read.message.includes(read.param));
          return;
        }
        const parsed = parseChatRequest(read.chat);
        // What is left to chat's own judgement are fields that both APIs have under one name.
        const theirs = /^(model|stream_options)/;
        assert.ok(parsed.ok || theirs.test(parsed.param ?? ""), JSON.stringify(parsed));
      }),
    );
  });
});
