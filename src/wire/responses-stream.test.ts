import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { accumulateResponse } from "openai/lib/responses/ResponseAccumulator";
import type { ResponseStreamEvent } from "openai/resources/responses/responses";
import type { Fields } from "./fields.ts";
import { ResponseTeller } from "./responses-stream.ts";
import { SseParser } from "./sse.ts";

type Snapshot = ReturnType<typeof accumulateResponse>;

const chunk = (delta: object, more: object = {}): Fields => ({
  id: "chatcmpl-1",
  created: 7,
  model: "m",
  choices: [{ index: 0, delta, finish_reason: null, ...more }],
});
const finish = (reason: string): Fields => chunk({}, { finish_reason: reason });
const usage: Fields = {
  choices: [],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
};
const call = (index: number, piece: string, name?: string) =>
  name === undefined
    ? { tool_calls: [{ index, function: { arguments: piece } }] }
    : {
        tool_calls: [
          { index, id: `call_${index}`, type: "function", function: { name, arguments: piece } },
        ],
      };

function eventsOf(text: string): ResponseStreamEvent[] {
  return new SseParser().push(new TextEncoder().encode(text)).map((item) => {
    assert.equal(item.kind, "event");
    const data = JSON.parse(item.kind === "event" ? item.data : "");
    assert.equal(item.kind === "event" && item.event, data.type, "the event is named as it says");
    return data;
  });
}

/** All events of one stream, and what the official client makes of them. */
function tell(chunks: readonly Fields[], end: "done" | "failed" = "done") {
  const teller = new ResponseTeller({ tools: [] }, "r1");
  const told = chunks.map((each) => teller.chunk(each));
  told.push(end === "done" ? teller.done() : teller.failed({ message: "it was cut" }));
  const events = eventsOf(told.join(""));
  let snapshot: Snapshot | undefined;
  for (const event of events) snapshot = accumulateResponse(event, snapshot);
  assert.ok(snapshot);
  return { told, events, types: events.map(({ type }) => type), snapshot };
}

describe("a response told from a chat stream", () => {
  it("tells a text with every event that the API has for one, in its order", () => {
    const { types, events, snapshot } = tell([
      chunk({ role: "assistant", content: "" }),
      chunk({ content: "Half a " }),
      chunk({ content: "year." }),
      finish("stop"),
      usage,
    ]);
    assert.deepEqual(types, [
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    assert.deepEqual(
      events.map(({ sequence_number }) => sequence_number),
      types.map((_, index) => index),
    );
    assert.equal(snapshot.status, "completed");
    assert.equal(snapshot.output_text, "Half a year.");
    assert.deepEqual(snapshot.usage, {
      input_tokens: 3,
      input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
      output_tokens: 2,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 5,
    });
    assert.deepEqual([snapshot.id, snapshot.created_at, snapshot.model], ["resp_r1", 7, "m"]);
  });

  it("holds the lifecycle events back until there is something real", () => {
    const { told } = tell([
      chunk({ role: "assistant", content: "" }),
      chunk({ content: null }),
      chunk({ content: "a" }),
      finish("stop"),
    ]);
    assert.deepEqual([told[0], told[1]], ["", ""]);
    assert.match(told[2] ?? "", /^event: response\.created\n/);
    assert.equal(told[3], "", "and says nothing of an end before it is one");
  });

  it("tells text, then calls in parallel whose pieces are mixed", () => {
    const { types, snapshot } = tell([
      chunk({ content: "Let me look." }),
      chunk(call(0, "", "find")),
      chunk(call(1, "", "count")),
      chunk(call(0, '{"q":')),
      chunk(call(1, "{}")),
      chunk(call(0, "1}")),
      finish("tool_calls"),
    ]);
    const added = types.lastIndexOf("response.output_item.added");
    assert.ok(types.indexOf("response.output_text.done") < added, "the text ends before the calls");
    assert.deepEqual(
      snapshot.output.map((item) =>
        item.type === "function_call"
          ? [item.call_id, item.name, item.arguments, item.status]
          : item.type,
      ),
      [
        "message",
        ["call_0", "find", '{"q":1}', "completed"],
        ["call_1", "count", "{}", "completed"],
      ],
    );
  });

  it("keeps calls apart that a server gives one index, and together what it gives many ids", () => {
    const piece = (id: string, name: string | undefined, given: string) =>
      chunk({ tool_calls: [{ index: 0, id, function: { name, arguments: given } }] });
    const called = (...pieces: readonly Fields[]) =>
      tell([...pieces, finish("tool_calls")]).snapshot.output.map((item) =>
        item.type === "function_call" ? [item.call_id, item.name, item.arguments] : item.type,
      );
    assert.deepEqual(called(piece("a", "find", '{"q":1}'), piece("b", "find", '{"q":2}')), [
      ["a", "find", '{"q":1}'],
      ["b", "find", '{"q":2}'],
    ]);
    assert.deepEqual(called(piece("a", "find", '{"q":'), piece("b", undefined, "1}")), [
      ["a", "find", '{"q":1}'],
    ]);
    assert.deepEqual(called(piece("a", "find", '{"q":'), piece("a", "find", "1}")), [
      ["a", "find", '{"q":1}'],
    ]);
  });

  it("tells the sources that a server gives with its text", () => {
    const source = { start_index: 0, end_index: 4, url: "https://a.example", title: "A" };
    const annotations = [
      { type: "url_citation", url_citation: source },
      { type: "other", x: 1 },
    ];
    const expected = [
      { type: "url_citation", ...source },
      { type: "other", x: 1 },
    ];
    const { snapshot } = tell([
      chunk({ content: "Half." }),
      chunk({ annotations }),
      finish("stop"),
    ]);
    const message = { content: "Half.", annotations };
    const choices = [{ index: 0, message, finish_reason: "stop" }];
    const whole = new ResponseTeller({}, "r1").whole({ created: 7, model: "m", choices });
    assert.deepEqual(snapshot.output, whole.output);
    const [item] = snapshot.output;
    const part = item?.type === "message" ? item.content[0] : undefined;
    assert.deepEqual(part?.type === "output_text" && part.annotations, expected);
  });

  it("reads the parts in which servers of thinking models say their content", () => {
    const thinking = [
      { type: "text", text: "Hm" },
      { type: "reference", reference_ids: [1] },
    ];
    const content = [
      { type: "thinking", thinking },
      { type: "thinking", thinking: "." },
      { type: "text", text: "Half " },
      { type: "text", text: "a year." },
    ];
    const { snapshot } = tell([chunk({ content }), finish("stop")]);
    assert.equal(snapshot.output_text, "Half a year.");
    const choices = [{ index: 0, message: { content }, finish_reason: "stop" }];
    const { output } = new ResponseTeller({}, "r1").whole({ created: 7, model: "m", choices });
    assert.deepEqual(output, snapshot.output);
    assert.match(JSON.stringify(output), /"type":"reasoning_text","text":"Hm\."/);
  });

  it("tells reasoning and a refusal as what they are", () => {
    const { snapshot, types } = tell([
      chunk({ reasoning_content: "Hm." }),
      chunk({ refusal: "I may " }),
      chunk({ refusal: "not." }),
      finish("stop"),
    ]);
    assert.deepEqual(
      snapshot.output.map((item) => item.type),
      ["reasoning", "message"],
    );
    const [, message] = snapshot.output;
    assert.deepEqual(message?.type === "message" && message.content, [
      { type: "refusal", refusal: "I may not." },
    ]);
    assert.ok(types.includes("response.reasoning_text.done"));
  });

  it("calls an answer incomplete that was cut by its length or a filter, and says why", () => {
    for (const [reason, told] of [
      ["length", "max_output_tokens"],
      ["content_filter", "content_filter"],
    ] as const) {
      const { types, snapshot } = tell([chunk({ content: "Half a" }), finish(reason)]);
      assert.equal(types.at(-1), "response.incomplete");
      assert.deepEqual(snapshot.incomplete_details, { reason: told });
      const [message] = snapshot.output;
      assert.equal(message?.type === "message" && message.status, "incomplete");
    }
  });

  it("calls a cut answer failed: no item of it is done, and nothing is completed", () => {
    for (const before of [[], [chunk({ content: "Half a" }), chunk(call(0, "{", "f"))]]) {
      const { types, snapshot } = tell(before, "failed");
      assert.equal(types[0], "response.created");
      assert.equal(types.at(-1), "response.failed");
      assert.ok(!types.includes("response.completed"));
      assert.deepEqual(snapshot.error, { code: "server_error", message: "it was cut" });
      assert.equal(snapshot.status, "failed");
      const call = snapshot.output.at(-1);
      if (call?.type === "function_call") assert.equal(call.status, "incomplete");
    }
  });

  it("answers nothing with an empty text", () => {
    const { snapshot } = tell([chunk({ role: "assistant", content: "" }), finish("stop")]);
    assert.equal(snapshot.output_text, "");
    assert.equal(snapshot.output.length, 1);
  });

  it("carries logprobs with the text that they are of", () => {
    const entry = { token: "a", logprob: -0.5, bytes: [97], top_logprobs: [] };
    const { events, snapshot } = tell([
      chunk({ content: "a" }, { logprobs: { content: [entry] } }),
      finish("stop"),
    ]);
    const delta = events.find(({ type }) => type === "response.output_text.delta");
    assert.deepEqual(delta?.type === "response.output_text.delta" && delta.logprobs, [entry]);
    const [message] = snapshot.output;
    const part = message?.type === "message" ? message.content[0] : undefined;
    assert.deepEqual(part?.type === "output_text" && part.logprobs, [entry]);
  });

  it("loses no token of a character that takes several, and takes in none of a thought", () => {
    const entry = (token: string) => ({ token, logprob: -1, bytes: [], top_logprobs: [] });
    const said = (delta: object, token: string) =>
      chunk(delta, { logprobs: { content: [entry(token)] } });
    const { snapshot } = tell([
      said({ reasoning: "Hm.", content: "" }, "Hm."),
      said({ content: "" }, "\\xc3"),
      said({ content: "é" }, "\\xa9"),
      said({ content: "!" }, "!"),
      finish("stop"),
    ]);
    const item = snapshot.output.at(-1);
    const part = item?.type === "message" ? item.content[0] : undefined;
    assert.ok(part?.type === "output_text");
    assert.deepEqual(part.logprobs, ["\\xc3", "\\xa9", "!"].map(entry));
  });

  it("comes to the same as the whole answer, however it is streamed", () => {
    const deltas = fc.array(
      fc.oneof(
        fc.record({ content: fc.string() }),
        fc.record({ refusal: fc.string() }),
        fc.record({ reasoning: fc.string() }),
        fc
          .record({ index: fc.nat(2), piece: fc.string() })
          .map(({ index, piece }) => call(index, piece)),
      ),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(deltas, fc.constantFrom("stop", "length", "tool_calls"), (given, reason) => {
        const teller = new ResponseTeller({ tools: [] }, "r1");
        const text = given.map((delta) => teller.chunk(chunk(delta))).join("");
        const end = teller.chunk(finish(reason)) + teller.done();
        const events = eventsOf(text + end);
        // What a client gathers from the increments is what the last event repeats.
        let gathered: Snapshot | undefined;
        for (const event of events.slice(0, -1)) gathered = accumulateResponse(event, gathered);
        const last = events.at(-1);
        assert.ok(last !== undefined && "response" in last);
        assert.deepEqual(gathered?.output, last.response.output);
      }),
    );
  });

  it("tells a whole answer as the same response object", () => {
    const message = { role: "assistant", content: "Half a year.", ...call(0, "{}", "f") };
    const choices = [{ index: 0, message, finish_reason: "tool_calls", logprobs: null }];
    const whole = new ResponseTeller({ tools: [] }, "r1").whole({
      created: 7,
      model: "m",
      choices,
      usage: usage.usage,
    });
    const streamed = tell([
      chunk({ content: "Half a year." }),
      chunk(call(0, "{}", "f")),
      finish("tool_calls"),
      usage,
    ]);
    const last = streamed.events.at(-1);
    assert.deepEqual(last !== undefined && "response" in last && last.response, whole);
  });
});
