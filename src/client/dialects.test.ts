import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { judge } from "../core/stream/state.ts";
import { SseParser } from "../wire/sse.ts";
import {
  anyCuts,
  anyPlaces,
  clientOver,
  cutting,
  type Data,
  delta,
  framesOf,
  meaning,
  meant,
  readAll,
  text,
  under,
} from "./answers.fixture.ts";
import { told } from "./dialects.fixture.ts";
import { bytes, EU, type Got, json, sse, US } from "./gateways.fixture.ts";

const USAGE = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
const usage: Data = { choices: [], usage: USAGE };

const ask = (path: string, body: Data): [string, RequestInit] => [
  `${EU}/v1/${path}`,
  { method: "POST", body: JSON.stringify({ model: "support", stream: true, ...body }) },
];
const FRUITLESS = /3 tries in a row brought nothing new/;

/** What a gateway tells that nobody ever cut. */
function uncut(dialect: "completions" | "responses", body: Data, events: readonly Data[]) {
  const [, { body: sent }] = ask(dialect, body);
  const headers = new Headers({ "x-request-id": "00000000-0000-4000-8000-000000000001" });
  const got: Got = { base: EU, path: "", method: "POST", headers, text: String(sent), init: {} };
  return told(dialect, got, under("a", events));
}

describe("a stream of /v1/completions, cut anywhere and in any pieces", () => {
  const said = fc.oneof(
    fc.tuple(fc.nat(2), fc.string({ unit: "binary" })).map(([i, words]) => text(words, i)),
    fc.nat(2).map((i) => delta(i, { role: "assistant", content: "" })),
    fc.string().map((thought) => delta(0, { reasoning_content: thought })),
  );
  const anyAnswer = fc.record({
    n: fc.integer({ min: 1, max: 3 }),
    said: fc.array(said, { maxLength: 10 }),
    echo: fc.boolean(),
    prompt: fc.string(),
  });

  it("equals the uncut one: nothing twice, nothing lost, the prompt echoed once", async () => {
    await fc.assert(
      fc.asyncProperty(anyAnswer, anyCuts, anyPlaces, async (answer, cuts, places) => {
        const { n, echo, prompt } = answer;
        const events = [
          ...answer.said.filter((event) => indexOf(event) < n),
          ...Array.from({ length: n }, (_, i) => delta(i, {}, "stop")),
          usage,
        ];
        const tells = (id: string) => (got: Got) => told("completions", got, under(id, events));
        const { send } = clientOver(cutting({ [EU]: tells("a"), [US]: tells("b") }, cuts, places));
        const body = { prompt, echo, n };
        const { data, state, error } = await readAll(await send(...ask("completions", body)));
        if (error !== null) {
          assert.match(String(error), FRUITLESS);
          assert.equal(judge(state).whole, false);
          return;
        }
        const wanted = meant(dataOf(await uncut("completions", body, events)));
        const { id: _a, usage: _b, ...rest } = meaning(state);
        const { id: _c, usage: _d, ...all } = wanted;
        assert.deepEqual(rest, all);
        assert.equal(data.filter((one) => one === "[DONE]").length, 1);
        const ids = new Set(data.slice(0, -1).map((one) => JSON.parse(one).id));
        assert.ok(ids.size <= 1, [...ids].join());
      }),
      { numRuns: 300 },
    );
  });

  function indexOf(event: Data): number {
    const [frame] = framesOf([JSON.stringify(event)]);
    return frame?.kind === "chunk" ? (frame.chunk.choices[0]?.index ?? 0) : 0;
  }
});

describe("a stream of /v1/responses, cut anywhere and in any pieces", () => {
  const words = fc.string({ unit: "binary" });
  const call = fc.tuple(fc.nat(1), fc.string()).map(([index, piece]) =>
    delta(0, {
      tool_calls: [{ index, id: `c${index}`, function: { name: "f", arguments: piece } }],
    }),
  );
  const said = fc.oneof(
    { weight: 6, arbitrary: words.map((one) => text(one)) },
    { weight: 2, arbitrary: words.map((one) => delta(0, { reasoning_content: one })) },
    { weight: 1, arbitrary: words.map((one) => delta(0, { reasoning: one })) },
    { weight: 1, arbitrary: words.map((one) => delta(0, { refusal: one })) },
    { weight: 1, arbitrary: fc.constant(delta(0, { role: "assistant", content: "" })) },
    { weight: 1, arbitrary: call },
  );
  const finish = fc.constantFrom("stop", "length", "tool_calls");

  it("equals the uncut one: its numbers, its ids, its text, its one end", async () => {
    let resumed = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(said, { maxLength: 12 }),
        finish,
        anyCuts,
        anyPlaces,
        async (saids, finish, cuts, places) => {
          const events = [...saids, delta(0, {}, finish), usage];
          const tells = (id: string) => (got: Got) => told("responses", got, under(id, events));
          const client = clientOver(cutting({ [EU]: tells("a"), [US]: tells("b") }, cuts, places));
          const body = { input: "How long?" };
          const { data, error } = await readAll(await client.send(...ask("responses", body)));
          resumed += client.events.filter(({ kind }) => kind === "resumed").length;
          const numbers = data.slice(0, error === null ? data.length : -1).map(numberOf);
          assert.deepEqual(numbers, [...numbers.keys()]);
          if (error !== null) {
            assert.match(String(error), FRUITLESS);
            assert.ok(data.every((one) => !/"type":"response\.(completed|incomplete)"/.test(one)));
            return;
          }
          const whole = dataOf(await uncut("responses", body, events));
          assert.deepEqual(seamless(data), seamless(whole));
        },
      ),
      { numRuns: 500 },
    );
    assert.ok(resumed > 300, `${resumed} halves were joined`);
  });

  function numberOf(one: string): unknown {
    return JSON.parse(one).sequence_number;
  }

  /** The events without their numbers, and each part's text in one piece. */
  function seamless(data: readonly string[]): Data[] {
    const events: Data[] = [];
    for (const one of data) {
      const { sequence_number: _number, ...event } = JSON.parse(one);
      const last = events.at(-1);
      const { delta: more, ...place } = event;
      const { delta: before, ...lastPlace } = last ?? {};
      const same = typeof more === "string" && JSON.stringify(place) === JSON.stringify(lastPlace);
      if (same) events[events.length - 1] = { ...place, delta: `${before}${more}` };
      else events.push({ ...place, ...(more === undefined ? {} : { delta: more }) });
    }
    return events;
  }
});

describe("a stream of /v1/responses that is cut", () => {
  const ANSWER = [
    delta(0, { role: "assistant", content: "" }),
    ...["Parental ", "leave ", "is ", "16 weeks."].map((one) => text(one)),
    delta(0, {}, "stop"),
    usage,
  ];
  const INPUT = { input: "How long?" };

  /** The first gateway says so many of its events, and breaks. */
  async function cutBehind(count: number, us: (got: Got) => Promise<Response> | Response) {
    const all = (await uncut("responses", INPUT, ANSWER)).split(/(?<=\n\n)/);
    return clientOver({
      [EU]: () => sse([bytes(all.slice(0, count).join(""))], "break"),
      [US]: us,
    });
  }
  const wholly = async (got: Got) =>
    sse([bytes(await told("responses", got, under("b", ANSWER)))], "close");

  it("asks the next gateway for the rest by what was told of it, under one request id", async () => {
    // Created, in progress, item, part, and two pieces of text.
    const { send, fake, events } = await cutBehind(6, wholly);
    const { error } = await readAll(await send(...ask("responses", INPUT)));
    assert.equal(error, null);
    const [first, second] = fake.got;
    const { tideover_resume: had, ...same } = JSON.parse(second?.text ?? "");
    assert.deepEqual(same, JSON.parse(first?.text ?? ""));
    assert.deepEqual(had.response, {
      sequence: 6,
      items: [
        {
          kind: "message",
          parts: [{ kind: "output_text", text: "Parental leave ", logprobs: [] }],
        },
      ],
    });
    assert.deepEqual([had.tokens, had.inToolCall, had.opaque], [2, false, false]);
    assert.equal(first?.headers.get("x-request-id"), second?.headers.get("x-request-id"));
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["cut", "resumed"],
    );
  });

  it("behind its last word is never gone on with, which would add words, but said again", async () => {
    // All but `response.completed`.
    const { send, fake } = await cutBehind(11, wholly);
    const { data, error } = await readAll(await send(...ask("responses", INPUT)));
    assert.equal(error, null);
    assert.equal(JSON.parse(fake.got[1]?.text ?? "").tideover_resume.inToolCall, true);
    assert.deepEqual(data, dataOf(await uncut("responses", INPUT, ANSWER)));
  });

  it("before its first word is asked for again, and its caller sees one beginning", async () => {
    const { send } = await cutBehind(4, wholly);
    const { data, error } = await readAll(await send(...ask("responses", INPUT)));
    assert.equal(error, null);
    assert.deepEqual(data, dataOf(await uncut("responses", INPUT, ANSWER)));
  });

  const REFUSALS: readonly (readonly [
    string,
    (got: Got) => Promise<Response> | Response,
    RegExp,
  ])[] = [
    [
      "a gateway that begins anew",
      (got) => {
        const { tideover_resume: _had, ...body } = JSON.parse(got.text);
        return wholly({ ...got, text: JSON.stringify(body) });
      },
      /began another answer instead of going on/,
    ],
    [
      "a gateway that refuses",
      () => json(400, { error: { message: "no half" } }),
      /refused with status 400: no half/,
    ],
  ];
  for (const [name, us, because] of REFUSALS) {
    it(`errors at ${name}, and never looks finished`, async () => {
      const { send, fake } = await cutBehind(6, us);
      const response = await send(...ask("responses", INPUT));
      fake.behave.delete(EU);
      const { data, error } = await readAll(response);
      assert.match(String(error), because);
      assert.match(String(error), /cut after 15 characters/);
      assert.match(data.at(-1) ?? "", /"code":"stream_cut"/);
      assert.equal(
        data.some((one) => /response\.(completed|incomplete)|\.done"/.test(one)),
        false,
      );
    });
  }

  it("by its own gateway's word is gone on with elsewhere", async () => {
    const all = (await uncut("responses", INPUT, ANSWER)).split(/(?<=\n\n)/);
    const failed = {
      type: "response.failed",
      sequence_number: 6,
      response: { error: { message: "gone" } },
    };
    const { send, events } = clientOver({
      [EU]: () =>
        sse([bytes(`${all.slice(0, 6).join("")}data: ${JSON.stringify(failed)}\n\n`)], "close"),
      [US]: wholly,
    });
    const { data, error } = await readAll(await send(...ask("responses", INPUT)));
    assert.equal(error, null);
    assert.equal(
      data.some((one) => one.includes("response.failed")),
      false,
    );
    assert.match(JSON.stringify(events), /the model's server reported: gone/);
  });
});

function dataOf(text: string): string[] {
  return new SseParser()
    .push(bytes(text))
    .flatMap((item) => (item.kind === "event" ? item.data : []));
}
