import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  ESTATE_TOKEN,
  post,
  QUESTION,
  RELEASE_ONE,
  ROUTE,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import {
  answers,
  answersWith,
  completion,
  type FakeUpstream,
  startUpstream,
} from "../../test/support/upstream.ts";
import { bucketOf, edgeOf, type OutcomeWindow } from "../model/outcomes.ts";
import { SimClock } from "../sim/clock.ts";
import { HEADERS } from "../wire/headers.ts";
import { type Ended, ReleaseOutcomes } from "./outcomes.ts";

const ENDED: Ended = {
  workflow: "support",
  region: "eu-west",
  release: "sha256:one",
  kind: "answered",
  tookMs: 400,
  length: 60,
  cost: 800,
};

describe("what a gateway remembers of its releases' requests", () => {
  let clock: SimClock;
  let outcomes: ReleaseOutcomes;
  beforeEach(() => {
    clock = new SimClock();
    outcomes = new ReleaseOutcomes(clock);
  });

  it("is counted apart for each release, the newest first", async () => {
    outcomes.add(ENDED);
    outcomes.add({ ...ENDED, kind: "error" });
    await clock.advance(1_000);
    outcomes.add({ ...ENDED, release: "sha256:two", kind: "refused" });
    const [two, one] = outcomes.windows();
    assert.deepEqual([two?.release, two?.requests, two?.refusals], ["sha256:two", 1, 1]);
    assert.deepEqual([one?.requests, one?.errors, one?.fromMsAgo], [2, 1, 1_000]);
    assert.deepEqual(one?.latency, { [String(bucketOf(400))]: 1 }, "of answered ones only");
  });

  it("is kept of a release that gets no more traffic, and forgotten of the one before", async () => {
    outcomes.add({ ...ENDED, release: "sha256:zero" });
    outcomes.add(ENDED);
    await clock.advance(3_600_000);
    outcomes.add({ ...ENDED, release: "sha256:two" });
    assert.deepEqual(
      outcomes.windows().map(({ release, requests }) => [release, requests]),
      [
        ["sha256:two", 1],
        ["sha256:one", 1],
      ],
    );
  });

  it("says what of it is recent", async () => {
    for (let index = 0; index < 3; index += 1) outcomes.add(ENDED);
    await clock.advance(60_000);
    outcomes.add({ ...ENDED, kind: "error" });
    const [window] = outcomes.windows();
    assert.deepEqual(window?.recent, { requests: 1, errors: 1, latency: {} });
    assert.equal(window?.requests, 4);
  });

  it("takes the same memory however long it runs", async () => {
    for (let turn = 0; turn < 5_000; turn += 1) {
      outcomes.add({ ...ENDED, tookMs: turn * turn, workflow: `w${turn % 300}` });
      await clock.advance(1_000);
    }
    assert.ok(outcomes.windows().length <= 128);
    const size = JSON.stringify(outcomes.windows()).length;
    for (let turn = 0; turn < 5_000; turn += 1) {
      outcomes.add({ ...ENDED, tookMs: turn * turn, workflow: `w${turn % 300}` });
      await clock.advance(1_000);
    }
    assert.ok(JSON.stringify(outcomes.windows()).length <= size * 1.2);
  });
});

describe("buckets", () => {
  it("are 19 % wide, and hold every amount", () => {
    for (const amount of [0, 0.4, 1, 1.1, 2, 399, 400, 1e6, 1e30]) {
      const edge = edgeOf(bucketOf(amount));
      assert.ok(
        amount > 2 ** 31 || (edge >= amount * 0.999_999 && edge <= Math.max(1, amount) * 1.19),
      );
    }
    assert.equal(bucketOf(Number.NaN), 0);
  });
});

describe("a gateway's status tells of each release", () => {
  let world: World;
  let upstream: FakeUpstream;
  let url: string;
  beforeEach(async () => {
    world = new World();
    upstream = await world.own(startUpstream("model"));
    const policy = { requestsPerMinute: 5, maxOutputTokens: 100 };
    const snapshots = await world.holder(
      snapshotOf({
        regions: {
          "eu-west": regionOf("http://127.0.0.1:9", upstream.url),
          "us-east": regionOf("http://127.0.0.1:9"),
        },
        release: { ...RELEASE_ONE, policy },
        workflows: { support: ROUTE, elsewhere: { ...ROUTE, serving: ["us-east"] } },
      }),
    );
    url = (await world.gateway({ region: "eu-west", snapshots, timeouts: { holdMs: 50 } })).url;
  });
  afterEach(() => world.end());

  it("how its requests ended, and how long and how dear the answers were", async () => {
    const usage = { prompt_tokens: 700, completion_tokens: 80, total_tokens: 780 };
    upstream.chat = answersWith(200, { ...completion("42 days"), usage });
    await (await post(url, QUESTION)).text();
    const window = await only();
    assert.deepEqual(
      [window.workflow, window.region, window.release],
      ["support", "eu-west", "sha256:release-one"],
    );
    assert.deepEqual([window.requests, window.errors, window.refusals], [1, 0, 0]);
    assert.deepEqual(window.length, { [String(bucketOf(80))]: 1 });
    assert.deepEqual(window.cost, { [String(bucketOf(780))]: 1 });
    assert.equal(Object.values(window.latency).length, 1);
  });

  it("of a stream without usage, by the events that it had", async () => {
    upstream.chat = answers("one two three");
    await (await post(url, { ...QUESTION, stream: true })).text();
    const window = await only();
    assert.equal(window.requests, 1);
    assert.equal(Object.values(window.length).length, 1);
    assert.deepEqual(window.cost, {});
  });

  it("what the model declined, and what the release's policy turned away, as refusals", async () => {
    const [choice] = completion("").choices;
    const declined = {
      ...completion(""),
      choices: [{ ...choice, finish_reason: "content_filter" }],
    };
    upstream.chat = answersWith(200, declined);
    await (await post(url, QUESTION)).text();
    upstream.chat = answers('I say "finish_reason":"content_filter" and mean no harm.');
    for (let index = 0; index < 6; index += 1) await (await post(url, QUESTION)).text();
    const window = await only();
    assert.equal(window.requests, 7);
    // One declined, and two of seven above the policy's five a minute.
    assert.equal(window.refusals, 3);
  });

  it("what nobody answered as errors", async () => {
    upstream.chat = answersWith(500, { error: { message: "out of memory" } });
    await (await post(url, QUESTION)).text();
    const window = await only();
    assert.deepEqual([window.requests, window.errors], [1, 1]);
  });

  it("and leaves out proofs of readiness, other regions' requests and callers' own mistakes", async () => {
    upstream.chat = answers("42 days");
    await (await post(url, QUESTION, { [HEADERS.readiness]: ESTATE_TOKEN })).text();
    await (await post(url, { ...QUESTION, model: "elsewhere" })).text();
    await (await post(url, { ...QUESTION, model: "nothing" })).text();
    await (await post(url, { model: "support" })).text();
    await (await post(url, QUESTION, { authorization: "Bearer wrong" })).text();
    assert.deepEqual(await windows(), []);
  });

  async function windows(): Promise<OutcomeWindow[]> {
    const response = await fetch(`${url}/tideover/v1/status`);
    const status = (await response.json()) as { outcomes: OutcomeWindow[] };
    return status.outcomes;
  }

  async function only(): Promise<OutcomeWindow> {
    const [window, ...others] = await windows();
    assert.deepEqual(others, []);
    return window ?? assert.fail("there is no window");
  }
});
