import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ChatMessage, ChatRequest } from "../wire/openai.ts";
import { type Completion, checkContinuation, completionOf } from "./completion.ts";
import { generalEnglish } from "./english.ts";

const english = generalEnglish();
const messages: ChatMessage[] = [
  {
    role: "system",
    content:
      'Answer style: full\n<document id="a" title="Tides">\nThe tide turns twice a day. The tide is strong.\n</document>',
  },
  { role: "user", content: "How often does the tide turn?" },
];

function complete(more: Partial<ChatRequest> = {}): Completion {
  return completionOf({ model: "m", messages, ...more }, "sha256:00", english, 1000);
}

const textOf = (completion: Completion): string => completion.tokens.join("");
const uncut = textOf(complete());

function resumed(given: string, more: Partial<ChatRequest> = {}): Completion {
  const flags = { continue_final_message: true, add_generation_prompt: false };
  return complete({
    ...more,
    ...flags,
    messages: [...messages, { role: "assistant", content: given }],
  });
}

test("max_tokens cuts and says so", () => {
  const cut = complete({ max_tokens: 3 });
  assert.equal(cut.tokens.length, 3);
  assert.equal(cut.finishReason, "length");
  assert.equal(cut.usage.completion_tokens, 3);
  assert.equal(complete({ max_tokens: 3, max_completion_tokens: 2 }).tokens.length, 2);
  assert.equal(complete({ max_tokens: complete().tokens.length }).finishReason, "stop");
});

test("stop sequences cut before themselves", () => {
  assert.equal(textOf(complete({ stop: " turns" })), uncut.slice(0, uncut.indexOf(" turns")));
  assert.equal(complete({ stop: ["no such", " turns"] }).finishReason, "stop");
});

test("a half-given answer goes on exactly as the uncut one, wherever it was cut", () => {
  fc.assert(
    fc.property(fc.nat({ max: uncut.length }), (at) => {
      const rest = resumed(uncut.slice(0, at));
      assert.equal(uncut.slice(0, at) + textOf(rest), uncut);
      assert.equal(rest.finishReason, "stop");
    }),
  );
});

test("a stop sequence across the seam still stops", () => {
  const at = uncut.indexOf("turns") + 2;
  assert.equal(textOf(resumed(uncut.slice(0, at - 2), { stop: "turns" })), "");
});

test("a foreign beginning is followed by the whole answer, always the same", () => {
  assert.equal(textOf(resumed("Arr, matey!")), ` ${uncut}`);
  assert.equal(textOf(resumed("Arr, matey!\n")), uncut);
});

test("a continued message stays text even where a new one would call a tool", () => {
  const tools = [{ type: "function", function: { name: "f" } }];
  assert.equal(complete({ tools, tool_choice: "required" }).finishReason, "tool_calls");
  assert.equal(resumed("", { tools, tool_choice: "required" }).tool, undefined);
});

test("the continuation flags must agree, and the last message must be the assistant's", () => {
  const half: ChatMessage = { role: "assistant", content: "The" };
  const request = (more: Partial<ChatRequest>): ChatRequest => ({
    model: "m",
    messages: [...messages, half],
    ...more,
  });
  assert.equal(checkContinuation(request({})), undefined);
  const agreed = { continue_final_message: true, add_generation_prompt: false };
  assert.equal(checkContinuation(request(agreed)), undefined);
  for (const add_generation_prompt of [true, null]) {
    const fault = checkContinuation(request({ ...agreed, add_generation_prompt }));
    assert.match(fault?.message ?? "", /Cannot set both `continue_final_message`/);
  }
  assert.match(checkContinuation(request({ ...agreed, messages }))?.message ?? "", /`assistant`/);
});

test("n choices cost n times the answer and once the prompt", () => {
  const one = complete().usage;
  const three = complete({ n: 3 }).usage;
  assert.equal(three.completion_tokens, 3 * one.completion_tokens);
  assert.equal(three.prompt_tokens, one.prompt_tokens);
  assert.equal(three.total_tokens, three.prompt_tokens + three.completion_tokens);
});
