import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  MemoryAudit,
  post,
  QUESTION,
  ROUTE,
  realClock,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import * as raw from "../../test/support/raw-upstream.ts";
import { DEFAULT_REFLEX } from "../model/reflex.ts";
import type { WorkflowRoute } from "../model/snapshot.ts";

/** Every wait is short, so that a silence is a matter of the bound and not of the test's time. */
const REFLEX = {
  ...DEFAULT_REFLEX,
  firstToken: { least: 250, most: 250 },
  stall: { least: 250, most: 250 },
  wholeAnswer: { least: 250, most: 250 },
};

interface Fault {
  readonly name: string;
  /** The first target's address, when it is not the raw upstream's own. */
  readonly url?: () => Promise<string> | string;
  readonly answers?: raw.RawAnswer[];
  /** What the audit says of each try with the first target. */
  readonly outcomes: readonly RegExp[];
}

const html = "<html><body>502 Bad Gateway</body></html>";
const inADay = () => new Date(Date.now() + 86_400_000).toUTCString();
const before = () => new Date(Date.now() - 5_000).toUTCString();
const both = (pattern: RegExp) => [pattern, pattern];

/** Before the first byte: the caller always gets the second target's whole answer. */
const MOVE: readonly Fault[] = [
  { name: "refused", url: raw.refusedUrl, outcomes: [/connection refused/] },
  { name: "unreachable", url: () => raw.UNREACHABLE_URL, outcomes: [/network unreachable/] },
  { name: "no address for its name", url: () => raw.NAMELESS_URL, outcomes: [/its name/] },
  { name: "a TLS failure", url: () => first.tlsUrl, outcomes: [/TLS failed/] },
  {
    name: "resets",
    answers: [raw.resets, raw.resets],
    outcomes: both(/connection reset/),
  },
  { name: "accepted and silent", answers: [raw.accepts], outcomes: [/no answer in 250 ms/] },
  {
    name: "headers and then silent",
    answers: [raw.headersOnly],
    outcomes: [/no answer in 250 ms|stalled/],
  },
  {
    name: "a lasting 503",
    answers: [raw.errors(503), raw.errors(503)],
    outcomes: both(/status 503/),
  },
  { name: "429 without Retry-After", answers: [raw.errors(429)], outcomes: [/status 429/] },
  {
    name: "429 with an absurd Retry-After",
    answers: [raw.errors(429, undefined, { "retry-after": "86400" })],
    outcomes: [/status 429/],
  },
  {
    name: "429 with Retry-After as a date far off",
    answers: [raw.errors(429, undefined, { "retry-after": inADay() })],
    outcomes: [/status 429/],
  },
  { name: "401 in this place only", answers: [raw.errors(401)], outcomes: [/status 401/] },
  { name: "403 in this place only", answers: [raw.errors(403)], outcomes: [/status 403/] },
  {
    name: "the model missing",
    answers: [raw.errors(404, { message: "no such model", code: "model_not_found" })],
    outcomes: [/status 404, model_not_found/],
  },
  {
    name: "no money left, told as 429",
    answers: [raw.errors(429, { message: "x", code: "insufficient_quota" })],
    outcomes: [/insufficient_quota/],
  },
  { name: "200 with an empty body", answers: [raw.whole(200, "")], outcomes: [/without a chat/] },
  {
    name: "200 with HTML",
    answers: [raw.whole(200, html, { "content-type": "text/html" })],
    outcomes: [/without a chat/],
  },
  {
    name: "200 with half a JSON",
    answers: [raw.whole(200, '{"id":"chatcmpl-1","choices":[{"message":{"content":"Ha')],
    outcomes: [/without a chat/],
  },
  {
    name: "200 with an error inside",
    answers: [raw.errors(200, { message: "no memory" }), raw.errors(200, { message: "no memory" })],
    outcomes: both(/status 200 with an error/),
  },
  {
    name: "a body, or an event of megabytes, that never ends",
    answers: [raw.floods],
    outcomes: [/larger than|no answer/],
  },
  { name: "a drip of single bytes", answers: [raw.drips(20, false)], outcomes: [/no answer in/] },
  {
    name: "a slow first token",
    answers: [raw.late("too late", 5_000)],
    outcomes: [/no answer in 250 ms/],
  },
];

/** It passes by itself: the first target is asked again, once, and answers. */
const AGAIN: readonly Fault[] = [
  { name: "one 500", answers: [raw.errors(500)], outcomes: [/status 500/] },
  { name: "one 503", answers: [raw.errors(503)], outcomes: [/status 503/] },
  { name: "one reset", answers: [raw.resets], outcomes: [/connection reset/] },
  {
    name: "429 with a short Retry-After",
    answers: [raw.errors(429, undefined, { "retry-after-ms": "20" })],
    outcomes: [/status 429/],
  },
  {
    name: "429 with Retry-After as a date that is over",
    answers: [raw.errors(429, undefined, { "retry-after": before() })],
    outcomes: [/status 429/],
  },
];

let world: World;
let first: raw.RawUpstream;
let second: raw.RawUpstream;
let audit: MemoryAudit;

describe("a target that fails before the first byte", () => {
  beforeEach(async () => {
    world = new World();
    audit = new MemoryAudit();
    first = await world.own(raw.startRaw("first"));
    second = await world.own(raw.startRaw("second"));
  });
  afterEach(() => world.end());

  for (const fault of MOVE) {
    for (const stream of [false, true]) {
      it(`means the next one: ${fault.name}, ${stream ? "streamed" : "whole"}`, async () => {
        first.script = [...(fault.answers ?? [])];
        const asked = await ask(await startAt((await fault.url?.()) ?? first.url), { stream });
        assert.deepEqual([asked.status, asked.text], [200, "the answer of second"]);
        const { attempts, target } = asked.record;
        assert.equal(target, "target-2");
        assert.deepEqual(attempts.map((attempt) => attempt.target).at(-1), "target-2");
        const failed = attempts.slice(0, -1);
        const { outcomes } = fault;
        assert.equal(failed.length, outcomes.length, JSON.stringify(attempts));
        for (const [at, pattern] of outcomes.entries())
          assert.match(failed[at]?.outcome ?? "", pattern);
        assert.equal(first.asked.length, fault.url === undefined ? outcomes.length : 0);
        assert.equal(second.asked.length, 1, "the second is asked once");
      });
    }
  }

  for (const fault of AGAIN) {
    for (const stream of [false, true]) {
      it(`is asked again in place, once: ${fault.name}, ${stream ? "streamed" : "whole"}`, async () => {
        first.script = [...(fault.answers ?? [])];
        const asked = await ask(await startAt(first.url), { stream });
        assert.deepEqual([asked.status, asked.text], [200, "the answer of first"]);
        const outcomes = asked.record.attempts.map(({ outcome }) => outcome);
        assert.match(outcomes[0] ?? "", fault.outcomes[0] ?? /^$/);
        assert.deepEqual(outcomes.slice(1), ["answered"]);
        assert.deepEqual([first.asked.length, second.asked.length], [2, 0]);
      });
    }
  }

  it("is not asked twice by a later request, once it is known to be failing", async () => {
    first.otherwise = raw.errors(503);
    const gateway = await startAt(first.url);
    await ask(gateway, {});
    assert.equal(first.asked.length, 2);
    await ask(gateway, {});
    assert.equal(first.asked.length, 3);
  });

  it("closes what it gave up: a flood, a drip and a silence all end upstream", async () => {
    first.script = [raw.floods, raw.drips(20, false), raw.accepts];
    const gateway = await startAt(first.url);
    for (let i = 0; i < 3; i++) await ask(gateway, { stream: true });
    await Promise.all(first.asked.map(({ closed }) => closed));
    assert.equal(first.asked.length, 3);
  });

  it("gives a slow first token that is normal for it its time", async () => {
    first.script = [raw.late("worth the wait", 100)];
    assert.equal((await ask(await startAt(first.url), { stream: true })).text, "worth the wait");
    assert.equal(second.asked.length, 0);
  });

  it("counts a stream that stalls in a drip as a failure, though it began", async () => {
    first.script = [raw.drips(20, true)];
    const gateway = await startAt(first.url);
    const response = await post(gateway, { ...QUESTION, stream: true });
    await response.text().catch(() => "cut");
    await first.asked[0]?.closed;
    const seen = await statusOf(gateway);
    assert.match(seen.get("target-1")?.lastFailure ?? "", /it stalled: nothing for 250 ms/);
  });

  for (const stream of [false, true]) {
    const how = stream ? "streamed" : "whole";
    it(`is passed on and asked nowhere else: a context too long, ${how}`, async () => {
      first.script = [raw.errors(400, { message: "too long", code: "context_length_exceeded" })];
      const asked = await ask(await startAt(first.url), { stream });
      assert.equal(asked.status, 400);
      assert.match(asked.text, /context_length_exceeded/);
      assert.deepEqual([first.asked.length, second.asked.length], [1, 0]);
    });

    it(`is passed on with its reason, not shopped around: a refused content, ${how}`, async () => {
      first.script = [raw.errors(403, { message: "not that", code: "content_policy_violation" })];
      const asked = await ask(await startAt(first.url), { stream });
      assert.deepEqual([asked.status, /not that/.test(asked.text)], [403, true]);
      assert.deepEqual([first.asked.length, second.asked.length], [1, 0]);
    });

    it(`goes to the one target for long contexts, when there is one, ${how}`, async () => {
      first.script = [raw.errors(400, { message: "this exceeds the maximum context length" })];
      const gateway = await startAt(first.url, { longContext: "target-2" });
      const asked = await ask(gateway, { stream });
      assert.deepEqual([asked.status, asked.text], [200, "the answer of second"]);
      assert.deepEqual([first.asked.length, second.asked.length], [1, 1]);
    });
  }

  it("passes on a refusal that a stream begins with", async () => {
    const error = { error: { message: "prompt is too long: 9 tokens > 8 maximum" } };
    const event = `data: ${JSON.stringify(error)}\n\n`;
    first.script = [raw.whole(200, event, { "content-type": "text/event-stream" })];
    const asked = await ask(await startAt(first.url), { stream: true });
    assert.deepEqual([asked.status, /prompt is too long/.test(asked.text)], [400, true]);
    assert.equal(second.asked.length, 0);
  });

  it("keeps the target for long contexts out of every other request", async () => {
    const gateway = await startAt(first.url, { longContext: "target-1" });
    assert.equal((await ask(gateway, {})).text, "the answer of second");
    assert.equal(first.asked.length, 0);
  });

  it("sends nothing more once the caller has gone, however much is left to try", async () => {
    const caller = new AbortController();
    first.script = [
      (socket, asked) => {
        caller.abort();
        // The gateway has seen it go before this answer: its request upstream is closed.
        void asked.closed.then(() => socket.destroy());
      },
    ];
    const gateway = await startAt(first.url);
    const kept = nextRecord();
    await assert.rejects(
      fetch(`${gateway}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: "Bearer tdk-acme-0123456789abcdef" },
        body: JSON.stringify(QUESTION),
        signal: caller.signal,
      }),
    );
    await first.asked[0]?.closed;
    assert.equal((await kept).outcome, "abandoned");
    assert.deepEqual([first.asked.length, second.asked.length], [1, 0]);
  });

  it("ends with one error that names each target and what to do", async () => {
    first.otherwise = raw.errors(503);
    second.otherwise = raw.errors(401);
    const asked = await ask(await startAt(first.url), {});
    assert.equal(asked.status, 503);
    assert.match(asked.text, /eu-west\/target-1 \(status 503\), \d+ times, \d+ ms/);
    assert.match(asked.text, /eu-west\/target-2 \(status 401\), (\d+ times, )?\d+ ms/);
    assert.equal(asked.headers.get("x-should-retry"), "false");
  });

  it("says 429 and when to come back, when all have no room", async () => {
    const busy = raw.errors(429, undefined, { "retry-after": "30" });
    first.otherwise = busy;
    second.otherwise = busy;
    const asked = await ask(await startAt(first.url), {});
    assert.equal(asked.status, 429);
    assert.match(asked.text, /all_targets_busy/);
    assert.equal(asked.headers.get("retry-after"), "30");
    assert.equal(asked.headers.get("x-should-retry"), null);
  });

  it("says 504 when all were silent, and never that waiting helps when all deny us", async () => {
    first.otherwise = raw.accepts;
    second.otherwise = raw.accepts;
    assert.equal((await ask(await startAt(first.url), { stream: true })).status, 504);
    first.otherwise = raw.errors(401);
    second.otherwise = raw.errors(404);
    const denied = await ask(await startAt(first.url), {});
    assert.deepEqual([denied.status, denied.headers.get("retry-after-ms")], [503, null]);
    assert.equal(denied.headers.get("x-should-retry"), "false");
  });

  it("lets no request try more often than its budget, whatever fails", async () => {
    const attempts = 2;
    first.otherwise = raw.errors(500);
    second.otherwise = raw.errors(500);
    const asked = await ask(await startAt(first.url, {}, { ...REFLEX, attempts }), {});
    assert.equal(first.asked.length + second.asked.length <= attempts * 4, true);
    assert.match(asked.text, /tries of this request are used up/);
  });

  it("retries no more than a share of its requests where everything fails", async () => {
    first.otherwise = raw.errors(500);
    second.otherwise = raw.errors(500);
    // All in one moment, so that nothing is earned by the passing of time; and none is held.
    const clock = { ...realClock, monotonic: () => 1_000 };
    const gateway = await startAt(first.url, {}, REFLEX, clock);
    const unheld = { "x-tideover-forwarded-by": "us-east" };
    const requests = 300;
    let last = "";
    for (let i = 0; i < requests; i++) last = (await ask(gateway, {}, unheld)).text;
    assert.match(last, /retries are used up \(20 % of its requests\)/);
    const tries = first.asked.length + second.asked.length;
    // A floor of 100 in ten seconds, and the two by which it became known that both fail.
    assert.ok(tries <= requests * 1.2 + 100 + 2, `${tries} tries`);
  });

  /** A gateway whose two targets are at the given address and at the second upstream. */
  async function startAt(
    url: string,
    route: Partial<WorkflowRoute> = {},
    reflex = REFLEX,
    clock = realClock,
  ): Promise<string> {
    const regions = { "eu-west": regionOf("http://127.0.0.1:9", url, second.url) };
    const workflows = { support: { ...ROUTE, ...route } };
    const snapshots = await world.holder(snapshotOf({ regions, workflows, reflex }));
    const options = { region: "eu-west", snapshots, audit, clock, timeouts: { holdMs: 1 } };
    return (await world.gateway(options)).url;
  }

  async function ask(
    gateway: string,
    change: { readonly stream?: boolean },
    headers: Record<string, string> = {},
  ) {
    const response = await post(gateway, { ...QUESTION, ...change }, headers);
    const body = await response.text();
    const id = response.headers.get("x-request-id") ?? "";
    const record = (await audit.find(id)) ?? assert.fail(`no audit record of ${id}`);
    const text = response.status === 200 ? saidIn(body) : body;
    return { status: response.status, headers: response.headers, text, record };
  }

  function nextRecord(): Promise<MemoryAudit["records"][number]> {
    return new Promise((resolve) => {
      audit.append = async (record) => resolve(record);
    });
  }
});

/** The words of a whole or a streamed answer. */
function saidIn(body: string): string {
  if (!body.startsWith("data:")) return JSON.parse(body).choices[0].message.content;
  const events = body.split("\n\n").filter((event) => event.startsWith("data: {"));
  return events.map((event) => JSON.parse(event.slice(6)).choices[0]?.delta.content ?? "").join("");
}

interface Shown {
  readonly name: string;
  readonly lastFailure: string | null;
}

async function statusOf(gateway: string): Promise<Map<string, Shown>> {
  const response = await fetch(`${gateway}/tideover/v1/status`);
  const { targets } = (await response.json()) as { targets: Shown[] };
  return new Map(targets.map((target) => [target.name, target]));
}
