import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { NOTHING_DELIVERED, readDelivered } from "./delivered.ts";
import { readHalfCompletion, readHalfResponse } from "./dialects.ts";
import { splice, startSplice } from "./splice.ts";

const HALF = { ...NOTHING_DELIVERED, tokens: 2, cuts: [{ read: 0, generated: 2 }] };

describe("half a text completion", () => {
  const half = (text: string, more: object = {}) => ({
    ...HALF,
    id: "cmpl-7",
    choices: [{ index: 1, texts: { text } }],
    ...more,
  });
  const asked = { prompt: "Once ", echo: false };
  const echoing = { ...asked, echo: true };

  test("is a chat answer's content, under the id that it was told by", () => {
    assert.deepEqual(readHalfCompletion(half("upon a"), asked), {
      delivered: {
        ...HALF,
        id: "chatcmpl-7",
        choices: [{ index: 1, texts: { content: "upon a" }, thoughts: "untold" }],
      },
      told: new Map([[1, 6]]),
    });
  });

  test("has the echoed prompt in it, which no server said", () => {
    const read = readHalfCompletion(half("Once upon a"), echoing);
    assert.deepEqual(read?.delivered.choices[0]?.texts, { content: "upon a" });
    assert.deepEqual(read?.told, new Map([[1, 11]]));
    assert.deepEqual(readHalfCompletion(half("Once "), echoing)?.delivered.choices[0]?.texts, {});
  });

  const STRANGE: readonly (readonly [string, unknown, typeof asked])[] = [
    ["of another prompt", half("Twice upon"), echoing],
    ["with chat's text", half("", { choices: [{ index: 0, texts: { content: "upon" } }] }), asked],
    ["that is no object", "upon", asked],
    ["without its tokens", half("upon", { tokens: undefined }), asked],
  ];
  for (const [what, value, request] of STRANGE) {
    test(`${what} is none`, () => assert.equal(readHalfCompletion(value, request), null));
  }
});

describe("half a response", () => {
  const part = (kind: string, text: string) => ({ kind, text, logprobs: [] });
  const items = [
    { kind: "reasoning", parts: [part("reasoning_text", "Hm. ")] },
    { kind: "message", parts: [part("output_text", "Once "), part("refusal", "No.")] },
    { kind: "message", parts: [part("output_text", "upon")] },
  ];
  const half = (over: object = {}, response: object = {}) => ({
    ...HALF,
    id: "resp_a-1",
    choices: [{ index: 0, texts: { content: "something else" } }],
    response: { sequence: 9, items, ...response },
    ...over,
  });

  test("is a chat answer of its parts' texts, which alone count", () => {
    const read = readHalfResponse(half());
    assert.equal(read?.id, "a-1");
    assert.deepEqual(read?.told, { sequence: 9, items });
    assert.deepEqual(read?.delivered.choices, [
      {
        index: 0,
        texts: { reasoning_content: "Hm. ", content: "Once upon", refusal: "No." },
        thoughts: "either",
      },
    ]);
  });

  test("of which nothing was told still has what it cost", () => {
    const read = readHalfResponse(half({}, { sequence: 0, items: [] }));
    assert.deepEqual([read?.delivered.choices, read?.delivered.cuts], [[], HALF.cuts]);
  });

  const STRANGE: readonly (readonly [string, unknown])[] = [
    ["without its parts", half({ response: undefined })],
    ["under no response's id", half({ id: "chatcmpl-1" })],
    ["under an id that could break a line", half({ id: "resp_a\nb" })],
    ["with a number below 0", half({}, { sequence: -1 })],
    ["with an item without parts", half({}, { items: [{ kind: "message", parts: [] }] })],
    ["with a call", half({}, { items: [{ kind: "function_call", parts: items[0]?.parts }] })],
    [
      "with a part without text",
      half({}, { items: [{ kind: "message", parts: [part("output_text", "")] }] }),
    ],
    [
      "with a part of an unknown kind",
      half({}, { items: [{ kind: "message", parts: [part("audio", "x")] }] }),
    ],
  ];
  for (const [what, value] of STRANGE) {
    test(`${what} is none`, () => assert.equal(readHalfResponse(value), null));
  }

  test("is read from whatever comes without a throw", () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (one, other) => {
        readHalfResponse(one);
        readHalfResponse(half({ response: other }));
        readHalfCompletion(one, { prompt: "", echo: false });
      }),
    );
  });
});

describe("thoughts of an answer that is made again", () => {
  const event = (delta: object) => JSON.stringify({ choices: [{ index: 0, delta }] });
  const after = (thoughts: "either" | "untold", texts: object, deltas: readonly object[]) => {
    const choice = { index: 0, texts, thoughts };
    const choices = readDelivered({ ...HALF, choices: [choice] })?.choices ?? assert.fail();
    let now = startSplice(choices);
    const told: unknown[] = [];
    for (const delta of deltas) {
      const step = splice(now, event(delta));
      now = step.splice;
      told.push(...step.tell.map((data) => JSON.parse(data).choices[0].delta));
    }
    return { diverged: now.diverged, told };
  };

  test("are the same under either name, or under both, where their caller knows no name", () => {
    const had = { reasoning_content: "Hm. " };
    for (const name of ["reasoning", "reasoning_content"]) {
      const deltas = [{ [name]: "Hm" }, { [name]: ". So" }, { content: "Yes." }];
      assert.deepEqual(after("either", had, deltas), {
        diverged: null,
        told: [{ reasoning_content: "So" }, { content: "Yes." }],
      });
    }
    const both = [{ reasoning: "Hm. ", reasoning_content: "Hm. " }, { content: "Yes." }];
    assert.deepEqual(after("either", had, both), { diverged: null, told: [{ content: "Yes." }] });
    const other = after("either", had, [{ reasoning: "Ah." }]);
    assert.equal(other.diverged, "the answer was another this time");
  });

  test("contradict nothing where their caller is told of none", () => {
    const deltas = [
      { reasoning: "Hm. " },
      { refusal: "?" },
      { content: "Once" },
      { content: " up" },
    ];
    assert.deepEqual(after("untold", { content: "Once" }, deltas), {
      diverged: null,
      told: [{ content: " up" }],
    });
  });
});
