import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  ACME_KEY,
  MemoryIndex,
  post,
  QUESTION,
  ROUTE,
  regionOf,
  snapshotOf,
  World,
} from "../../../test/support/gateway-world.ts";
import {
  answersWith,
  embeds,
  type FakeUpstream,
  silent,
  startUpstream,
} from "../../../test/support/upstream.ts";
import type { Snapshot } from "../../model/snapshot.ts";

const EMBEDDINGS = "/v1/embeddings";
const CHAT = "/v1/chat/completions";
/** The floor; nothing that is well here takes so long, and what is silent costs little. */
const LEAST_MS = 150;
const MOST_MS = 1_000;

interface Shown {
  readonly name: string;
  readonly standing: string;
  readonly lastFailure: string | null;
  readonly failed: number;
  readonly p95Ms: { readonly firstToken: number | null };
}

describe("the vector of a question", () => {
  let world: World;
  let first: FakeUpstream;
  let second: FakeUpstream;

  beforeEach(async () => {
    world = new World();
    first = await world.own(startUpstream("first"));
    second = await world.own(startUpstream("second"));
  });
  afterEach(() => world.end());

  /** A gateway of eu-west with these targets, and how to ask it. */
  async function started(urls: readonly string[], route: Partial<typeof ROUTE> = {}) {
    const retrieval = { index: "handbook", topK: 4, required: true };
    const span = { least: LEAST_MS, most: MOST_MS };
    const reflex: Snapshot["reflex"] = { ...snapshotOf().reflex, firstToken: span };
    const regions = {
      "eu-west": regionOf("http://127.0.0.1:9", ...urls),
      "us-east": regionOf("http://127.0.0.1:9"),
    };
    const workflows = { support: { ...ROUTE, retrieval, ...route } };
    const snapshots = await world.holder(snapshotOf({ reflex, regions, workflows }));
    const indexes = new Map([["handbook", new MemoryIndex([])]]);
    const timeouts = { holdMs: 0 };
    const { url } = await world.gateway({ region: "eu-west", snapshots, indexes, timeouts });
    return {
      url,
      ask: async () => {
        const response = await post(url, QUESTION);
        await response.text();
        return [response.status, response.headers.get("x-tideover-mode")];
      },
      shown: async (name: string) => {
        const status = await (await fetch(`${url}/tideover/v1/status`)).json();
        const { targets } = status as { targets: Shown[] };
        return targets.find((one) => one.name === name) ?? null;
      },
    };
  }

  it("comes from the next target when the first is silent, after some floors and not after 5 s", async () => {
    const { ask, shown } = await started([first.url, second.url]);
    first.embeddings = silent;
    assert.deepEqual(await ask(), [200, "normal"]);
    assert.equal(second.askedAt(EMBEDDINGS).length, 1);
    const { lastFailure } = (await shown("target-1 (look-ups)")) ?? {};
    assert.equal(lastFailure, `no answer in ${5 * LEAST_MS} ms`);
  });

  it("is awaited for what is usual for its target, within the spec's floor, once that is known", async () => {
    const { ask, shown } = await started([first.url, second.url]);
    for (let i = 0; i < 8; i++) await ask();
    const { p95Ms } = (await shown("target-1 (look-ups)")) ?? {};
    first.embeddings = silent;
    assert.deepEqual(await ask(), [200, "normal"]);
    const { lastFailure } = (await shown("target-1 (look-ups)")) ?? {};
    // What it took here: on a busy machine that may be more than the floor is of.
    const usualMs = 3 * (p95Ms?.firstToken ?? assert.fail("nothing is known of it"));
    const boundMs = Math.round(Math.min(MOST_MS, Math.max(LEAST_MS, usualMs)));
    assert.equal(lastFailure, `no answer in ${boundMs} ms`);
  });

  it("is awaited up to the spec's ceiling where the request cannot do without it", async () => {
    const { ask, shown } = await started([first.url]);
    first.embeddings = silent;
    assert.equal((await ask())[0], 503);
    const { lastFailure } = (await shown("target-1 (look-ups)")) ?? {};
    assert.equal(lastFailure, `no answer in ${MOST_MS} ms`);
  });

  const DISPENSABLE: readonly (readonly [string, Partial<typeof ROUTE>])[] = [
    [
      "where the workflow answers without documents",
      { retrieval: { index: "handbook", topK: 4, required: false } },
    ],
    ["where another region serves", { serving: ["eu-west", "us-east"] }],
  ];
  for (const [where, route] of DISPENSABLE) {
    it(`is not awaited so long ${where}`, async () => {
      const { ask, shown } = await started([first.url], route);
      first.embeddings = silent;
      await ask();
      const { lastFailure } = (await shown("target-1 (look-ups)")) ?? {};
      assert.equal(lastFailure, `no answer in ${5 * LEAST_MS} ms`);
    });
  }

  it("is asked of others while a target gives none, which goes on answering chat", async () => {
    const { ask, shown } = await started([first.url, second.url]);
    first.embeddings = answersWith(500, "down");
    for (let i = 0; i < 5; i++) assert.deepEqual(await ask(), [200, "normal"]);
    assert.equal(first.askedAt(EMBEDDINGS).length, 3, "three failures, and it is left alone");
    assert.equal((await shown("target-1 (look-ups)"))?.standing, "out");
    assert.equal(first.askedAt(CHAT).length, 5);
    assert.equal((await shown("target-1"))?.standing, "in");
    assert.equal((await shown("target-1"))?.failed, 0);
  });

  it("is asked of a target that gives no chat answers", async () => {
    const { ask, shown } = await started([first.url, second.url]);
    first.chat = answersWith(401, { error: { message: "no" } });
    for (let i = 0; i < 5; i++) assert.deepEqual(await ask(), [200, "normal"]);
    assert.equal((await shown("target-1"))?.standing, "out");
    assert.equal(first.askedAt(EMBEDDINGS).length, 5);
  });

  it("comes from the next target, too, when one has no embedding model or another's", async () => {
    const { ask, shown } = await started([first.url, second.url]);
    first.embeddings = embeds(7);
    assert.deepEqual(await ask(), [200, "normal"]);
    assert.equal((await shown("target-1 (look-ups)"))?.failed, 0, "it works");
    first.embeddings = answersWith(404, { error: { message: "no such model" } });
    for (let i = 0; i < 4; i++) assert.deepEqual(await ask(), [200, "normal"]);
    assert.equal((await shown("target-1 (look-ups)"))?.standing, "out");
  });

  it("is not held against a target whose caller went", async () => {
    const { shown, url } = await started([first.url]);
    first.embeddings = silent;
    const asked = first.next(EMBEDDINGS);
    const leaving = new AbortController();
    const headers = { "content-type": "application/json", authorization: `Bearer ${ACME_KEY}` };
    const request = { method: "POST", body: JSON.stringify(QUESTION), headers };
    const left = fetch(`${url}${CHAT}`, { ...request, signal: leaving.signal });
    const { over } = await asked;
    leaving.abort(new Error("enough"));
    await assert.rejects(left, /enough/);
    // The gateway has let go of the target: it knows that nobody waits any more.
    await over;
    assert.equal((await shown("target-1 (look-ups)"))?.failed, 0);
  });
});
