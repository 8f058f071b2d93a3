import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import {
  clientOf,
  ROUTE,
  regionOf,
  snapshotOf,
  World,
} from "../../../test/support/gateway-world.ts";
import {
  answersWith,
  type Behaviour,
  DIMENSIONS,
  embeds,
  startUpstream,
} from "../../../test/support/upstream.ts";
import type { ServedSnapshot } from "../served-release.ts";
import type { Gateway } from "../server.ts";
import { EMBEDDINGS, RETRIEVING, type TwoRegions, twoRegions } from "./two-regions.fixture.ts";

const ASKED = { model: "lexical-1", input: "parental leave" };

/** An embeddings answer of any shape. */
function vectors(model: string, entries: readonly (readonly [number, unknown])[]): Behaviour {
  const data = entries.map(([index, embedding]) => ({ object: "embedding", index, embedding }));
  const usage = { prompt_tokens: 2, total_tokens: 2 };
  return answersWith(200, { object: "list", model, data, usage });
}

describe("POST /v1/embeddings", () => {
  const world = new World();
  let estate: TwoRegions;
  let gateways: readonly Gateway[];

  before(async () => {
    estate = await twoRegions(world, { workflows: RETRIEVING });
    gateways = [estate.serving, estate.forwarding];
  });
  beforeEach(() => {
    estate.upstream.embeddings = embeds();
  });
  after(() => world.end());

  it("is answered by the region that serves, whether its embedding or a workflow is asked for", async () => {
    estate.upstream.embeddings = vectors("lexical-1", [[0, [0.5, 0, 0, 1]]]);
    for (const { url } of gateways) {
      for (const model of ["lexical-1", "search"]) {
        const asked = estate.upstream.next(EMBEDDINGS);
        const { data, response } = await clientOf(url)
          .embeddings.create({ ...ASKED, model, encoding_format: "float", user: "u" })
          .withResponse();
        assert.deepEqual(data.data[0]?.embedding, [0.5, 0, 0, 1]);
        assert.equal(data.model, "lexical-1");
        assert.deepEqual((await asked).body, {
          model: "lexical-1",
          input: ASKED.input,
          encoding_format: "float",
          user: "u",
        });
        const { headers } = response;
        assert.equal(headers.get("x-tideover-region"), "eu-west");
        assert.equal(headers.get("x-tideover-release"), "sha256:release-one");
        assert.equal(headers.get("x-tideover-workflow"), "search");
        assert.ok(headers.get("x-ratelimit-remaining-requests"));
        const record = await estate.audit.find(headers.get("x-request-id") ?? "");
        assert.deepEqual(
          [record?.tenant, record?.workflow, record?.target, record?.promptTokens],
          ["acme", "search", "target-1", 2],
        );
      }
    }
  });

  it("takes base64, as the official client asks for it, and judges it as well", async () => {
    const packed = (length: number) =>
      Buffer.from(new Float32Array(length).fill(0.5).buffer).toString("base64");
    estate.upstream.embeddings = vectors("lexical-1", [[0, packed(DIMENSIONS)]]);
    const { embeddings } = clientOf(estate.forwarding.url);
    const { data } = await embeddings.create(ASKED);
    assert.deepEqual([...(data[0]?.embedding ?? [])], [0.5, 0.5, 0.5, 0.5]);
    estate.upstream.embeddings = vectors("lexical-1", [[0, packed(DIMENSIONS - 1)]]);
    await assert.rejects(embeddings.create(ASKED), { status: 502 });
  });

  it("gives the official client its vectors, in their order, by a target that knows no base64", async () => {
    estate.upstream.embeddings = vectors("lexical-1", [
      [1, [0, 0, 0, 0.5]],
      [0, [0.5, 0, 0, 0]],
    ]);
    for (const { url } of gateways) {
      const { data } = await clientOf(url).embeddings.create({ ...ASKED, input: ["a", "b"] });
      const got = data.map(({ index, embedding }) => [index, [...embedding]]);
      assert.deepEqual(got, [
        [0, [0.5, 0, 0, 0]],
        [1, [0, 0, 0, 0.5]],
      ]);
    }
  });

  const vector = [1, 0, 0, 0];
  const foreign: readonly (readonly [string, Behaviour])[] = [
    ["of another model", vectors("lexical-2", [[0, vector]])],
    ["of no named model", answersWith(200, { data: [{ index: 0, embedding: vector }] })],
    ["of another length", embeds(7)],
    ["of too few texts", vectors("lexical-1", [])],
    ["of another text", vectors("lexical-1", [[1, vector]])],
    ["that hold no numbers", vectors("lexical-1", [[0, [1, 0, null, 0]]])],
    ["that are a page of HTML", answersWith(200, "<html>")],
  ];
  for (const [name, behaviour] of foreign) {
    it(`never passes vectors on ${name}`, async () => {
      estate.upstream.embeddings = behaviour;
      for (const { url } of gateways) {
        await assert.rejects(
          clientOf(url).embeddings.create({ ...ASKED, encoding_format: "float" }),
          { status: 502, code: "embedding_mismatch" },
        );
      }
    });
  }

  it("refuses every model but the release's embedding and what retrieves with it", async () => {
    const asked = estate.upstream.asked.length;
    for (const { url } of gateways) {
      for (const model of ["lexical-2", "support", "m", "constructor"]) {
        await assert.rejects(clientOf(url).embeddings.create({ ...ASKED, model }), {
          status: 404,
          code: "model_not_found",
        });
      }
      await assert.rejects(clientOf(url).embeddings.create({ ...ASKED, dimensions: 2 }), {
        status: 400,
        param: "dimensions",
      });
      await assert.rejects(clientOf(url, "wrong").embeddings.create(ASKED), { status: 401 });
    }
    assert.equal(estate.upstream.asked.length, asked);
    const equal = { ...ASKED, dimensions: DIMENSIONS, encoding_format: "float" as const };
    await clientOf(estate.serving.url).embeddings.create(equal);
  });

  it("passes a target's judgement of the text on, and holds nothing for it", async () => {
    const error = { message: "too long", type: "invalid_request_error", code: "context_length" };
    estate.upstream.embeddings = answersWith(400, { error });
    await assert.rejects(clientOf(estate.forwarding.url).embeddings.create(ASKED), {
      status: 400,
      code: "context_length",
    });
  });

  it("says who was asked when nobody answers", async () => {
    estate.upstream.embeddings = answersWith(500, "down");
    await assert.rejects(clientOf(estate.serving.url).embeddings.create(ASKED), {
      status: 503,
      code: "no_region_answers",
      message: /target-1 \(embeddings\)/,
    });
  });
});

describe("embeddings with several targets", () => {
  const world = new World();
  after(() => world.end());

  it("asks the next one when the first has another embedding, or is gone", async () => {
    const [first, second, third] = [
      await world.own(startUpstream("first")),
      await world.own(startUpstream("second")),
      await world.own(startUpstream("third")),
    ];
    first.embeddings = embeds(DIMENSIONS + 1);
    second.embeddings = (_asked, response) => void response.socket?.resetAndDestroy();
    const regions = { "eu-west": regionOf("http://127.0.0.1:9", first.url, second.url, third.url) };
    const workflows = { search: RETRIEVING.search ?? ROUTE };
    const snapshots = await world.holder(snapshotOf({ regions, workflows }));
    const gateway = await world.gateway({ region: "eu-west", snapshots });
    const { data } = await clientOf(gateway.url).embeddings.create({
      ...ASKED,
      encoding_format: "float",
    });
    assert.equal(data[0]?.embedding.length, DIMENSIONS);
    assert.equal(third.askedAt(EMBEDDINGS).length, 1);
  });

  it("shares one rate limit with chat", async () => {
    const upstream = await world.own(startUpstream("eu"));
    const regions = { "eu-west": regionOf("http://127.0.0.1:9", upstream.url) };
    const { release } = snapshotOf();
    assert.ok(release);
    const policy = { requestsPerMinute: 4, maxOutputTokens: 10 };
    const workflows = { search: { ...(RETRIEVING.search ?? ROUTE), retrieval: null } };
    const retrieval = { index: "handbook", topK: 4, required: false };
    const snapshot = snapshotOf({
      regions,
      release: { ...release, policy },
      workflows: { search: { ...workflows.search, retrieval } },
    });
    const snapshots = await world.holder(snapshot);
    const client = clientOf((await world.gateway({ region: "eu-west", snapshots })).url);
    await client.embeddings.create({ ...ASKED, encoding_format: "float" });
    await client.completions.create({ model: "search", prompt: "a" });
    await client.responses.create({ model: "search", input: "a" });
    await client.chat.completions.create({
      model: "search",
      messages: [{ role: "user", content: "a" }],
    });
    await assert.rejects(client.embeddings.create(ASKED), { status: 429 });
  });
});

describe("embeddings while a region fails", () => {
  const world = new World();
  const search = RETRIEVING.search ?? ROUTE;
  after(() => world.end());

  /** eu-west serves and its target is down; us-east's is sound. Held requests go round fast. */
  async function failing() {
    const [down, sound] = [
      await world.own(startUpstream("eu")),
      await world.own(startUpstream("us")),
    ];
    down.embeddings = answersWith(500, "down");
    sound.embeddings = embeds();
    const [here, there] = [await world.holder(null), await world.holder(null)];
    const eu = await world.gateway({ region: "eu-west", snapshots: here, random: () => 0 });
    const us = await world.gateway({ region: "us-east", snapshots: there });
    const tell = async (number: number, serving: string, changes: Partial<ServedSnapshot> = {}) => {
      const signed = world.sign(
        snapshotOf({
          number,
          regions: {
            "eu-west": regionOf(eu.url, down.url),
            "us-east": regionOf(us.url, sound.url),
          },
          workflows: { search: { ...search, epoch: number, serving: [serving] } },
          ...changes,
        }),
      );
      for (const holder of [there, here]) await holder.offer(signed);
    };
    await tell(1, "eu-west");
    const reached = down.next(EMBEDDINGS);
    const asking = clientOf(eu.url).embeddings.create({ ...ASKED, encoding_format: "float" });
    // Nobody waits for it yet, and a rejection before somebody does would end the process.
    asking.catch(() => undefined);
    await reached;
    return { asking, tell };
  }

  it("are held, and answered by the region that takes over", async () => {
    const { asking, tell } = await failing();
    await tell(2, "us-east");
    const { data, response } = await asking.withResponse();
    assert.equal(data.model, "lexical-1");
    assert.equal(response.headers.get("x-tideover-region"), "us-east");
  });

  it("are refused when the release that takes over has another embedding", async () => {
    const { asking, tell } = await failing();
    const { release } = snapshotOf();
    assert.ok(release);
    const embedding = { id: "lexical-2", dimensions: DIMENSIONS, fingerprint: "f" };
    await tell(2, "us-east", { release: { ...release, embedding } });
    await assert.rejects(asking, { status: 404, code: "model_not_found", message: /lexical-2/ });
  });
});
