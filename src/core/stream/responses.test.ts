import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ResponseTeller } from "../../wire/responses-stream.ts";
import { SseParser } from "../../wire/sse.ts";
import { type FollowedResponse, followResponse, responseStep } from "./responses.ts";

const chunk = (delta: object, finish: string | null = null, more: object = {}) => ({
  created: 5,
  model: "m",
  choices: [{ index: 0, delta, finish_reason: finish, ...more }],
});
const CALL = { index: 0, id: "c1", function: { name: "find", arguments: '{"q":1}' } };

/** The events of an answer, one text each, as a gateway tells them. */
function eventsOf(chunks: readonly object[]): string[] {
  const teller = new ResponseTeller({}, "r1");
  const text = chunks.map((one) => teller.chunk({ ...one })).join("") + teller.done();
  return text.split(/(?<=\n\n)/);
}

/** What is told behind each event, by type; and the last state. */
function followed(events: readonly string[]) {
  const parser = new SseParser();
  let now: FollowedResponse = followResponse();
  const told = events.map((event) => {
    const items = parser.push(Buffer.from(event));
    return items.flatMap((item) => {
      const step = responseStep(now, item);
      now = step.after;
      return step.tell.map((text) => typeOf(text));
    });
  });
  return { told, now };
}

function typeOf(text: string): string {
  return /"type":"(?:response\.)?([\w.]+)"/.exec(text)?.[1] ?? text;
}

describe("a stream of responses", () => {
  test("is told piece of text by piece of text, with what opens before it and closes behind it", () => {
    const events = eventsOf([
      chunk({ reasoning: "Hm." }),
      chunk({ content: "Once " }),
      chunk({ content: "upon" }, "stop"),
    ]);
    const { told, now } = followed(events);
    assert.deepEqual(
      told.filter((types) => types.length > 0),
      [
        [
          "created",
          "in_progress",
          "output_item.added",
          "content_part.added",
          "reasoning_text.delta",
        ],
        [
          ...["reasoning_text.done", "content_part.done", "output_item.done"],
          ...["output_item.added", "content_part.added", "output_text.delta"],
        ],
        ["output_text.delta"],
        ["output_text.done", "content_part.done", "output_item.done", "completed"],
      ],
    );
    assert.equal(now.end, "whole");
    assert.deepEqual([now.id, now.created, now.events], ["resp_r1", 5, events.length]);
  });

  const custom = { index: 0, id: "c", type: "custom", custom: { name: "shell", input: "ls" } };
  for (const [kind, call, events] of [
    ["function", CALL, "function_call_arguments"],
    ["custom tool", custom, "custom_tool_call_input"],
  ] as const)
    test(`tells nothing of a ${kind}'s call before its end, nor of the text behind it`, () =>
      tellsNoHalfOf(call, `${events}.delta`));

  function tellsNoHalfOf(call: object, delta: string): void {
    const events = eventsOf([
      chunk({ content: "Let me look." }),
      chunk({ tool_calls: [call] }),
      chunk({ content: " So:" }, "tool_calls"),
    ]);
    assert.ok(events.some((event) => typeOf(event) === delta));
    const { told, now } = followed(events.slice(0, -1));
    assert.deepEqual(told.at(4), [
      ...["created", "in_progress", "output_item.added", "content_part.added"],
      "output_text.delta",
    ]);
    assert.deepEqual(told.slice(5).flat(), []);
    assert.deepEqual([now.inCall, now.opaque], [true, false]);
    assert.equal(now.told.items.length, 1);
    assert.deepEqual([now.toldPieces, now.pieces], [1, 2]);
    assert.equal(followed(events).told.at(-1)?.at(-1), "completed");
  }

  test("remembers where its text stands, with the probabilities that its end repeats", () => {
    const logprobs = { content: [{ token: "Once ", logprob: -1, bytes: [1], top_logprobs: [] }] };
    const all = eventsOf([chunk({ content: "Once " }, null, { logprobs }), chunk({}, "stop")]);
    const { now } = followed(all.slice(0, 5));
    const [entry] = logprobs.content;
    assert.deepEqual(now.told, {
      sequence: 5,
      items: [
        { kind: "message", parts: [{ kind: "output_text", text: "Once ", logprobs: [entry] }] },
      ],
    });
    // A teller that goes on from there ends it as the first would have.
    const rest = new ResponseTeller({}, "r1", now.told);
    const end = rest.chunk({ ...chunk({}, "stop") }) + rest.done();
    assert.equal(end, all.slice(5).join(""));
  });

  test("whose text is over is not to be gone on with, until another text follows", () => {
    const events = eventsOf([chunk({ content: "Once." }), chunk({ reasoning: "Hm." }, "stop")]);
    const closedAt = events.findIndex((event) => typeOf(event) === "output_text.done");
    assert.equal(followed(events.slice(0, closedAt)).now.closed, false);
    assert.equal(followed(events.slice(0, closedAt + 1)).now.closed, true);
    const textAt = events.findIndex((event) => typeOf(event) === "reasoning_text.delta");
    assert.equal(followed(events.slice(0, textAt)).now.closed, true);
    assert.equal(followed(events.slice(0, textAt + 1)).now.closed, false);
  });

  const data = (event: object) => `data: ${JSON.stringify(event)}\n\n`;
  const begun = eventsOf([chunk({ content: "Once " })]).slice(0, 5);
  const FAULTS: readonly (readonly [string, string, RegExp])[] = [
    [
      "a failed response",
      data({ type: "response.failed", response: { error: { message: "gone" } } }),
      /reported: gone/,
    ],
    [
      "an error event",
      data({ type: "error", sequence_number: 5, message: "CUDA" }),
      /reported: CUDA/,
    ],
    ["another API's error", data({ error: { message: "cut" } }), /reported: cut/],
    [
      "a hole",
      data({ type: "response.output_text.delta", sequence_number: 6 }),
      /event 5 is missing/,
    ],
    ["no JSON", "data: <html>\n\n", /not a JSON object/],
  ];
  for (const [name, event, because] of FAULTS) {
    test(`is cut by ${name}, of which nothing is told`, () => {
      const { told, now } = followed([...begun, event, event]);
      assert.deepEqual(told.slice(5).flat(), []);
      assert.match(now.end !== null && now.end !== "whole" ? now.end.because : "", because);
      assert.equal(now.told.sequence, 5);
    });
  }

  const STRANGE: readonly (readonly [string, object])[] = [
    ["an event of no known kind", { type: "response.image.partial", sequence_number: 5 }],
    ["an event without its number", { type: "response.in_progress" }],
    [
      "text in another place than the last",
      { type: "response.output_text.delta", sequence_number: 5, delta: "x", output_index: 3 },
    ],
  ];
  for (const [name, event] of STRANGE) {
    test(`with ${name} is told, and never gone on with`, () => {
      const place = { output_index: 0, content_index: 0, delta: "upon" };
      const sequence_number = "sequence_number" in event ? 6 : 5;
      const next = data({ type: "response.output_text.delta", sequence_number, ...place });
      const { told, now } = followed([...begun, data(event), next]);
      assert.deepEqual([now.opaque, now.end], [true, null]);
      assert.deepEqual(told.slice(5).flat().length, 2);
    });
  }

  test("is given up when what is held grows beyond all measure", () => {
    const added = data({
      type: "response.output_item.added",
      sequence_number: 5,
      item: { type: "function_call" },
    });
    const piece = (number: number) =>
      data({
        type: "response.function_call_arguments.delta",
        sequence_number: number,
        delta: "x".repeat(3 * 1024 * 1024),
      });
    const { now } = followed([...begun, added, ...[6, 7, 8, 9, 10, 11].map(piece)]);
    assert.deepEqual(now.end, { because: "a tool call larger than 16 MiB" });
  });
});
