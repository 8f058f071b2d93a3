import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { ChatRequest } from "../../wire/openai.ts";
import { SseParser } from "../../wire/sse.ts";
import { type Capability, type Continuation, continuation } from "./continuation.ts";
import {
  addDelivered,
  type Delivered,
  deliveredOf,
  NOTHING_DELIVERED,
  readDelivered,
} from "./delivered.ts";
import { joined, sumUsage } from "./halves.ts";
import { conclude, FRESH_RELAY, type Relay, relay } from "./relay.ts";
import { splice, startSplice } from "./splice.ts";

const REQUEST: ChatRequest = {
  model: "m",
  messages: [{ role: "user", content: "Tell me." }],
  stream: true,
};

/** A model's server, as a pure function: its stream for a request, in pieces of its own. */
interface Server {
  readonly name: string;
  readonly capability: Capability;
  /** Where it cuts a text into tokens. */
  readonly every: number;
}

function streamOf(server: Server, texts: readonly string[], request: ChatRequest): string[] {
  const given = givenIn(server, request);
  const head = { id: `of-${server.name}`, created: server.every, model: server.name };
  const events: unknown[] = texts.map((_, index) =>
    chunk(head, index, { role: "assistant", content: "" }),
  );
  let tokens = 0;
  for (const [index, text] of texts.entries()) {
    assert.ok(text.startsWith(given), "a server is only given a beginning of its own answer");
    for (const token of tokensOf(text.slice(given.length), server.every)) {
      events.push(chunk(head, index, { content: token }));
      tokens += 1;
    }
  }
  events.push(...texts.map((_, index) => chunk(head, index, {}, "stop")));
  const usage = { prompt_tokens: 10 + given.length, completion_tokens: tokens, total_tokens: 0 };
  events.push({ ...head, choices: [], usage });
  return [...events.map((event) => `data: ${JSON.stringify(event)}\n\n`), "data: [DONE]\n\n"];
}

function givenIn({ capability }: Server, request: ChatRequest): string {
  const last = request.messages.at(-1);
  if (last?.role !== "assistant") return "";
  if (capability === "continue-final-message") {
    assert.equal(request.continue_final_message, true);
    assert.equal(request.add_generation_prompt, false);
  }
  return String(last.content);
}

function chunk(head: object, index: number, delta: object, finish: string | null = null) {
  return { ...head, choices: [{ index, delta, finish_reason: finish }] };
}

function tokensOf(text: string, every: number): string[] {
  const tokens: string[] = [];
  for (let at = 0; at < text.length; at += every) tokens.push(text.slice(at, at + every));
  return tokens;
}

interface Caller {
  readonly data: string[];
}

function hear(
  relay0: Relay,
  bytes: Uint8Array,
  cuts: readonly number[],
  tell: (data: string) => void,
) {
  const parser = new SseParser();
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let now = relay0;
  for (const [i, from] of [0, ...at].entries()) {
    for (const item of parser.push(bytes.subarray(from, at[i]))) {
      const step = relay(now, item);
      now = step.relay;
      for (const data of step.tell) tell(data);
    }
  }
  return now;
}

/** What a caller gets of an answer that is cut at these bytes, one server after the other. */
function deliver(
  servers: readonly Server[],
  texts: readonly string[],
  cutAt: readonly number[],
  chunking: readonly number[],
): Caller {
  const told: string[] = [];
  let had: Delivered = NOTHING_DELIVERED;
  for (const [half, server] of servers.entries()) {
    const asked: Continuation =
      half === 0
        ? { kind: "ask", how: "regenerate", request: REQUEST, repeats: [] }
        : continuation(overTheWire(had), { ...REQUEST, n: texts.length }, server.capability);
    assert.equal(asked.kind, "ask");
    if (asked.kind !== "ask") break;
    const all = new TextEncoder().encode(streamOf(server, texts, asked.request).join(""));
    const cut = cutAt[half];
    const bytes = cut === undefined ? all : all.subarray(0, cut % all.length);
    const before = had;
    const read = asked.how === "continue" ? before.tokens : 0;
    const sum = (usage: Parameters<typeof sumUsage>[1]) => sumUsage(before.cuts, usage, read);
    let splicing = startSplice(asked.repeats);
    let rest = FRESH_RELAY;
    const tellRest = (data: string): void => {
      const step = splice(splicing, data);
      splicing = step.splice;
      assert.equal(splicing.diverged, null);
      for (const one of step.tell) {
        rest = relay(rest, { kind: "event", event: "message", data: one }).relay;
        const event = half === 0 ? one : joined({ delivered: before, sum }, one);
        if (event !== null) told.push(event);
      }
    };
    const seen = hear(FRESH_RELAY, bytes, chunking, tellRest);
    if (told.at(-1) === "[DONE]") break;
    const concluded = asked.how === "regenerate" && half > 0 ? null : conclude(seen, texts.length);
    if (concluded !== null) {
      for (const data of concluded) tellRest(data);
      break;
    }
    const { cuts, inToolCall } = deliveredOf(seen);
    const more = half === 0 ? deliveredOf(seen) : { ...deliveredOf(rest), cuts, inToolCall };
    had = addDelivered(before, more, asked.how);
  }
  return { data: told };
}

/** As another gateway, or the client, hands it on. */
function overTheWire(had: Delivered): Delivered {
  const read = readDelivered(JSON.parse(JSON.stringify(had)));
  assert.deepEqual(read, had);
  return read ?? assert.fail();
}

function textsOf({ data }: Caller, n: number): string[] {
  const texts = Array.from({ length: n }, () => "");
  for (const one of data) {
    if (one === "[DONE]") continue;
    for (const { index, delta } of JSON.parse(one).choices) texts[index] += delta.content ?? "";
  }
  return texts;
}

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const cuts = fc.array(fc.nat(), { minLength: 1, maxLength: 3 });
const chunking = fc.array(fc.nat(), { maxLength: 6 });
const capability = fc.constantFrom<Capability>("continue-final-message", "prefill", "none");

function serversOf(first: Capability, others: readonly Capability[], count: number): Server[] {
  return Array.from({ length: count }, (_, i) => ({
    name: `server-${i}`,
    capability: i === 0 ? first : (others[i % others.length] ?? "none"),
    every: (i % 3) + 1,
  }));
}

describe("a cut answer, continued", () => {
  it("is to its caller the uncut one, whatever the text, cuts, chunking and capabilities", () => {
    fc.assert(
      fc.property(
        text,
        cuts,
        chunking,
        capability,
        fc.array(capability, { minLength: 1 }),
        (said, cutAt, at, first, others) => {
          const caller = deliver(serversOf(first, others, cutAt.length + 1), [said], cutAt, at);
          assert.deepEqual(textsOf(caller, 1), [said]);
          wellFormed(caller, 1);
        },
      ),
      { numRuns: 400 },
    );
  });

  it("is the uncut one with several choices, too", () => {
    fc.assert(
      fc.property(
        fc.array(text, { minLength: 2, maxLength: 3 }),
        cuts,
        chunking,
        capability,
        (said, cutAt, at, one) => {
          const caller = deliver(serversOf(one, [one], cutAt.length + 1), said, cutAt, at);
          assert.deepEqual(textsOf(caller, said.length), said);
          wellFormed(caller, said.length);
        },
      ),
      { numRuns: 200 },
    );
  });

  /** One id and time, one role and one finish a choice, nothing behind `[DONE]`. */
  function wellFormed({ data }: Caller, n: number): void {
    assert.equal(data.indexOf("[DONE]"), data.length - 1);
    const chunks = data.slice(0, -1).map((one) => JSON.parse(one));
    assert.equal(new Set(chunks.map(({ id, created }) => `${id}/${created}`)).size, 1);
    const choices = chunks.flatMap((one) => one.choices);
    assert.equal(choices.filter(({ delta }) => delta.role !== undefined).length, n);
    assert.equal(choices.filter(({ finish_reason }) => finish_reason !== null).length, n);
  }
});

describe("what is asked of the next server", () => {
  const had = (content: string, more: Partial<Delivered> = {}): Delivered => ({
    ...NOTHING_DELIVERED,
    choices: [{ index: 0, texts: { content } }],
    tokens: 3,
    ...more,
  });
  const ask = (delivered: Delivered, more: Partial<ChatRequest>, capability: Capability) => {
    const asked = continuation(delivered, { ...REQUEST, ...more }, capability);
    return asked.kind === "ask" ? asked : assert.fail(asked.kind);
  };

  it("is the rest, in its own way, with what was told taken off the length", () => {
    const asked = ask(had("Once "), { max_tokens: 10 }, "continue-final-message");
    assert.deepEqual(asked.request, {
      ...REQUEST,
      max_tokens: 7,
      messages: [...REQUEST.messages, { role: "assistant", content: "Once " }],
      add_generation_prompt: false,
      continue_final_message: true,
    });
    const prefill = ask(had("Once "), { max_completion_tokens: 10 }, "prefill");
    assert.deepEqual(prefill.request.messages.at(-1), { role: "assistant", content: "Once" });
    assert.equal(prefill.request.max_completion_tokens, 7);
    assert.equal("continue_final_message" in prefill.request, false);
    assert.deepEqual(prefill.repeats, [{ index: 0, texts: { content: " " } }]);
  });

  it("goes on with the beginning that the caller gave itself", () => {
    const messages = [...REQUEST.messages, { role: "assistant" as const, content: "Well: " }];
    const more = { messages, add_generation_prompt: false, continue_final_message: true };
    const { request } = ask(had("once"), more, "continue-final-message");
    assert.equal(request.messages.length, 2);
    assert.equal(request.messages.at(-1)?.content, "Well: once");
    assert.equal(ask(had("once"), { messages }, "continue-final-message").how, "regenerate");
  });

  it("is the whole again, untouched, where a rest would be another answer", () => {
    const shaped = { response_format: { type: "json_schema", json_schema: {} } };
    const cases: [string, Delivered, Partial<ChatRequest>, Capability][] = [
      ["a server that cannot", had("a"), {}, "none"],
      ["nothing told", had(""), {}, "continue-final-message"],
      ["several choices", had("a"), { n: 2 }, "continue-final-message"],
      ["inside a tool call", had("a", { inToolCall: true }), {}, "continue-final-message"],
      ["a grammar", had("a"), shaped, "continue-final-message"],
      ["vLLM's grammars", had("a"), { guided_regex: "a+" }, "continue-final-message"],
      ["a forced tool", had("a"), { tool_choice: "required" }, "continue-final-message"],
      ["only white space to prefill", had(" \n"), {}, "prefill"],
      [
        "thoughts",
        { ...had("a"), choices: [{ index: 0, texts: { content: "a", reasoning_content: "t" } }] },
        {},
        "continue-final-message",
      ],
    ];
    for (const [name, delivered, more, capability] of cases) {
      const asked = ask(delivered, { max_tokens: 9, ...more }, capability);
      assert.equal(asked.how, "regenerate", name);
      assert.deepEqual(asked.request, { ...REQUEST, max_tokens: 9, ...more }, name);
    }
  });

  it("is nothing when the length is used up, or what was told cannot be compared", () => {
    const done = continuation(
      had("a b c"),
      { ...REQUEST, max_tokens: 3 },
      "continue-final-message",
    );
    assert.deepEqual(done, { kind: "finished", reason: "length" });
    const opaque = continuation(had("a", { opaque: true }), REQUEST, "none");
    assert.equal(opaque.kind, "give-up");
  });
});

describe("a splice", () => {
  const say = (delta: object, finish: string | null = null) =>
    JSON.stringify({ choices: [{ index: 0, delta, finish_reason: finish }] });
  const run = (content: string, events: readonly string[]) => {
    let now = startSplice([{ index: 0, texts: { content } }]);
    const tell = events.flatMap((data) => {
      const step = splice(now, data);
      now = step.splice;
      return step.tell;
    });
    return { tell, diverged: now.diverged };
  };

  it("tells nothing of an answer that begins in another way", () => {
    const other = run("Once upon", [say({ content: "Once " }), say({ content: "in a while" })]);
    assert.deepEqual(other, { tell: [], diverged: "the answer was another this time" });
    const short = run("Once upon", [say({ content: "Once" }), say({}, "stop")]);
    assert.deepEqual(short, { tell: [], diverged: "the answer was another this time" });
    const ended = run("Once", [say({ content: "On" }), "[DONE]"]);
    assert.deepEqual(ended, { tell: [], diverged: "it ended before the place of the cut" });
    const called = run("Once", [say({ tool_calls: [{ index: 0 }] })]);
    assert.deepEqual(called.tell, []);
    assert.notEqual(called.diverged, null);
  });

  it("cuts the event at the seam, without what belonged to the words taken out", () => {
    const event = {
      choices: [{ index: 0, delta: { content: "upon a" }, logprobs: { content: [1] } }],
    };
    const { tell } = run("Once upon", [
      say({ content: "Once " }),
      JSON.stringify(event),
      say({}, "stop"),
    ]);
    assert.deepEqual(
      tell.map((data) => JSON.parse(data).choices[0]),
      [
        { index: 0, delta: { content: " a" }, logprobs: null },
        { index: 0, delta: {}, finish_reason: "stop" },
      ],
    );
  });
});

describe("the sum of halves", () => {
  it("counts each prompt once, and what was made twice twice", () => {
    // 10 of prompt, 4 told; continued: 14 read, 2 more told; made again: 10 read, all 9 made.
    const cuts = [
      { read: 0, generated: 4 },
      { read: 4, generated: 2 },
    ];
    const last = { promptTokens: 10, completionTokens: 9 };
    assert.deepEqual(sumUsage(cuts, last, 0), { promptTokens: 34, completionTokens: 15 });
  });
});

describe("what was delivered", () => {
  it("has nothing of a tool call, whose pieces are held", () => {
    const call = (delta: object) =>
      ({
        kind: "event",
        event: "message",
        data: JSON.stringify({ id: "x", choices: [{ index: 0, delta }] }),
      }) as const;
    let now = relay(FRESH_RELAY, call({ role: "assistant", content: "Let me look." })).relay;
    const step = relay(
      now,
      call({ tool_calls: [{ index: 0, id: "c", function: { name: "f", arguments: '{"q' } }] }),
    );
    assert.deepEqual(step.tell, []);
    now = relay(step.relay, call({ content: " More." })).relay;
    assert.deepEqual(deliveredOf(now), {
      id: "x",
      created: null,
      choices: [{ index: 0, texts: { content: "Let me look." } }],
      tokens: 1,
      inToolCall: true,
      opaque: false,
      cuts: [{ read: 0, generated: 2 }],
    });
  });

  it("is read from any JSON, and only if it is sound", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => assert.doesNotThrow(() => readDelivered(value))),
    );
    const sound = { ...NOTHING_DELIVERED, choices: [{ index: 0, texts: { content: "a" } }] };
    assert.deepEqual(readDelivered(sound), sound);
    const wrong = [
      { ...sound, tokens: -1 },
      { ...sound, id: 1 },
      { ...sound, cuts: [{}] },
      { ...sound, choices: [{ index: 0, texts: { role: "a" } }] },
      { ...sound, choices: [...sound.choices, ...sound.choices] },
      null,
    ];
    for (const value of wrong) assert.equal(readDelivered(value), null, JSON.stringify(value));
  });
});
