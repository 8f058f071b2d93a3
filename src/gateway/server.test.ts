import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import {
  ACME_KEY,
  BOLT_KEY,
  clientOf,
  ESTATE_TOKEN,
  handClock,
  MemoryAudit,
  post,
  QUESTION,
  ROUTE,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import { answersWith, type FakeUpstream, startUpstream } from "../../test/support/upstream.ts";
import { TideoverError } from "../lib/errors.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { Gateway } from "./server.ts";

const CHAT = "/v1/chat/completions";
const NO_RELEASE = { release: null, workflows: { support: { ...ROUTE, prompt: null } } };

interface ErrorSeen {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

async function errorOf(response: Response): Promise<ErrorSeen> {
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  return { ...error, status: response.status };
}

describe("one gateway and one target", () => {
  const world = new World();
  const audit = new MemoryAudit();
  const clock = handClock();
  let upstream: FakeUpstream;
  let gateway: Gateway;

  before(async () => {
    upstream = await world.own(startUpstream("eu"));
    const regions = {
      ...snapshotOf().regions,
      "eu-west": regionOf("http://127.0.0.1:9", upstream.url),
    };
    const snapshots = await world.holder(snapshotOf({ regions }), clock);
    gateway = await world.gateway({ region: "eu-west", snapshots, audit, clock });
  });
  after(() => world.end());

  it("answers the official client, and says what made the answer", async () => {
    const client = clientOf(gateway.url);
    const { data, response } = await client.chat.completions.create(QUESTION).withResponse();
    assert.equal(data.choices[0]?.message.content, "the answer of eu");
    const named = Object.fromEntries(
      [...response.headers].filter(([name]) => name.startsWith("x-tideover")),
    );
    assert.deepEqual(named, {
      "x-tideover-region": "eu-west",
      "x-tideover-workflow": "support",
      "x-tideover-mode": "normal",
      "x-tideover-release": "sha256:release-one",
      "x-tideover-prompt": "sha256:prompt-one",
      "x-tideover-epoch": "1",
      "x-tideover-snapshot": "1",
    });
    const id = response.headers.get("x-request-id") ?? "";
    assert.deepEqual(await audit.find(id), {
      at: clock.now(),
      requestId: id,
      region: "eu-west",
      tenant: "acme",
      workflow: "support",
      epoch: 1,
      snapshot: 1,
      mode: "normal",
      releaseDigest: "sha256:release-one",
      promptVersion: "sha256:prompt-one",
      watermark: null,
      sources: [],
      forwardedTo: null,
      target: "target-1",
      attempts: [{ target: "target-1", outcome: "answered", tookMs: 0 }],
      status: 200,
      outcome: "complete",
      promptTokens: 11,
      completionTokens: 7,
      tookMs: 0,
    });
  });

  it("sends the release's prompt, the target's model, a capped length and none of our keys", async () => {
    const asked = upstream.next(CHAT);
    const messages = [{ role: "system" as const, content: "Be brief." }, ...QUESTION.messages];
    await clientOf(gateway.url).chat.completions.create({
      ...QUESTION,
      messages,
      max_tokens: 5_000,
      seed: 3,
    });
    const { body, headers } = await asked;
    assert.equal(headers.authorization, undefined);
    assert.deepEqual(body, {
      model: "m",
      messages: [{ role: "system", content: "You help acme with support.\n" }, ...messages],
      max_tokens: 100,
      seed: 3,
    });
  });

  it("streams, and keeps the record before the last byte", async () => {
    let text = "";
    let ended = false;
    const endedBeforeKept: boolean[] = [];
    const append = audit.append;
    audit.append = async (line) => {
      // Time enough for the caller to see its last byte, had it been sent already.
      for (let i = 0; i < 5; i++) await fetch(`${gateway.url}/healthz`);
      endedBeforeKept.push(ended);
      await append.call(audit, line);
    };
    const { data, response } = await clientOf(gateway.url)
      .chat.completions.create({ ...QUESTION, stream: true })
      .withResponse();
    for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? "";
    ended = true;
    audit.append = append;
    assert.equal(text, "the answer of eu");
    assert.deepEqual(endedBeforeKept, [false]);
    const kept = await audit.find(response.headers.get("x-request-id") ?? "");
    assert.equal(kept?.outcome, "complete");
  });

  it("lists workflows as models", async () => {
    const client = clientOf(gateway.url);
    const { data } = await client.models.list();
    assert.deepEqual(
      data.map(({ id }) => id),
      ["support"],
    );
    assert.equal((await client.models.retrieve("support")).owned_by, "test");
    await assert.rejects(client.models.retrieve("constructor"), {
      status: 404,
      code: "model_not_found",
    });
    await assert.rejects(client.models.retrieve("%zz"), { status: 404 });
    await assert.rejects(clientOf(gateway.url, "wrong").models.list(), { status: 401 });
    const { response } = await client.models.list().withResponse();
    assert.equal(response.headers.get("x-tideover-snapshot"), "1");
    assert.equal(response.headers.get("x-tideover-release"), "sha256:release-one");
  });

  it("refuses unknown keys alike, without naming any tenant", async () => {
    const none = await errorOf(await post(gateway.url, QUESTION, { authorization: "" }));
    const wrong = await errorOf(
      await post(gateway.url, QUESTION, { authorization: "Bearer acme" }),
    );
    for (const error of [none, wrong]) {
      assert.equal(error.status, 401);
      assert.equal(error.code, "invalid_api_key");
      assert.doesNotMatch(JSON.stringify(error), /acme|bolt/);
    }
  });

  it("names the known workflows to who asks for an unknown one", async () => {
    for (const model of ["gpt-4", "constructor", "__proto__"]) {
      const error = await errorOf(await post(gateway.url, { ...QUESTION, model }));
      assert.equal(error.status, 404);
      assert.equal(error.code, "model_not_found");
      assert.match(error.message, /support/);
    }
  });

  it("answers bad bodies in OpenAI's shape", async () => {
    const bodies = [
      [Buffer.from("{"), 400, "invalid_json"],
      [Buffer.from('{"model":"\xff"}', "latin1"), 400, "invalid_utf8"],
      [Buffer.from("[1]"), 400, "invalid_type"],
      [Buffer.from("[".repeat(100_000)), 400, "invalid_json"],
      [Buffer.from('{"model":"support"}'), 400, "missing_required_parameter"],
      [Buffer.alloc(0), 400, "invalid_json"],
    ] as const;
    for (const [body, status, code] of bodies) {
      const error = await errorOf(await post(gateway.url, body));
      assert.deepEqual([error.status, error.code], [status, code]);
    }
    const zipped = await post(gateway.url, QUESTION, { "content-encoding": "gzip" });
    assert.equal(zipped.status, 415);
  });

  it("answers an 11 MB body with 413, declared or not, and then the next request", async () => {
    const content = "x".repeat(11 * 1024 * 1024);
    const body = JSON.stringify({ model: "support", messages: [{ role: "user", content }] });
    const declared = await errorOf(await post(gateway.url, Buffer.from(body)));
    assert.deepEqual([declared.status, declared.code], [413, "body_too_large"]);
    const chunked = await fetch(`${gateway.url}${CHAT}`, {
      method: "POST",
      headers: { authorization: `Bearer ${BOLT_KEY}` },
      body: new Blob([body]).stream(),
      duplex: "half",
    } as RequestInit);
    assert.equal((await errorOf(chunked)).status, 413);
    assert.equal((await post(gateway.url, QUESTION)).status, 200);
  });

  it("knows its paths and their methods", async () => {
    const at = (path: string, method = "GET") => fetch(gateway.url + path, { method });
    const unknown = await errorOf(await at("/v2/nothing"));
    assert.deepEqual([unknown.status, unknown.code], [404, "unknown_url"]);
    const wrong = await at(CHAT);
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers.get("allow"), "POST, OPTIONS");
    assert.ok(wrong.headers.get("x-request-id"));
    assert.equal((await at("/healthz", "DELETE")).status, 405);
    assert.equal((await at(CHAT, "OPTIONS")).status, 204);
    const head = await at("/healthz", "HEAD");
    assert.equal(head.status, 200);
    assert.equal(await head.text(), "");
    assert.equal((await at("/healthz?x=1")).status, 200);
  });

  it("passes a target's judgement of the request on, and tries nobody else", async () => {
    const normal = upstream.chat;
    const error = { message: "max_tokens is too large", type: "invalid_request_error", code: "x" };
    upstream.chat = answersWith(422, { error });
    await assert.rejects(clientOf(gateway.url).chat.completions.create(QUESTION), {
      status: 422,
      error,
    });
    upstream.chat = normal;
  });

  it("tells its metrics and its state", async () => {
    const page = await (await fetch(`${gateway.url}/metrics`)).text();
    assert.match(
      page,
      /requests_total\{workflow="support",status="200",region="eu-west",mode="normal"\} \d+/,
    );
    assert.match(page, /tideover_gateway_snapshot_number 1\n/);
    assert.match(page, /tideover_gateway_target_state\{target="target-1"\} 1\n/);
    const status = await (await fetch(`${gateway.url}/tideover/v1/status`)).json();
    const { region, number, lastError, targets } = status as Record<string, unknown>;
    assert.deepEqual([region, number, lastError], ["eu-west", 1, null]);
    assert.equal((targets as { name: string }[])[0]?.name, "target-1");
  });

  it("limits a tenant's rate, tells when to come back, and leaves the others alone", async () => {
    const regions = {
      ...snapshotOf().regions,
      "eu-west": regionOf("http://127.0.0.1:9", upstream.url),
    };
    const release = snapshotOf().release;
    assert.ok(release);
    const policy = { requestsPerMinute: 2, maxOutputTokens: 10 };
    const snapshot = snapshotOf({ regions, release: { ...release, policy } });
    const snapshots = await world.holder(snapshot, clock);
    const limited = await world.gateway({ region: "eu-west", snapshots, clock });
    const first = await post(limited.url, QUESTION);
    assert.equal(first.headers.get("x-ratelimit-limit-requests"), "2");
    assert.equal(first.headers.get("x-ratelimit-remaining-requests"), "1");
    assert.equal((await post(limited.url, QUESTION)).status, 200);
    const refused = await post(limited.url, QUESTION);
    assert.equal(refused.headers.get("retry-after-ms"), "30000");
    assert.deepEqual((await errorOf(refused)).code, "rate_limit_exceeded");
    const other = await post(limited.url, QUESTION, { authorization: `Bearer ${BOLT_KEY}` });
    assert.equal(other.status, 200);
    clock.forward(30_000);
    assert.equal((await post(limited.url, QUESTION)).status, 200);
    assert.equal((await post(limited.url, QUESTION)).status, 429);
  });

  it("serves on while audit records cannot be kept, and says so", async () => {
    const regions = {
      ...snapshotOf().regions,
      "eu-west": regionOf("http://127.0.0.1:9", upstream.url),
    };
    const snapshots = await world.holder(snapshotOf({ regions }));
    const broken = new MemoryAudit();
    broken.failure = new Error("no space left on device");
    const own = await world.gateway({ region: "eu-west", snapshots, audit: broken });
    assert.equal((await post(own.url, QUESTION)).status, 200);
    const ready = await fetch(`${own.url}/readyz`);
    assert.equal(ready.status, 200);
    assert.match(await ready.text(), /audit records are not kept \(1 so far\)/);
    assert.match(await (await fetch(`${own.url}/metrics`)).text(), /audit_failures_total 1\n/);
    broken.failure = null;
    assert.equal((await post(own.url, QUESTION)).status, 200);
    assert.match(await (await fetch(`${own.url}/readyz`)).text(), /"degraded":\[\]/);
  });

  it("sends a target's own key, and tries the next target when that key is not set", async () => {
    const target = { url: upstream.url, model: "m" };
    const targets = [
      { ...target, name: "keyless", keyEnv: "NOT_SET" },
      { ...target, name: "keyed", keyEnv: "PROVIDER_KEY" },
    ];
    const regions: Snapshot["regions"] = {
      "eu-west": { ...regionOf("http://127.0.0.1:9"), targets },
    };
    const snapshots = await world.holder(snapshotOf({ ...NO_RELEASE, regions }));
    const keys = (name: string) => (name === "PROVIDER_KEY" ? "sk-provider" : undefined);
    const own = await world.gateway({ region: "eu-west", snapshots, keys });
    const asked = upstream.next(CHAT);
    assert.equal((await post(own.url, QUESTION)).status, 200);
    assert.equal((await asked).headers.authorization, "Bearer sk-provider");
  });
});

describe("a gateway's life", () => {
  const world = new World();
  after(() => world.end());

  it("lives but is not ready without a snapshot, until one is put", async () => {
    const snapshots = await world.holder(null);
    const gateway = await world.gateway({ region: "eu-west", snapshots });
    const path = `${gateway.url}/tideover/v1/snapshot`;
    assert.equal((await fetch(`${gateway.url}/healthz`)).status, 200);
    assert.equal((await fetch(`${gateway.url}/readyz`)).status, 503);
    const authorization = `Bearer ${ESTATE_TOKEN}`;
    const read = () => fetch(path, { headers: { authorization } });
    assert.equal((await read()).status, 404);
    const early = await errorOf(await post(gateway.url, QUESTION));
    assert.deepEqual([early.status, early.code], [503, "no_snapshot"]);

    const put = (body: unknown) => fetch(path, { method: "PUT", body: JSON.stringify(body) });
    assert.equal((await put({ payload: "{}" })).status, 400);
    const signed = world.sign(snapshotOf({ number: 3 }));
    const adopted = await put(signed);
    assert.deepEqual([adopted.status, await adopted.json()], [200, { adopted: true, number: 3 }]);
    assert.deepEqual(await (await read()).json(), signed);
    // It names every tenant: nobody else may read it, whatever key they hold.
    assert.equal((await fetch(path)).status, 401);
    const stranger = await fetch(path, { headers: { authorization: `Bearer ${ACME_KEY}` } });
    assert.equal(stranger.status, 401);
    assert.equal((await fetch(`${gateway.url}/readyz`)).status, 200);
    const again = await put(signed);
    assert.equal(again.status, 409);
    assert.deepEqual(((await again.json()) as { number: number }).number, 3);
  });

  it("says which address is taken and what to do", async () => {
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(0, "127.0.0.1", resolve));
    const { port } = squatter.address() as AddressInfo;
    const snapshots = await world.holder(null);
    await assert.rejects(world.gateway({ region: "eu-west", snapshots, port }), (error) => {
      assert.ok(error instanceof TideoverError);
      assert.equal(error.code, "PORT_TAKEN");
      assert.match(error.message, new RegExp(`127.0.0.1:${port}`));
      assert.ok(error.next);
      return true;
    });
    await new Promise((resolve) => squatter.close(resolve));
  });

  it("comes back with its peers' newer belief, and with its own when no peer answers", async () => {
    const peerHolder = await world.holder(null);
    const peer = await world.gateway({ region: "us-east", snapshots: peerHolder });
    const regions = { ...snapshotOf().regions, "us-east": regionOf(peer.url) };
    await peerHolder.offer(world.sign(snapshotOf({ number: 9, regions })));

    const holder = await world.holder(snapshotOf({ number: 5, regions }));
    await world.gateway({ region: "eu-west", snapshots: holder });
    assert.equal(holder.number, 9);
    assert.equal(holder.lastError, null);

    const alone = await world.holder(snapshotOf({ number: 5 }));
    const gateway = await world.gateway({ region: "eu-west", snapshots: alone });
    assert.equal(alone.number, 5);
    assert.equal((await fetch(`${gateway.url}/readyz`)).status, 200);
  });

  it("learns from the peers that it was told of when it has no snapshot of its own", async () => {
    const peerHolder = await world.holder(snapshotOf({ number: 9 }));
    const peer = await world.gateway({ region: "us-east", snapshots: peerHolder });
    const holder = await world.holder(null);
    const peers = new Map([["us-east", peer.url]]);
    await world.gateway({ region: "eu-west", snapshots: holder, peers });
    assert.equal(holder.number, 9);
  });

  it("lets a stream end before it closes, and takes no new connection", async () => {
    const upstream = await world.own(startUpstream("slow"));
    let finish: () => void = () => undefined;
    upstream.chat = (_asked, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write('data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n');
      finish = () =>
        response.end(
          'data: {"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
        );
    };
    const regions = { "eu-west": regionOf("http://127.0.0.1:9", upstream.url) };
    const snapshots = await world.holder(snapshotOf({ regions }));
    const timeouts = { drainMs: 10_000 };
    const gateway = await world.gateway({ region: "eu-west", snapshots, timeouts });
    const stream = await clientOf(gateway.url).chat.completions.create({
      ...QUESTION,
      stream: true,
    });
    const closing = gateway.close();
    await assert.rejects(fetch(`${gateway.url}/healthz`));
    finish();
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    assert.equal(text, "ab");
    await closing;
  });
});
