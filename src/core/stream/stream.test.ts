import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SseParser } from "../../wire/sse.ts";
import { FRESH_RELAY, type Relay, relay } from "./relay.ts";
import { allTexts, howFar, judge } from "./state.ts";

interface Heard {
  readonly relay: Relay;
  readonly told: string[];
}

function hear(chunks: readonly Uint8Array[]): Heard {
  const parser = new SseParser();
  let now = FRESH_RELAY;
  const told: string[] = [];
  for (const item of chunks.flatMap((chunk) => parser.push(chunk))) {
    const { relay: next, tell } = relay(now, item);
    now = next;
    told.push(...tell);
  }
  return { relay: now, told };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const event = (data: unknown): string =>
  `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
const text = (content: string, index = 0) => ({
  choices: [{ index, delta: { content }, finish_reason: null }],
});
const finish = (index = 0, reason = "stop") => ({
  choices: [{ index, delta: {}, finish_reason: reason }],
});
const stream = (...data: unknown[]): Heard => hear([bytes(data.map(event).join(""))]);

/** Any whole stream of one to three choices, its text of any characters. */
const wholeStream = fc
  .record({
    pieces: fc.array(fc.tuple(fc.nat(2), fc.string({ unit: "binary" })), { maxLength: 8 }),
    usage: fc.boolean(),
  })
  .map(({ pieces, usage }) => {
    const indexes = [...new Set([0, ...pieces.map(([index]) => index)])];
    const events: unknown[] = [
      ...pieces.map(([index, content]) => text(content, index)),
      ...indexes.map((index) => finish(index)),
    ];
    if (usage) events.push({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 4 } });
    return [...events, "[DONE]"].map(event).join("");
  });

describe("following a stream", () => {
  it("knows that content in parts can be neither gone on with nor compared", () => {
    const parts = (content: unknown) =>
      stream({ choices: [{ index: 0, delta: { content } }] }).relay.state.choices.get(0)?.opaque;
    assert.equal(parts([{ type: "thinking", thinking: "Hm." }]), true);
    for (const nothing of [[], null, "Half."]) assert.equal(parts(nothing), false);
  });

  it("gives the same state however the bytes are cut into chunks", () => {
    fc.assert(
      fc.property(wholeStream, fc.array(fc.nat(), { maxLength: 12 }), (body, cuts) => {
        const whole = bytes(body);
        const at = [...new Set(cuts.map((cut) => cut % (whole.length + 1)))].sort((a, b) => a - b);
        const pieces = [0, ...at].map((from, i) => whole.subarray(from, at[i]));
        assert.deepEqual(hear(pieces), hear([whole]));
      }),
    );
  });

  it("is never whole, and has never told a finish or [DONE], when cut before its last byte", () => {
    fc.assert(
      fc.property(wholeStream, fc.nat(), (body, cut) => {
        const whole = bytes(body);
        assert.deepEqual(judge(hear([whole]).relay.state), { whole: true });
        const { relay: now, told } = hear([whole.subarray(0, cut % whole.length)]);
        assert.equal(judge(now.state).whole, false);
        assert.ok(told.every((data) => data !== "[DONE]" && !data.includes('"stop"')));
      }),
    );
  });

  it("tells every event of a whole stream exactly once, and [DONE] last", () => {
    fc.assert(
      fc.property(wholeStream, (body) => {
        const sent = new SseParser().push(bytes(body)).map((item) => "data" in item && item.data);
        const { told } = hear([bytes(body)]);
        assert.deepEqual(told.toSorted(), sent.toSorted());
        assert.equal(told.at(-1), "[DONE]");
      }),
    );
  });
});

describe("whether a stream is whole", () => {
  it("is not, when [DONE] follows an error frame, as vLLM sends it", () => {
    const { relay: now, told } = stream(text("Half"), { error: { message: "CUDA" } }, "[DONE]");
    assert.deepEqual(judge(now.state), {
      whole: false,
      because: "the model's server reported: CUDA",
    });
    assert.deepEqual(told, [JSON.stringify(text("Half"))]);
  });

  it("is not, when [DONE] comes without a finish reason for each choice", () => {
    const { relay: now, told } = stream(text("a"), text("b", 1), finish(0), "[DONE]");
    assert.deepEqual(judge(now.state), {
      whole: false,
      because: "it ended without a finish reason for choice 1",
    });
    assert.equal(told.includes("[DONE]"), false);
  });

  it("is not, when an event is not JSON, whatever follows", () => {
    const { relay: now } = stream(text("a"), "<html>502</html>", finish(), "[DONE]");
    assert.deepEqual(judge(now.state), {
      whole: false,
      because: "an event that is not a JSON object",
    });
  });

  it("is not, when events follow [DONE]", () => {
    const { relay: now } = stream(text("a"), finish(), "[DONE]", text("b"));
    assert.deepEqual(judge(now.state), { whole: false, because: "events after [DONE]" });
  });

  it("is not, when only [DONE] came", () => {
    assert.deepEqual(judge(stream("[DONE]").relay.state), {
      whole: false,
      because: "it ended before any answer",
    });
  });
});

describe("what was said so far", () => {
  it("knows all of every text after each of its pieces, however many there are", () => {
    const piece = fc.tuple(fc.nat(1), fc.constantFrom("content", "refusal"), fc.string());
    const events = fc.array(fc.array(piece, { minLength: 1, maxLength: 3 }), { minLength: 25 });
    fc.assert(
      fc.property(events, (said) => {
        let now = FRESH_RELAY;
        const wanted: Record<number, Record<string, string>> = {};
        for (const pieces of said) {
          const choices = pieces.map(([index, field, text]) => ({
            index,
            delta: { [field]: text },
          }));
          const data = JSON.stringify({ choices });
          now = relay(now, { kind: "event", event: "message", data }).relay;
          for (const [index, field, text] of pieces) {
            wanted[index] ??= {};
            if (text !== "") wanted[index][field] = (wanted[index][field] ?? "") + text;
          }
          const known = [...now.state.choices].map(([of, choice]) => [of, allTexts(choice)]);
          assert.deepEqual(Object.fromEntries(known), wanted);
        }
      }),
    );
  });

  it("gathers text, tool calls, finish and usage per choice", () => {
    const call = (piece: object) => ({ choices: [{ index: 0, delta: { tool_calls: [piece] } }] });
    const { relay: now } = stream(
      text("Let me "),
      text("look."),
      call({ index: 0, id: "c1", function: { name: "find", arguments: '{"q":' } }),
      call({ index: 0, function: { arguments: '"x"}' } }),
      finish(0, "tool_calls"),
      { choices: [], usage: { prompt_tokens: 5, completion_tokens: 7 } },
    );
    const choice = now.state.choices.get(0);
    assert.equal(choice && allTexts(choice).content, "Let me look.");
    assert.equal(choice?.finish, "tool_calls");
    assert.deepEqual(choice?.toolCalls.get(0), {
      index: 0,
      id: "c1",
      name: "find",
      argumentText: '{"q":"x"}',
    });
    assert.deepEqual(now.state.usage, { promptTokens: 5, completionTokens: 7 });
    assert.equal(howFar(now.state), "6 events with 12 characters and 1 unfinished tool call");
  });

  it("goes on telling one choice's text while another one's finish is held", () => {
    const { told } = stream(text("a"), finish(0), text("b", 1));
    assert.deepEqual(told, [JSON.stringify(text("a")), JSON.stringify(text("b", 1))]);
  });
});
