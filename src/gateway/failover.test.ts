import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  clientOf,
  MemoryAudit,
  post,
  QUESTION,
  ROUTE,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import {
  answers,
  answersWith,
  type FakeUpstream,
  silent,
  startUpstream,
} from "../../test/support/upstream.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Gateway } from "./server.ts";
import type { SnapshotHolder } from "./snapshots.ts";

const CHAT = "/v1/chat/completions";

interface Region {
  readonly upstream: FakeUpstream;
  readonly holder: SnapshotHolder;
  readonly audit: MemoryAudit;
  readonly gateway: Gateway;
}

describe("two regions", () => {
  let world: World;
  let eu: Region;
  let us: Region;

  beforeEach(async () => {
    world = new World();
    eu = await start("eu-west");
    us = await start("us-east");
  });
  afterEach(() => world.end());

  async function start(region: string): Promise<Region> {
    const upstream = await world.own(startUpstream(region));
    const holder = await world.holder(null);
    const audit = new MemoryAudit();
    const gateway = await world.gateway({
      region,
      snapshots: holder,
      audit,
      random: () => 0,
      timeouts: { movedGraceMs: 0, holdMs: 5_000 },
    });
    return { upstream, holder, audit, gateway };
  }

  function served(number: number, ...serving: string[]): Snapshot {
    return snapshotOf({
      number,
      regions: {
        "eu-west": regionOf(eu.gateway.url, eu.upstream.url),
        "us-east": regionOf(us.gateway.url, us.upstream.url),
      },
      workflows: { support: { ...ROUTE, epoch: number, serving } },
    });
  }

  async function tell(snapshot: Snapshot, ...regions: Region[]): Promise<void> {
    for (const { holder } of regions) await holder.offer(world.sign(snapshot));
  }

  const create = (region: Region) => clientOf(region.gateway.url).chat.completions.create(QUESTION);

  it("forward to the one that serves, keep its headers and one id in both logs", async () => {
    await tell(served(1, "eu-west"), eu, us);
    const asked = eu.upstream.next(CHAT);
    const { data, response } = await create(us).withResponse();
    assert.equal(data.choices[0]?.message.content, "the answer of eu-west");
    assert.equal(response.headers.get("x-tideover-region"), "eu-west");
    assert.equal(response.headers.get("x-tideover-prompt"), "sha256:prompt-one");
    assert.equal(response.headers.get("x-ratelimit-limit-requests"), "600");
    const id = response.headers.get("x-request-id") ?? "";
    assert.equal((await asked).headers["x-request-id"], id);
    const [there, here] = [await eu.audit.find(id), await us.audit.find(id)];
    assert.deepEqual(
      [there?.region, there?.forwardedTo, there?.target],
      ["eu-west", null, "target-1"],
    );
    assert.deepEqual(
      [here?.region, here?.forwardedTo, here?.mode],
      ["us-east", "eu-west", "normal"],
    );
    assert.equal(here?.tenant, "acme");
  });

  it("forward streams, too", async () => {
    await tell(served(1, "eu-west"), eu, us);
    const stream = await clientOf(us.gateway.url).chat.completions.create({
      ...QUESTION,
      stream: true,
    });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    assert.equal(text, "the answer of eu-west");
  });

  it("never forward a forwarded request: 421 with the own number", async () => {
    await tell(served(4, "eu-west"), us);
    const response = await post(us.gateway.url, QUESTION, { "x-tideover-forwarded-by": "eu-west" });
    assert.equal(response.status, 421);
    assert.equal(response.headers.get("x-tideover-snapshot"), "4");
    assert.match(await response.text(), /"code":"not_serving"/);
    assert.deepEqual(eu.upstream.asked, []);
  });

  it("learn a newer snapshot from the gateway that refuses, and are served under it", async () => {
    await tell(served(1, "eu-west"), us);
    await tell(served(2, "us-east"), eu);
    const { data, response } = await create(us).withResponse();
    assert.equal(data.choices[0]?.message.content, "the answer of us-east");
    assert.equal(response.headers.get("x-tideover-snapshot"), "2");
    assert.equal(us.holder.number, 2);
  });

  it("hold a request while nobody answers, and release it by the new snapshot", async () => {
    await tell(served(1, "eu-west"), us);
    await eu.gateway.close();
    const held = create(us).withResponse();
    await failed(us, "gateway:eu-west");
    await tell(served(2, "us-east"), us);
    const { data, response } = await held;
    assert.equal(data.choices[0]?.message.content, "the answer of us-east");
    assert.equal(response.headers.get("x-tideover-epoch"), "2");
    const record = await us.audit.find(response.headers.get("x-request-id") ?? "");
    assert.equal(record?.attempts[0]?.outcome, "connection refused");
    assert.deepEqual([record?.target, record?.status, record?.snapshot], ["target-1", 200, 2]);
    const page = await (await fetch(`${us.gateway.url}/metrics`)).text();
    assert.match(page, /held_total\{workflow="support",result="answered"\} 1\n/);
  });

  it("hold where the region serves and only its runtime is dead, too", async () => {
    await tell(served(1, "eu-west"), eu, us);
    await eu.upstream.kill();
    const held = create(eu);
    await failed(eu, "target-1");
    await tell(served(2, "us-east"), us, eu);
    assert.equal((await held).choices[0]?.message.content, "the answer of us-east");
  });

  it("release a request from a region that went silent and lost the workflow", async () => {
    await tell(served(1, "eu-west"), eu, us);
    eu.upstream.chat = silent;
    const reached = eu.upstream.next(CHAT);
    const held = create(us);
    const { over } = await reached;
    await tell(served(2, "us-east"), us);
    assert.equal((await held).choices[0]?.message.content, "the answer of us-east");
    await over;
  });

  it("send a whole request again when its region dies in the middle of the answer", async () => {
    await tell(served(1, "eu-west"), eu, us);
    eu.upstream.chat = (_asked, response) => {
      eu.upstream.chat = answers("the second answer");
      response.writeHead(200, { "content-type": "application/json", "content-length": 900 });
      response.write('{"choices":[', () => response.socket?.resetAndDestroy());
    };
    assert.equal((await create(us)).choices[0]?.message.content, "the second answer");
  });

  it("say who was asked and what happened when the hold is over", async () => {
    await tell(served(1, "eu-west"), us);
    await eu.gateway.close();
    const own = await world.gateway({
      region: "us-east",
      snapshots: us.holder,
      timeouts: { holdMs: 1 },
    });
    const response = await post(own.url, QUESTION);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("retry-after-ms"), "1000");
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    assert.equal(error.code, "no_region_answers");
    assert.match(error.message, /gateway:eu-west \(connection refused\), 2 times, \d+ ms/);
  });

  it("do not hold what another gateway holds", async () => {
    await tell(served(1, "eu-west"), eu);
    await eu.upstream.kill();
    const response = await post(eu.gateway.url, QUESTION, { "x-tideover-forwarded-by": "us-east" });
    assert.equal(response.status, 503);
    assert.match(await response.text(), /target-1 \(connection refused\), \d+ ms/);
  });

  it("ask the other serving region when their own targets do not answer", async () => {
    await tell(served(1, "eu-west", "us-east"), eu, us);
    await eu.upstream.kill();
    const { data, response } = await create(eu).withResponse();
    assert.equal(data.choices[0]?.message.content, "the answer of us-east");
    assert.equal(response.headers.get("x-tideover-region"), "us-east");
  });

  it("answer themselves, without serving, only to who proves readiness with the estate's token", async () => {
    await tell(served(1, "eu-west"), eu, us);
    const options = { region: "us-east", snapshots: us.holder, estateToken: "estate-token" };
    const own = await world.gateway(options);
    const prove = (token: string) => post(own.url, QUESTION, { "x-tideover-readiness": token });
    const proven = await prove("estate-token");
    assert.equal(proven.headers.get("x-tideover-region"), "us-east");
    assert.equal(proven.headers.get("x-ratelimit-limit-requests"), "600");
    assert.match(await proven.text(), /the answer of us-east/);
    assert.match(await (await prove("guess")).text(), /the answer of eu-west/);
    const without = await post(us.gateway.url, QUESTION, { "x-tideover-readiness": "" });
    assert.match(await without.text(), /the answer of eu-west/);
    // It is told at once that the region cannot answer: no hold, and no other region's answer.
    await us.upstream.kill();
    assert.equal((await prove("estate-token")).status, 503);
  });

  it("pass another region's refusal on as it is", async () => {
    await tell(served(1, "eu-west"), eu, us);
    eu.upstream.chat = answersWith(400, { error: { message: "too long", code: "context_length" } });
    await assert.rejects(create(us), { status: 400, code: "context_length" });
  });

  it("abort everything upstream when the caller goes, and record it", async () => {
    await tell(served(1, "eu-west"), eu, us);
    eu.upstream.chat = silent;
    const reached = eu.upstream.next(CHAT);
    const caller = new AbortController();
    const asking = clientOf(us.gateway.url)
      .chat.completions.create(QUESTION, { signal: caller.signal })
      .catch(() => undefined);
    const { over } = await reached;
    const kept = Promise.all([recorded(us.audit), recorded(eu.audit)]);
    caller.abort();
    await Promise.all([asking, over]);
    assert.deepEqual(
      (await kept).map(({ outcome }) => outcome),
      ["abandoned", "abandoned"],
    );
  });

  /** Resolves with the next record. */
  function recorded(audit: MemoryAudit) {
    const append = audit.append;
    return new Promise<MemoryAudit["records"][number]>((resolve) => {
      audit.append = async (record) => {
        await append.call(audit, record);
        resolve(record);
      };
    });
  }

  /** Resolves when this region's gateway has seen the target fail. */
  async function failed({ gateway }: Region, target: string): Promise<void> {
    for (;;) {
      const status = await (await fetch(`${gateway.url}/tideover/v1/status`)).json();
      const { targets } = status as { targets: { name: string; failed: number }[] };
      if (targets.some(({ name, failed }) => name === target && failed > 0)) return;
    }
  }
});

describe("several targets in one region", () => {
  let world: World;
  let first: FakeUpstream;
  let second: FakeUpstream;
  let gateway: Gateway;
  const audit = new MemoryAudit();

  beforeEach(async () => {
    world = new World();
    first = await world.own(startUpstream("first"));
    second = await world.own(startUpstream("second"));
    const regions = { "eu-west": regionOf("http://127.0.0.1:9", first.url, second.url) };
    const snapshots = await world.holder(snapshotOf({ regions }));
    const timeouts = { firstEventMs: 300, holdMs: 1 };
    gateway = await world.gateway({ region: "eu-west", snapshots, audit, timeouts });
  });
  afterEach(() => world.end());

  const html = "<html>bad gateway</html>";
  const reset: FakeUpstream["chat"] = (_asked, response) => void response.socket?.resetAndDestroy();
  const ways: readonly (readonly [string, FakeUpstream["chat"], RegExp, number?])[] = [
    // These may pass by themselves: the same one is asked twice, until it is known to be failing.
    ["a 500", answersWith(500, { error: { message: "x" } }), /status 500/, 2],
    ["a reset", reset, /connection reset/, 2],
    ["a 429 without Retry-After", answersWith(429, ""), /status 429/],
    ["a refused key of ours", answersWith(401, { error: { message: "x" } }), /status 401/],
    ["a page of HTML", answersWith(200, html), /without a chat completion/],
    ["no choices", answersWith(200, { choices: [] }), /without a chat completion/],
    ["a 400 that is not OpenAI's", answersWith(400, html), /status 400/],
  ];
  for (const [name, behaviour, outcome, tries = 1] of ways) {
    it(`means the next one: ${name}`, async () => {
      first.chat = behaviour;
      for (const stream of [false, true]) {
        const response = await post(gateway.url, { ...QUESTION, stream });
        assert.equal(response.status, 200);
        assert.match(await response.text(), stream ? /second/ : /the answer of second/);
        const record = await audit.find(response.headers.get("x-request-id") ?? "");
        assert.match(record?.attempts[0]?.outcome ?? "", outcome);
        const attempts = (stream ? 1 : tries) + 1;
        assert.deepEqual([record?.attempts.length, record?.target], [attempts, "target-2"]);
      }
    });
  }

  it("means the next one: a stream that says nothing in time", async () => {
    first.chat = silent;
    const response = await post(gateway.url, { ...QUESTION, stream: true });
    assert.match(await response.text(), /second/);
    const record = await audit.find(response.headers.get("x-request-id") ?? "");
    assert.equal(record?.attempts[0]?.outcome, "no answer in 300 ms");
  });

  it("charges a held request once, however many rounds it takes", async () => {
    const regions = { "eu-west": regionOf("http://127.0.0.1:9", first.url) };
    const { release } = snapshotOf();
    assert.ok(release);
    const policy = { requestsPerMinute: 2, maxOutputTokens: 100 };
    const once = snapshotOf({ regions, release: { ...release, policy } });
    const snapshots = await world.holder(once);
    const own = await world.gateway({ region: "eu-west", snapshots, random: () => 0 });
    const statuses = [500, 503];
    first.chat = (asked, response) => {
      const status = statuses.shift();
      const behaviour = status === undefined ? answers("at last") : answersWith(status, "");
      return behaviour(asked, response);
    };
    const response = await post(own.url, QUESTION);
    assert.equal(response.status, 200);
    assert.equal(first.asked.length, 3);
    assert.equal(response.headers.get("x-ratelimit-remaining-requests"), "1");
  });

  it("leaves one alone after three failures in a row", async () => {
    first.chat = answersWith(500, "");
    for (let i = 0; i < 3; i++) await post(gateway.url, QUESTION);
    const asked = first.asked.length;
    await post(gateway.url, QUESTION);
    assert.equal(first.asked.length, asked);
    assert.match(await (await fetch(`${gateway.url}/metrics`)).text(), /target="target-1"\} 0\n/);
  });
});
