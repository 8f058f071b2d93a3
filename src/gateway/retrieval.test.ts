import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import {
  BOLT_KEY,
  handClock,
  MemoryAudit,
  MemoryIndex,
  post,
  QUESTION,
  ROUTE,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import {
  answersWith,
  embeds,
  type FakeUpstream,
  startUpstream,
} from "../../test/support/upstream.ts";
import type { Gateway } from "./server.ts";

const CHAT = "/v1/chat/completions";
const EMBEDDINGS = "/v1/embeddings";
const hit = (id: string, audience: string, text = `The text of ${id}.`) => ({
  id,
  title: `Title of ${id}`,
  text,
  audience,
  score: 0.5,
});

describe("retrieval", () => {
  const world = new World();
  const clock = handClock();
  const audit = new MemoryAudit();
  let upstream: FakeUpstream;
  let other: FakeUpstream;
  let index: MemoryIndex;
  let gateway: Gateway;

  before(async () => {
    upstream = await world.own(startUpstream("eu"));
    other = await world.own(startUpstream("north"));
  });
  beforeEach(async () => {
    upstream.embeddings = embeds();
    index = new MemoryIndex([hit("leave", "public"), hit("rates", "acme"), hit("secret", "bolt")]);
    const retrieval = { index: "handbook", topK: 4, required: false };
    const snapshots = await world.holder(
      snapshotOf({
        regions: {
          "eu-west": regionOf("http://127.0.0.1:9", upstream.url),
          "eu-north": regionOf(other.url, other.url),
        },
        workflows: {
          support: { ...ROUTE, retrieval },
          strict: { ...ROUTE, retrieval: { ...retrieval, required: true } },
          ordered: { ...ROUTE, retrieval, mode: "no-retrieval" },
          both: { ...ROUTE, retrieval, serving: ["eu-west", "eu-north"] },
          lost: { ...ROUTE, retrieval: { ...retrieval, index: "elsewhere" } },
        },
      }),
      clock,
    );
    const indexes = new Map([["handbook", index]]);
    const timeouts = { holdMs: 0 };
    gateway = await world.gateway({
      region: "eu-west",
      snapshots,
      indexes,
      audit,
      clock,
      timeouts,
    });
  });
  after(() => world.end());

  const modeOf = (response: Response) => [response.status, response.headers.get("x-tideover-mode")];
  const ask = (model: string) => post(gateway.url, { ...QUESTION, model });

  it("asks the index for the caller's tenant only, and puts what it gave before the model", async () => {
    const asked = upstream.next(CHAT);
    const embedded = upstream.next(EMBEDDINGS);
    const response = await post(gateway.url, QUESTION, { authorization: `Bearer ${BOLT_KEY}` });
    assert.deepEqual(modeOf(response), [200, "normal"]);
    assert.equal(response.headers.get("x-tideover-index-watermark"), "42@2023-11-14T22:13:20.000Z");
    assert.deepEqual(index.queries, [
      {
        vector: Float32Array.from([1, 0, 0, 0]),
        embedding: "lexical-1",
        audiences: ["public", "bolt"],
        labels: ["staff"],
        k: 4,
      },
    ]);
    const { body } = await embedded;
    assert.deepEqual([body.model, body.input], ["lexical-1", "How long is parental leave?"]);
    const [system] = (await asked).body.messages as { content: string }[];
    assert.equal(
      system?.content,
      `You help bolt with support.
<document id="leave" title="Title of leave">
The text of leave.
</document>
<document id="secret" title="Title of secret">
The text of secret.
</document>`,
    );
    const record = await audit.find(response.headers.get("x-request-id") ?? "");
    assert.deepEqual(record?.sources, ["leave", "secret"]);
    assert.equal(record?.watermark, "42@2023-11-14T22:13:20.000Z");
    assert.equal(record?.tenant, "bolt");
  });

  it("says nothing of the documents that it found on an answer that another region made", async () => {
    const usual = upstream.chat;
    upstream.chat = answersWith(401, { error: { message: "no", code: null } });
    const response = await ask("both").finally(() => {
      upstream.chat = usual;
    });
    assert.equal(response.status, 200);
    assert.equal(index.queries.length, 1);
    assert.equal(response.headers.get("x-tideover-index-watermark"), null);
    assert.equal(response.headers.get("x-tideover-mode"), null);
    const record = await audit.find(response.headers.get("x-request-id") ?? "");
    assert.deepEqual(
      [record?.forwardedTo, record?.sources, record?.watermark, record?.mode],
      ["eu-north", [], null, null],
    );
    assert.deepEqual([record?.tenant, record?.workflow, record?.epoch], ["acme", "both", 1]);
  });

  it("goes on without a broken optional index, leaves it alone a while, and comes back by itself", async () => {
    index.failure = new Error("malformed database");
    const response = await ask("support");
    assert.deepEqual(modeOf(response), [200, "no-retrieval"]);
    assert.equal(response.headers.get("x-tideover-index-watermark"), null);
    const record = await audit.find(response.headers.get("x-request-id") ?? "");
    assert.deepEqual([record?.mode, record?.sources], ["no-retrieval", []]);

    const embeddings = upstream.askedAt(EMBEDDINGS).length;
    assert.deepEqual(modeOf(await ask("support")), [200, "no-retrieval"]);
    assert.equal(upstream.askedAt(EMBEDDINGS).length, embeddings, "a broken index costs nothing");

    index.failure = null;
    clock.forward(500);
    assert.deepEqual(modeOf(await ask("support")), [200, "normal"]);
    const page = await (await fetch(`${gateway.url}/metrics`)).text();
    assert.match(page, /degraded_total\{workflow="support",mode="no-retrieval"\} 2\n/);
  });

  it("refuses when a required index is broken, and says when to come back", async () => {
    index.failure = new Error("malformed database");
    const response = await ask("strict");
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("retry-after-ms"), "1000");
    const text = await response.text();
    assert.match(text, /"code":"retrieval_unavailable"/);
    assert.match(text, /index handbook of eu-west cannot serve \(malformed database\)/);
    index.failure = null;
    clock.forward(500);
    assert.deepEqual(modeOf(await ask("strict")), [200, "normal"]);
  });

  it("does not ask the index in a mode that the control plane ordered", async () => {
    assert.deepEqual(modeOf(await ask("ordered")), [200, "no-retrieval"]);
    assert.deepEqual(index.queries, []);
  });

  it("takes an index that this region does not have for a broken one", async () => {
    assert.deepEqual(modeOf(await ask("lost")), [200, "no-retrieval"]);
  });

  it("never searches with a vector of another embedding", async () => {
    upstream.embeddings = embeds(7);
    assert.deepEqual(modeOf(await ask("support")), [200, "no-retrieval"]);
    assert.deepEqual(index.queries, []);
  });

  it("takes a silent embedding runtime for an unanswered request where documents are required", async () => {
    upstream.embeddings = answersWith(500, "down");
    const response = await ask("strict");
    assert.equal(response.status, 503);
    assert.match(
      await response.text(),
      /"message":"No region answers strict.*target-1 \(look-ups\) \(status 500\)/,
    );
    upstream.embeddings = embeds();
    assert.deepEqual(modeOf(await ask("strict")), [200, "normal"]);
  });

  it("does not blame the index for a silent runtime before a workflow that requires it", async () => {
    upstream.embeddings = answersWith(500, "down");
    assert.deepEqual(modeOf(await ask("support")), [200, "no-retrieval"]);
    upstream.embeddings = embeds();
    // No time has passed: the one that can do without leaves the runtime alone, the other asks.
    assert.deepEqual(modeOf(await ask("support")), [200, "no-retrieval"]);
    assert.deepEqual(modeOf(await ask("strict")), [200, "normal"]);
    // Its success is good news for both.
    assert.deepEqual(modeOf(await ask("support")), [200, "normal"]);
  });
});
