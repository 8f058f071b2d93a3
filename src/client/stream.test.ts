import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { judge } from "../core/stream/state.ts";
import { formatSse } from "../wire/sse.ts";
import {
  behind,
  CHAT_URL,
  clientOver,
  cutAt,
  type Data,
  delta,
  meaning,
  meant,
  question,
  readAll,
  text,
  textsRead,
  under,
  whole,
} from "./answers.fixture.ts";
import {
  type Behaviour,
  bytes,
  chop,
  type End,
  EU,
  json,
  refused,
  resumeOf,
  sse,
  tellingOf,
  US,
} from "./gateways.fixture.ts";

const ANSWER: readonly Data[] = [
  delta(0, { role: "assistant", content: "" }),
  ...["Parental ", "leave ", "is ", "16 ", "weeks", "."].map((word) => text(word)),
  delta(0, {}, "stop"),
  { choices: [], usage: { prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 } },
];

describe("a streamed answer that is not cut", () => {
  it("is told as it came, in one piece and by one gateway", async () => {
    const { fake, send } = clientOver({ [EU]: whole("a", ANSWER) });
    const response = await send(CHAT_URL, question(1));
    assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    const { data, error } = await readAll(response);
    assert.deepEqual(data, under("a", ANSWER));
    assert.equal(error, null);
    assert.equal(fake.got.length, 1);
  });
});

describe("a streamed answer that is cut", () => {
  const ENDS: readonly End[] = ["close", "break", "silence"];
  for (const end of ENDS) {
    it(`by ${end} is gone on with at the next gateway, under one id`, async () => {
      const { fake, events, ask } = clientOver({
        [EU]: cutAt("a", ANSWER, behind("a", ANSWER, 3), end),
        [US]: whole("b", ANSWER),
      });
      fake.alive.delete(EU);
      const { state, data, error } = await readAll(await ask());
      assert.equal(error, null);
      assert.deepEqual(meaning(state), meant(under("a", ANSWER)));
      assert.equal(data.filter((one) => one === "[DONE]").length, 1);
      const [first, second] = fake.got.map(({ headers }) => headers.get("x-request-id"));
      assert.equal(first, second);
      assert.deepEqual(
        events.map(({ kind, gateway }) => [kind, gateway]),
        [
          ["cut", EU],
          ["resumed", US],
        ],
      );
      const { tideover_resume: had, ...same } = JSON.parse(fake.got[1]?.text ?? "");
      assert.deepEqual(same, JSON.parse(fake.got[0]?.text ?? ""));
      assert.deepEqual(had.choices, [{ index: 0, texts: { content: "Parental leave " } }]);
    });
  }

  it("by an error event of its gateway is gone on with elsewhere, and there only as a last resort", async () => {
    const begun = formatSse(JSON.stringify({ id: "a", ...text("Parental ") }));
    const stopped = formatSse(JSON.stringify({ error: { message: "gone", code: "stream_cut" } }));
    const { fake, ask } = clientOver({
      [EU]: () => sse([bytes(begun), bytes(stopped)], "silence"),
      [US]: whole("b", ANSWER),
    });
    const { state, error } = await readAll(await ask());
    assert.equal(error, null);
    assert.equal(textsRead(state).content, "Parental leave is 16 weeks.");
    assert.deepEqual(
      fake.got.map(({ base }) => base),
      [EU, US],
    );
    assert.equal(fake.got[0]?.init.signal?.aborted, true, "nothing goes on there in the dark");
    // It lives and spoke for itself, so the next request goes to it as before.
    fake.behave.set(EU, whole("c", ANSWER));
    await readAll(await ask());
    assert.equal(fake.got.at(-1)?.base, EU);
  });

  it("is asked for with the length of the longer body", async () => {
    const { fake, send } = clientOver({
      [EU]: cutAt("a", ANSWER, behind("a", ANSWER, 3), "break"),
      [US]: whole("b", ANSWER),
    });
    await readAll(await send(CHAT_URL, { ...question(1), headers: { "content-length": "66" } }));
    assert.equal(fake.got[1]?.headers.has("content-length"), false);
  });

  it("behind its finish, but before [DONE], needs nobody else", async () => {
    const { fake, ask } = clientOver({ [EU]: cutAt("a", ANSWER, behind("a", ANSWER, 9), "break") });
    const { data } = await readAll(await ask());
    assert.deepEqual(data, under("a", ANSWER));
    assert.equal(fake.got.length, 1);
  });

  it("before anything of it was told is asked for again as if for the first time", async () => {
    const { fake, ask } = clientOver({
      [EU]: () => sse([bytes(": hello\n\n")], "break"),
      [US]: whole("b", ANSWER),
    });
    const { data } = await readAll(await ask());
    assert.deepEqual(data, under("b", ANSWER));
    assert.equal(fake.got[0]?.text, fake.got[1]?.text);
  });

  it("inside a tool call has told nothing of that call, and tells it once", async () => {
    const call = (said: Data): Data => delta(0, { tool_calls: [{ index: 0, ...said }] });
    const answer = [
      text("Let me look. "),
      call({ id: "c1", function: { name: "find", arguments: '{"q":' } }),
      call({ function: { arguments: '"x"}' } }),
      delta(0, {}, "tool_calls"),
    ];
    const { fake, ask } = clientOver({
      [EU]: cutAt("a", answer, behind("a", answer, 2), "break"),
      [US]: whole("b", answer),
    });
    const { state, error } = await readAll(await ask());
    assert.equal(error, null);
    assert.deepEqual(meaning(state), meant(under("a", answer)));
    assert.equal(JSON.parse(fake.got[1]?.text ?? "").tideover_resume.inToolCall, true);
  });

  it("is asked for again when the next gateway is busy for a moment", async () => {
    let asked = 0;
    const { world, ask } = clientOver({
      [EU]: cutAt("a", ANSWER, behind("a", ANSWER, 3), "break"),
      [US]: (got) =>
        ++asked === 1
          ? json(429, { error: { message: "slowly" } }, { "retry-after-ms": "3000" })
          : whole("b", ANSWER)(got),
    });
    const response = await ask();
    const { state, error } = await readAll(response);
    assert.equal(error, null);
    assert.deepEqual(meaning(state), meant(under("a", ANSWER)));
    assert.ok(world.elapsed() < 10_000);
  });

  it("when the gateway it came from is the only one, is gone on with there", async () => {
    let asked = 0;
    const { ask } = clientOver({
      [EU]: (got) => cutAt("a", ANSWER, ++asked === 1 ? behind("a", ANSWER, 4) : 1e9, "close")(got),
    });
    const { state, error } = await readAll(await ask());
    assert.equal(error, null);
    assert.equal(textsRead(state).content, "Parental leave is 16 weeks.");
  });
});

describe("a cut answer that nobody can go on with", () => {
  const cut = cutAt("a", ANSWER, behind("a", ANSWER, 3), "break");
  const REFUSALS: readonly { name: string; us: Behaviour; because: RegExp; asked: number }[] = [
    {
      name: "a refusal",
      us: () => json(409, { error: { message: "no model here can go on" } }),
      because: /refused with status 409: no model here can go on/,
      asked: 1,
    },
    {
      name: "a gateway that does not know the request and begins anew",
      us: () =>
        whole(
          "b",
          ANSWER,
        )({ base: US, path: "", method: "POST", headers: new Headers(), text: "{}", init: {} }),
      because: /began another answer/,
      asked: 1,
    },
    {
      name: "no gateway at all",
      us: () => Promise.reject(refused()),
      because: /ECONNREFUSED/,
      asked: 3,
    },
  ];
  for (const { name, us, because, asked } of REFUSALS) {
    it(`(${name}) errors and never looks finished`, async () => {
      const { fake, ask } = clientOver({ [EU]: cut, [US]: us });
      const response = await ask();
      fake.behave.delete(EU);
      const { data, state, error } = await readAll(response);
      assert.ok(error instanceof TypeError, String(error));
      assert.match(error.message, because);
      assert.equal(textsRead(state).content, "Parental leave ");
      assert.equal(state.choices.get(0)?.finish, null);
      assert.match(data.at(-1) ?? "", /"code":"stream_cut"/);
      assert.equal(judge(state).whole, false);
      assert.equal(fake.got.filter(({ base }) => base === US).length, asked);
    });
  }
});

describe("an answer at which every gateway fails", () => {
  it("is not asked for without end when each brings a little", async () => {
    let id = 0;
    const little: Behaviour = (got) => {
      const told = bytes(tellingOf(under(`a${++id}`, ANSWER), resumeOf(got)));
      return sse([told.subarray(0, told.indexOf(10) + 2), told.subarray(0, 0)], "break");
    };
    const { fake, ask } = clientOver({ [EU]: little, [US]: little });
    const { error } = await readAll(await ask());
    assert.match(String(error), /it was cut 6 times/);
    assert.equal(fake.got.length, 6);
  });

  it("nor when they bring nothing", async () => {
    const nothing: Behaviour = () => {
      const role = delta(0, { role: "assistant", content: "" });
      return sse([bytes(formatSse(JSON.stringify({ id: "a", ...role })))], "break");
    };
    const { fake, ask } = clientOver({ [EU]: nothing, [US]: nothing });
    const { error } = await readAll(await ask());
    assert.match(String(error), /3 tries in a row brought nothing new/);
    assert.equal(fake.got.length, 3);
  });
});

describe("whoever reads a stream", () => {
  it("and stops, ends it at the gateway", async () => {
    const { fake, ask } = clientOver({
      [EU]: cutAt("a", ANSWER, behind("a", ANSWER, 3), "silence"),
    });
    const reader = (await ask()).body?.getReader();
    await reader?.read();
    await reader?.cancel();
    assert.equal(fake.got[0]?.init.signal?.aborted, true);
  });

  it("and aborts, gets the reason, and nobody is asked for the rest", async () => {
    const mine = new Error("enough");
    const leaving = new AbortController();
    const { fake, send } = clientOver({
      [EU]: cutAt("a", ANSWER, behind("a", ANSWER, 3), "silence"),
    });
    const response = await send(CHAT_URL, { ...question(1), signal: leaving.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    const next = reader?.read();
    leaving.abort(mine);
    await assert.rejects(next ?? Promise.resolve(), mine);
    assert.equal(fake.got.length, 1);
  });

  it("reads other streams of events byte for byte", async () => {
    const body = bytes("event: response.created\ndata: {}\n\n: note\n\n");
    const { send } = clientOver({ [EU]: () => sse(chop(body, [3, 11, 12]), "close") });
    const response = await send(`${EU}/v1/responses`, { method: "POST", body: "{}" });
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), body);
  });
});

describe("a stream of another kind", () => {
  const ask = (send: typeof fetch) => send(`${EU}/v1/news`);

  it("that breaks before its first byte comes from the next gateway", async () => {
    const { send } = clientOver({
      [EU]: () => sse([], "break"),
      [US]: () => sse([bytes("data: {}\n\n")], "close"),
    });
    assert.equal(await (await ask(send)).text(), "data: {}\n\n");
  });

  it("that is empty, too", async () => {
    const { send } = clientOver({
      [EU]: () => sse([], "close"),
      [US]: () => sse([bytes("data: {}\n\n")], "close"),
    });
    assert.equal(await (await ask(send)).text(), "data: {}\n\n");
  });

  it("that breaks later, breaks for its reader", async () => {
    const { fake, send } = clientOver({ [EU]: () => sse([bytes("data: {}\n\n")], "break") });
    const response = await ask(send);
    await assert.rejects(response.text(), /terminated/);
    fake.behave.set(US, () => json(200, {}));
    await ask(send);
    assert.equal(fake.got.at(-1)?.base, US, "and its gateway is left alone");
  });
});
