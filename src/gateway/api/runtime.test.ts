import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import {
  clientOf,
  ROUTE,
  regionOf,
  snapshotOf,
  World,
} from "../../../test/support/gateway-world.ts";
import { startRuntime } from "../../runtime/server.ts";

const DIMENSIONS = 64;
const SAID = "The tide turns twice a day.";
const INPUT = `How often does the tide turn? ${SAID} The lamp is lit at dusk. The boat is blue.`;

describe("every API before the reference runtime", () => {
  const world = new World();
  let client: OpenAI;

  before(async () => {
    const runtime = await world.own(
      startRuntime({
        model: "m",
        modelDigest: "sha256:0011",
        embeddingModel: "lexical-1",
        embeddingSalt: "v1",
        dimensions: DIMENSIONS,
      }),
    );
    const { release } = snapshotOf();
    assert.ok(release);
    const embedding = { id: "lexical-1", dimensions: DIMENSIONS, fingerprint: "e" };
    const retrieval = { index: "handbook", topK: 4, required: false };
    const snapshot = snapshotOf({
      release: { ...release, embedding },
      regions: { "eu-west": regionOf("http://127.0.0.1:9", runtime.url) },
      workflows: { support: ROUTE, search: { ...ROUTE, retrieval } },
    });
    const snapshots = await world.holder(snapshot);
    client = clientOf((await world.gateway({ region: "eu-west", snapshots })).url);
  });
  after(() => world.end());

  it("gives the same words through each of them, streamed and not", async () => {
    const messages = [{ role: "user" as const, content: INPUT }];
    const chat = await client.chat.completions.create({ model: "support", messages });
    const text = chat.choices[0]?.message.content ?? "";
    assert.ok(text.includes(SAID), text);
    const asked = { model: "support", prompt: INPUT, max_tokens: 100 };
    assert.equal((await client.completions.create(asked)).choices[0]?.text, text);
    let streamed = "";
    for await (const { choices } of await client.completions.create({ ...asked, stream: true }))
      streamed += choices[0]?.text ?? "";
    assert.equal(streamed, text);
    const response = await client.responses.create({ model: "support", input: INPUT });
    assert.equal(response.output_text, text);
    assert.equal(response.usage?.output_tokens, chat.usage?.completion_tokens);
    const told = client.responses.stream({ model: "support", input: INPUT });
    const final = await told.finalResponse();
    assert.deepEqual([final.output_text, final.usage], [text, response.usage]);
  });

  it("gives a response in its schema, and logprobs of each piece", async () => {
    const format = zodTextFormat(z.object({ said: z.string(), sure: z.boolean() }), "saying");
    const parsed = await client.responses.parse({
      model: "support",
      input: INPUT,
      text: { format },
      include: ["message.output_text.logprobs"],
    });
    assert.ok(parsed.output_parsed?.said.includes(SAID));
    const [message] = parsed.output;
    const part = message?.type === "message" ? message.content[0] : undefined;
    const tokens = part?.type === "output_text" ? (part.logprobs ?? []) : [];
    assert.equal(tokens.map(({ token }) => token).join(""), parsed.output_text);
  });

  it("gives vectors that pass the fence", async () => {
    for (const model of ["lexical-1", "search"]) {
      const { data } = await client.embeddings.create({ model, input: [SAID, "The boat."] });
      assert.deepEqual(
        data.map(({ index, embedding }) => [index, embedding.length]),
        [
          [0, DIMENSIONS],
          [1, DIMENSIONS],
        ],
      );
    }
  });
});
