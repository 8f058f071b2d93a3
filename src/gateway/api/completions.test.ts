import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { clientOf, World } from "../../../test/support/gateway-world.ts";
import {
  answers,
  answersWith,
  chunk,
  completion,
  streams,
} from "../../../test/support/upstream.ts";
import type { Gateway } from "../server.ts";
import { CHAT, type TwoRegions, twoRegions } from "./two-regions.fixture.ts";

const ASKED = { model: "support", prompt: "How long is parental leave?" };

describe("POST /v1/completions", () => {
  const world = new World();
  let estate: TwoRegions;
  let gateways: readonly Gateway[];

  before(async () => {
    estate = await twoRegions(world);
    gateways = [estate.serving, estate.forwarding];
  });
  after(() => world.end());

  it("asks the chat model, by the same prompt and policy, and tells it in the old shape", async () => {
    estate.upstream.chat = answers("Half a year.");
    for (const { url } of gateways) {
      const asked = estate.upstream.next(CHAT);
      const { data, response } = await clientOf(url)
        .completions.create({ ...ASKED, stop: ["\n"], seed: 3 })
        .withResponse();
      assert.deepEqual((await asked).body, {
        model: "m",
        messages: [
          { role: "system", content: "You help acme with support.\n" },
          { role: "user", content: ASKED.prompt },
        ],
        max_tokens: 16,
        stop: ["\n"],
        seed: 3,
      });
      assert.deepEqual(data, {
        id: "cmpl-1",
        object: "text_completion",
        created: 1,
        model: "fake",
        choices: [{ index: 0, text: "Half a year.", logprobs: null, finish_reason: "stop" }],
        usage: completion("").usage,
      });
      assert.equal(response.headers.get("x-tideover-region"), "eu-west");
      const record = await estate.audit.find(response.headers.get("x-request-id") ?? "");
      assert.deepEqual([record?.outcome, record?.completionTokens], ["complete", 7]);
    }
  });

  it("streams, and ends as the old API ends", async () => {
    estate.upstream.chat = answers("Half a year.");
    for (const { url } of gateways) {
      const stream = await clientOf(url).completions.create({ ...ASKED, echo: true, stream: true });
      const pieces = [];
      for await (const { object, choices } of stream) {
        assert.equal(object, "text_completion");
        pieces.push(...choices.map(({ text, finish_reason }) => [text, finish_reason]));
      }
      assert.deepEqual(pieces, [
        [`${ASKED.prompt}Half `, null],
        ["a ", null],
        ["year.", null],
        ["", "stop"],
      ]);
    }
  });

  it("ends a cut stream with an error that the client throws, and with no finish", async () => {
    const begun = [chunk({ content: "Half " })];
    estate.upstream.chat = streams(begun, (response) => response.socket?.resetAndDestroy());
    const stream = await clientOf(estate.forwarding.url).completions.create({
      ...ASKED,
      stream: true,
    });
    const told: unknown[] = [];
    await assert.rejects(async () => {
      for await (const { choices } of stream)
        told.push(...choices.map((choice) => choice.finish_reason));
    });
    assert.deepEqual(told, [null]);
  });

  it("tells logprobs in the old shape, each with its place in the text", async () => {
    const entry = (token: string, logprob: number) => ({
      token,
      logprob,
      top_logprobs: [{ token, logprob }],
    });
    const [choice] = completion("ab cd").choices;
    const logprobs = { content: [entry("ab", -1), entry(" cd", -2)] };
    estate.upstream.chat = answersWith(200, {
      ...completion("ab cd"),
      choices: [{ ...choice, logprobs }],
    });
    const asked = estate.upstream.next(CHAT);
    const { choices } = await clientOf(estate.serving.url).completions.create({
      ...ASKED,
      logprobs: 1,
    });
    const { body } = await asked;
    assert.deepEqual([body.logprobs, body.top_logprobs], [true, 1]);
    assert.deepEqual(choices[0]?.logprobs, {
      tokens: ["ab", " cd"],
      token_logprobs: [-1, -2],
      top_logprobs: [{ ab: -1 }, { " cd": -2 }],
      text_offset: [0, 2],
    });
  });

  it("refuses what a chat model cannot do, in the caller's own words", async () => {
    const wrong = [
      [{ prompt: ["a", "b"] }, "prompt"],
      [{ prompt: [1, 2] }, "prompt"],
      [{ suffix: "end" }, "suffix"],
      [{ best_of: 3 }, "best_of"],
      [{ logprobs: 9 }, "logprobs"],
      [{ echo: true, logprobs: 1 }, "echo"],
    ] as const;
    const { completions } = clientOf(estate.serving.url);
    const asked = estate.upstream.asked.length;
    for (const [fields, param] of wrong) {
      const body = { ...ASKED, ...fields } as Parameters<typeof completions.create>[0];
      await assert.rejects(async () => completions.create(body), { status: 400, param });
    }
    assert.equal(estate.upstream.asked.length, asked);
    await assert.rejects(completions.create({ ...ASKED, model: "gpt-4" }), {
      status: 404,
      code: "model_not_found",
    });
  });

  it("takes no more than maxBody, as it came or as it is forwarded", async () => {
    const { serving, upstream } = await twoRegions(world, { maxBodyBytes: 100 });
    const { completions } = clientOf(serving.url);
    const ask = (prompt: string) => completions.create({ model: "support", prompt });
    // 38 bytes around the prompt as it comes, 82 around it as it is forwarded.
    await ask("x".repeat(15));
    for (const length of [40, 80]) await assert.rejects(ask("x".repeat(length)), { status: 413 });
    assert.equal(upstream.askedAt(CHAT).length, 1);
  });
});
