import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { CompletionTeller, completionToChat } from "./completions.ts";
import { type Fields, fieldsList } from "./fields.ts";

const chunk = (
  index: number,
  delta: object,
  finish_reason: string | null = null,
  logprobs: object | null = null,
): Fields => ({
  id: "chatcmpl-7",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index, delta, finish_reason, ...(logprobs === null ? {} : { logprobs }) }],
});

describe("a legacy completion as a chat request", () => {
  const chatOf = (fields: object): Fields => {
    const read = completionToChat({ model: "support", prompt: "Hello", ...fields });
    assert.ok(read.ok, read.ok ? "" : read.message);
    return read.chat;
  };

  it("is as short as the API documents, unless it says how long", () => {
    assert.equal(chatOf({}).max_tokens, 16);
    assert.equal(chatOf({ max_tokens: 500 }).max_tokens, 500);
    assert.equal(chatOf({ max_completion_tokens: 9 }).max_tokens, null);
  });

  it("takes a list of one prompt, and best_of where it chooses nothing", () => {
    assert.deepEqual(chatOf({ prompt: ["Hello"], n: 2, best_of: 2 }).messages, [
      { role: "user", content: "Hello" },
    ]);
  });

  it("never throws", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (body, prompt) => {
        for (const given of [body, { model: "m", prompt }]) {
          const read = completionToChat(given);
          assert.ok(read.ok || read.param !== null);
        }
      }),
    );
  });
});

describe("a chat answer as a legacy completion", () => {
  it("keeps choices apart, and tells the echo of each once", () => {
    const teller = new CompletionTeller({ prompt: "P:", echo: true });
    const told = [
      chunk(0, { role: "assistant", content: "" }),
      chunk(1, { content: "b" }),
      chunk(0, { content: "a" }),
      chunk(0, { content: "a" }),
      chunk(1, {}, "stop"),
    ].map((each) => teller.chunk(each)?.choices);
    const choice = (index: number, text: string, finish_reason: string | null = null) => ({
      index,
      text,
      logprobs: null,
      finish_reason,
    });
    assert.deepEqual(told, [
      undefined,
      [choice(1, "P:b")],
      [choice(0, "P:a")],
      [choice(0, "a")],
      [choice(1, "", "stop")],
    ]);
  });

  it("tells the text of a content that comes in parts, as servers of thinking models say it", () => {
    const content = [
      { type: "thinking", thinking: "Hm." },
      { type: "text", text: "Half." },
    ];
    const teller = new CompletionTeller({ prompt: "P", echo: false });
    assert.deepEqual(Object(teller.chunk(chunk(0, { content }))).choices[0].text, "Half.");
    const whole = { choices: [{ index: 0, message: { content }, finish_reason: "stop" }] };
    assert.equal(Object(teller.whole(whole)).choices[0].text, "Half.");
  });

  it("loses no token of a character that takes several", () => {
    const logprobs = (token: string) => ({ content: [{ token, logprob: -1, top_logprobs: [] }] });
    const teller = new CompletionTeller({ prompt: "P", echo: false });
    const told = [
      chunk(0, { role: "assistant", content: "" }),
      chunk(0, { content: "", reasoning: "Hm." }, null, logprobs("Hm.")),
      chunk(0, { content: "" }, null, logprobs("\\xc3")),
      chunk(0, { content: "é" }, null, logprobs("\\xa9")),
    ].flatMap((each) => fieldsList(teller.chunk(each)?.choices));
    assert.deepEqual(
      told.map(({ text, logprobs }) => [text, Object(logprobs).tokens]),
      [
        ["", ["\\xc3"]],
        ["é", ["\\xa9"]],
      ],
    );
  });

  it("tells only the rest of what its caller has: no echo again, and offsets from there on", () => {
    const logprobs = { content: [{ token: "c", logprob: -1, top_logprobs: [] }] };
    const rest = chunk(0, { content: "c" }, null, logprobs);
    const begun = new CompletionTeller({ prompt: "P:", echo: true });
    begun.chunk(chunk(0, { content: "ab" }));
    // "P:ab" is told.
    const teller = new CompletionTeller({ prompt: "P:", echo: true }, new Map([[0, 4]]));
    assert.deepEqual(teller.chunk(rest), begun.chunk(rest));
    const other = teller.chunk(chunk(1, { content: "x" }));
    assert.deepEqual(
      fieldsList(other?.choices).map(({ text }) => text),
      ["P:x"],
      "a choice of which nothing was told begins with the echo",
    );
  });

  it("passes the usage and whatever else the server says", () => {
    const teller = new CompletionTeller({ prompt: "P:", echo: false });
    const usage = { prompt_tokens: 1 };
    assert.deepEqual(teller.chunk({ id: "x", choices: [], usage, system_fingerprint: "fp" }), {
      id: "cmpl-x",
      object: "text_completion",
      choices: [],
      usage,
      system_fingerprint: "fp",
    });
  });

  it("tells the same text however it is cut into chunks", () => {
    fc.assert(
      fc.property(fc.array(fc.string()), fc.boolean(), (pieces, echo) => {
        const asked = { prompt: "P:", echo };
        const streamed = new CompletionTeller(asked);
        const chunks = [...pieces.map((content) => chunk(0, { content })), chunk(0, {}, "stop")];
        const text = chunks
          .flatMap((each) => (streamed.chunk(each)?.choices ?? []) as { text: string }[])
          .map((choice) => choice.text)
          .join("");
        const message = { content: pieces.join("") };
        const choices = [{ index: 0, message, finish_reason: "stop" }];
        const whole = new CompletionTeller(asked).whole({ id: "x", choices });
        assert.deepEqual((whole.choices as { text: string }[])[0]?.text, text);
      }),
    );
  });
});
