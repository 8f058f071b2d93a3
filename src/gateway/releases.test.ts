import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { pino } from "pino";
import {
  carried,
  clientOf,
  MemoryAudit,
  MemoryIndex,
  post,
  QUESTION,
  RELEASE_ONE,
  ROUTE,
  realClock,
  regionOf,
  snapshotOf,
  World,
} from "../../test/support/gateway-world.ts";
import {
  answersWith,
  type Behaviour,
  chunk,
  completion,
  type FakeUpstream,
  sse,
  startUpstream,
} from "../../test/support/upstream.ts";
import { RESUME_FIELD } from "../core/stream/delivered.ts";
import { digestOf } from "../lib/canonical.ts";
import type { Release } from "../model/release.ts";
import type { Snapshot } from "../model/snapshot.ts";
import type { ReleaseVerifier } from "../ports/releases.ts";
import { HEADERS } from "../wire/headers.ts";
import type { Gateway } from "./server.ts";
import { SnapshotHolder } from "./snapshots.ts";

/** Which release answers, what a gateway refuses to serve, and that no answer mixes two of them. */

function releaseCalled(word: string): { readonly digest: string; readonly body: Release } {
  const support = { system: `You are ${word}. {{documents}}`, version: `prompt-${word}` };
  const policy = { ...RELEASE_ONE.policy, requestsPerMinute: 1_000_000 };
  const body = { ...RELEASE_ONE, version: word, prompts: { support }, policy };
  return { digest: digestOf(body), body };
}

/** Here a digest is the body's own: one changed letter of a prompt is another release. */
const verifyBody: ReleaseVerifier = ({ digest, body }) => {
  const found = digestOf(body);
  return found === digest ? null : `its digest is ${found}, not ${digest}`;
};

const A = releaseCalled("alpha");
const B = releaseCalled("beta");

/** The system prompt's words, again and again: an answer shows which release asked for it. */
const echoes: Behaviour = ({ body }, response) => {
  const { messages = [], stream } = body as {
    messages?: { role: string; content: string }[];
    stream?: boolean;
  };
  const system = messages.find(({ role }) => role === "system")?.content ?? "";
  if (stream !== true) {
    response.writeHead(200, { "content-type": "application/json" });
    return void response.end(JSON.stringify(completion(system)));
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const words = system.trim().split(/(?<= )/);
  for (const word of words) response.write(sse(chunk({ content: word })));
  response.end(sse(chunk({}, "stop")) + sse("[DONE]"));
};

/** So many words of what it would tell; what shall happen then does; and the connection is gone. */
const echoesAndBreaks =
  (words: number, then: () => Promise<void> = async () => undefined): Behaviour =>
  ({ body }, response) => {
    const { messages = [] } = body as { messages?: { role: string; content: string }[] };
    const system = messages.find(({ role }) => role === "system")?.content ?? "";
    response.writeHead(200, { "content-type": "text/event-stream" });
    const told = system.split(/(?<= )/).slice(0, words);
    response.write(told.map((word) => sse(chunk({ content: word }))).join(""), () => {
      void then().then(() => response.socket?.resetAndDestroy());
    });
  };

interface Region {
  readonly name: string;
  readonly gateway: Gateway;
  readonly holder: SnapshotHolder;
  readonly audit: MemoryAudit;
  readonly upstream: FakeUpstream;
}

async function region(world: World, name: string): Promise<Region> {
  const upstream = await world.own(startUpstream(name));
  upstream.chat = echoes;
  const holder = SnapshotHolder.signed({
    estate: "test",
    region: name,
    verifyRelease: verifyBody,
    file: join(await world.folder(), "snapshot.json"),
    trusted: [world.key.publicPem],
    clock: realClock,
  });
  const audit = new MemoryAudit();
  const indexes = new Map([["handbook", new MemoryIndex([])]]);
  const timeouts = { holdMs: 3_000, movedGraceMs: 20, drainMs: 0 };
  const options = { region: name, snapshots: holder, audit, timeouts, indexes };
  return { name, gateway: await world.gateway(options), holder, audit, upstream };
}

interface Says {
  readonly number: number;
  readonly serving: readonly string[];
  /** Release by region. */
  readonly runs: Readonly<Record<string, typeof A>>;
}

function snapshot(all: readonly Region[], { number, serving, runs }: Says): Snapshot {
  const regions = all.map(({ name, gateway, upstream }) => [
    name,
    { ...regionOf(gateway.url, upstream.url), release: (runs[name] ?? A).digest },
  ]);
  return snapshotOf({
    number,
    releaseDigest: A.digest,
    release: A.body,
    releases: { [B.digest]: carried(B.body) },
    regions: Object.fromEntries(regions),
    workflows: {
      support: { ...ROUTE, epoch: number, serving: [...serving] },
      search: {
        ...ROUTE,
        serving: [...serving],
        retrieval: { index: "handbook", topK: 1, required: false },
      },
    },
  });
}

async function tell(world: World, all: readonly Region[], says: Says): Promise<void> {
  const signed = world.sign(snapshot(all, says));
  for (const { holder } of all) {
    const offer = await holder.offer(signed);
    // A peer's answer may have told it of this one a moment ago: that is the same.
    assert.ok(offer.number >= says.number, offer.adopted ? "" : offer.reason);
  }
}

/** What came, whatever the end: a cut answer breaks its connection on purpose. */
async function heard(response: Response): Promise<string> {
  let text = "";
  try {
    for await (const piece of response.body ?? []) text += Buffer.from(piece).toString("utf8");
  } catch {
    // Its end is for the test to judge.
  }
  return text;
}

async function words(response: Response): Promise<string> {
  const text = await heard(response);
  return [...text.matchAll(/"content":"([^"]*)"/g)].map(([, word]) => word).join("");
}

/** A member of a JSON answer. */
async function member(response: Response, name: string): Promise<unknown> {
  const body: unknown = await response.json();
  return typeof body === "object" && body !== null
    ? Object.getOwnPropertyDescriptor(body, name)?.value
    : undefined;
}

describe("while an activation moves region by region", () => {
  const world = new World();
  let eu: Region;
  let us: Region;

  before(async () => {
    [eu, us] = [await region(world, "eu-west"), await region(world, "us-east")];
    const runs = { "eu-west": A, "us-east": B };
    await tell(world, [eu, us], { number: 1, serving: ["eu-west"], runs });
  });
  after(() => world.end());

  it("each region answers with its own release and says which", async () => {
    const own = await post(eu.gateway.url, QUESTION);
    assert.equal(own.headers.get(HEADERS.release), A.digest);
    assert.match(await own.text(), /You are alpha/);
    const standby = await post(us.gateway.url, QUESTION, { [HEADERS.readiness]: "estate-token" });
    assert.equal(standby.headers.get(HEADERS.release), B.digest);
    assert.match(await standby.text(), /You are beta/);
  });

  it("a forwarded answer bears the release that made it, not the forwarder's", async () => {
    const answer = await post(us.gateway.url, QUESTION);
    assert.equal(answer.headers.get(HEADERS.release), A.digest);
    assert.match(await answer.text(), /You are alpha/);
  });

  it("says in its status which release it serves, and since when", async () => {
    const url = `${us.gateway.url}/tideover/v1/status`;
    assert.equal(await member(await fetch(url), "release"), B.digest);
    assert.equal(typeof (await member(await fetch(url), "releaseSinceMs")), "number");
  });

  const PATHS: readonly (readonly [name: string, path: string, body: object, at: "eu" | "us"])[] = [
    ["a whole answer", "/v1/chat/completions", QUESTION, "eu"],
    ["a streamed answer", "/v1/chat/completions", { ...QUESTION, stream: true }, "eu"],
    ["a forwarded answer", "/v1/chat/completions", QUESTION, "us"],
    ["a forwarded stream", "/v1/chat/completions", { ...QUESTION, stream: true }, "us"],
    ["a response", "/v1/responses", { model: "support", input: "Hi" }, "eu"],
    ["a completion", "/v1/completions", { model: "support", prompt: "Hi" }, "eu"],
    ["a vector", "/v1/embeddings", { model: "search", input: "Hi" }, "eu"],
    ["a refusal", "/v1/chat/completions", { model: "support" }, "eu"],
    ["an unknown workflow", "/v1/chat/completions", { ...QUESTION, model: "other" }, "eu"],
  ];
  for (const [name, path, body, at] of PATHS) {
    it(`${name} stands in the audit log under the release that its headers name`, async () => {
      const { gateway, audit } = { eu, us }[at];
      const answer = await fetch(`${gateway.url}${path}`, {
        method: "POST",
        headers: { authorization: "Bearer tdk-acme-0123456789abcdef" },
        body: JSON.stringify(body),
      });
      await answer.text();
      const record = await audit.find(answer.headers.get(HEADERS.requestId) ?? "");
      assert.equal(answer.headers.get(HEADERS.release), A.digest, `status ${answer.status}`);
      assert.equal(record?.releaseDigest, A.digest);
    });
  }

  it("a caller without a key stands there, too", async () => {
    const answer = await fetch(`${us.gateway.url}/v1/chat/completions`, { method: "POST" });
    const record = await us.audit.find(answer.headers.get(HEADERS.requestId) ?? "");
    assert.deepEqual([answer.status, record?.releaseDigest], [401, B.digest]);
  });
});

describe("an answer that is cut while regions serve two releases", () => {
  let world: World;
  let eu: Region;
  let us: Region;
  let ap: Region;

  beforeEach(async () => {
    world = new World();
    eu = await region(world, "eu-west");
    us = await region(world, "us-east");
    ap = await region(world, "ap-south");
  });
  afterEach(() => world.end());

  const ask = (to: Region, more: object = {}, headers: Record<string, string> = {}) =>
    post(to.gateway.url, { ...QUESTION, stream: true, ...more }, headers);

  it("is gone on with by a region that serves the same release, and by no other", async () => {
    const runs = { "eu-west": A, "us-east": B, "ap-south": A };
    const serving = ["eu-west", "us-east", "ap-south"];
    await tell(world, [eu, us, ap], { number: 1, serving, runs });
    eu.upstream.chat = (asked, response) => {
      eu.upstream.chat = answersWith(503, "");
      return echoesAndBreaks(2)(asked, response);
    };
    const answer = await ask(eu);
    const text = await words(answer);
    assert.equal(answer.headers.get(HEADERS.release), A.digest);
    assert.equal(text.trim(), "You are alpha.");
    assert.equal(us.upstream.asked.length, 0, "the region of the other release is not asked");
    assert.ok(ap.upstream.asked.length > 0);
    const record = await ap.audit.find(answer.headers.get(HEADERS.requestId) ?? "");
    assert.equal(record?.releaseDigest, A.digest);
  });

  it("is cut honestly when only another release is served, at once and with its reason", async () => {
    const runs = { "eu-west": A, "us-east": B };
    await tell(world, [eu, us], { number: 1, serving: ["eu-west"], runs });
    eu.upstream.chat = echoesAndBreaks(2, () =>
      tell(world, [eu, us], { number: 2, serving: ["us-east"], runs }),
    );
    const answer = await ask(eu);
    const text = await heard(answer);
    assert.match(text, /"stream_cut"/);
    assert.match(text, /which no region serves any more/);
    assert.doesNotMatch(text, /beta|\[DONE\]|"finish_reason":"stop"/);
    const record = await eu.audit.find(answer.headers.get(HEADERS.requestId) ?? "");
    assert.deepEqual([record?.outcome, record?.releaseDigest], ["cut", A.digest]);
  });

  it("is cut honestly when its own region was activated meanwhile", async () => {
    await tell(world, [eu, us], { number: 1, serving: ["eu-west"], runs: {} });
    const after = { number: 2, serving: ["eu-west"], runs: { "eu-west": B, "us-east": B } };
    eu.upstream.chat = echoesAndBreaks(2, async () => {
      eu.upstream.chat = echoes;
      await tell(world, [eu, us], after);
    });
    const text = await heard(await ask(eu));
    assert.match(text, /"stream_cut"/);
    assert.doesNotMatch(text, /beta/);
  });

  it("is told to its end by the release that began it, whatever is activated meanwhile", async () => {
    await tell(world, [eu, us], { number: 1, serving: ["eu-west"], runs: {} });
    const after = { number: 2, serving: ["eu-west"], runs: { "eu-west": B, "us-east": B } };
    eu.upstream.chat = (asked, response) => {
      void tell(world, [eu, us], after).then(() => echoes(asked, response));
    };
    const answer = await ask(eu);
    assert.equal(answer.headers.get(HEADERS.release), A.digest);
    assert.equal((await words(answer)).trim(), "You are alpha.");
  });

  it("is refused to a client that has a half of another release", async () => {
    await tell(world, [eu, us], { number: 1, serving: ["eu-west"], runs: { "eu-west": B } });
    const had = { id: "x", created: 1, choices: [], tokens: 0, inToolCall: false, opaque: false };
    const more = { [RESUME_FIELD]: { ...had, cuts: [] } };
    const other = await ask(eu, more, { [HEADERS.release]: A.digest });
    assert.equal(other.status, 409);
    assert.match(await other.text(), /"code":"release_changed"/);
    const same = await ask(eu, more, { [HEADERS.release]: B.digest });
    assert.equal(same.status, 200);
    await same.text();
  });
});

describe("under a storm of activations and rollbacks", () => {
  const world = new World();
  after(() => world.end());

  it("every answer is of one release, and of the one that its headers name", async () => {
    const all = [await region(world, "eu-west"), await region(world, "us-east")];
    const [eu, us] = all;
    assert.ok(eu && us);
    await tell(world, all, { number: 1, serving: ["eu-west"], runs: {} });
    const wordOf = new Map([A, B].map(({ digest, body }) => [digest, body.version]));
    const seen = new Set<string>();
    let number = 1;
    let over = false;
    const ask = async (gateway: Gateway, stream: boolean): Promise<void> => {
      while (!over) {
        const answer = await post(gateway.url, { ...QUESTION, stream });
        const digest = answer.headers.get(HEADERS.release) ?? "";
        const text = await words(answer);
        assert.equal(text.trim(), `You are ${wordOf.get(digest)}.`, `${answer.status}`);
        seen.add(digest);
      }
    };
    const callers = [ask(eu.gateway, true), ask(eu.gateway, false), ask(us.gateway, true)];
    const storming = async (): Promise<void> => {
      for (let turn = 0; turn < 40; turn += 1) {
        const now = turn % 2 === 0 ? B : A;
        const runs = { "eu-west": now, "us-east": turn % 3 === 0 ? A : now };
        number += 1;
        await tell(world, all, { number, serving: [turn % 4 < 2 ? "eu-west" : "us-east"], runs });
        await post(eu.gateway.url, QUESTION).then((answer) => answer.text());
      }
    };
    const storm = storming().finally(() => {
      over = true;
    });
    const ends = await Promise.allSettled([storm, ...callers]);
    const failed = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
    assert.deepEqual(failed, []);
    assert.deepEqual(seen, new Set([A.digest, B.digest]));
  });
});

describe("a gateway that cannot verify its region's release", () => {
  let world: World;
  let file: string;

  beforeEach(async () => {
    world = new World();
    file = join(await world.folder(), "snapshot.json");
  });
  afterEach(() => world.end());

  const holderWith = (verifyRelease = verifyBody) => holderAt(file, verifyRelease);
  const holderAt = (file: string, verifyRelease = verifyBody): SnapshotHolder =>
    SnapshotHolder.signed({
      estate: "test",
      region: "eu-west",
      verifyRelease,
      file,
      trusted: [world.key.publicPem],
      clock: realClock,
    });

  const offered = (number: number, { digest, body }: typeof A): Snapshot =>
    snapshotOf({ number, releaseDigest: digest, release: body });

  const changed = { ...B, body: { ...B.body, prompts: A.body.prompts } };

  it("keeps what it serves, and says so in its status, readiness and log", async () => {
    const snapshots = holderWith();
    const lines: string[] = [];
    const logger = pino({ level: "warn" }, { write: (line) => void lines.push(line) });
    const gateway = await world.gateway({ region: "eu-west", snapshots, logger });
    assert.ok((await snapshots.offer(world.sign(offered(1, A)))).adopted);
    const offer = await fetch(`${gateway.url}/tideover/v1/snapshot`, {
      method: "PUT",
      body: JSON.stringify(world.sign(offered(2, changed))),
    });
    assert.equal(offer.status, 409);
    const said = await offer.text();
    assert.match(said, /"number":1,/);
    assert.match(said, /release sha256:\w+ of eu-west: its digest is sha256:\w+, not/);
    const status = await (await fetch(`${gateway.url}/tideover/v1/status`)).text();
    assert.match(status, new RegExp(`"number":1,.*its digest is.*"release":"${A.digest}"`));
    assert.match(await (await fetch(`${gateway.url}/readyz`)).text(), /newer snapshot was refused/);
    assert.match(lines.join(""), /its digest is .*a snapshot was refused/);
  });

  it("refuses a release that the snapshot names and does not carry", async () => {
    const holder = holderWith();
    const offer = await holder.offer(world.sign({ ...offered(1, A), releases: {} }));
    assert.equal(offer.adopted, false);
    assert.match(holder.lastError ?? "", /it is not in the snapshot/);
  });

  it("takes no harm from another region's release that it could not verify", async () => {
    const holder = holderWith();
    const made = offered(1, A);
    const { "us-east": us } = made.regions;
    assert.ok(us);
    const regions = { ...made.regions, "us-east": { ...us, release: "sha256:unknown" } };
    assert.ok((await holder.offer(world.sign({ ...made, regions }))).adopted);
  });

  it("goes back to the last good release at a restart at which the new one does not verify", async () => {
    const before = holderWith();
    for (const [number, release] of [A, B, B].entries()) {
      await before.offer(world.sign(offered(number + 1, release)));
    }
    const expired = holderWith(({ digest }) =>
      digest === B.digest ? "its signature has expired" : null,
    );
    const error = await expired.load();
    assert.equal(error?.code, "SNAPSHOT_REFUSED");
    assert.match(error?.next ?? "", /serves its last good release \(snapshot 1\)/);
    assert.equal(expired.current()?.releaseDigest, A.digest);
    assert.match(expired.lastError ?? "", /its signature has expired/);
    // And again at the next restart, and with what a rollback brings.
    const again = holderWith();
    const told = await again.load();
    assert.match(told?.message ?? "", /refused by an earlier start/);
    assert.match(told?.next ?? "", /serves its last good release \(snapshot 1\)/);
    assert.equal(again.current()?.releaseDigest, A.digest);
    assert.equal(await holderAt(join(file, "..", "nothing.json")).load(), null);
    assert.ok((await again.offer(world.sign(offered(9, A)))).adopted);
    assert.ok((await again.offer(world.sign(offered(10, B)))).adopted);
  });

  it("serves nothing from a file in which one byte of the release was changed", async () => {
    const before = holderWith();
    await before.offer(world.sign(offered(1, A)));
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace("You are alpha", "You are alphb"));
    const restarted = holderWith();
    assert.equal((await restarted.load())?.code, "SNAPSHOT_REFUSED");
    assert.equal(restarted.current(), null);
  });

  /** The file of a gateway that has served A and then B. */
  async function servedBoth(): Promise<void> {
    const before = holderWith();
    for (const [number, release] of [A, B].entries()) {
      assert.ok((await before.offer(world.sign(offered(number + 1, release)))).adopted);
    }
  }

  it("goes on with a release that expires while it runs, through a failover and a rollback", async () => {
    await servedBoth();
    const dates = { over: false };
    const over = expired(A.digest, B.digest, releaseCalled("gamma").digest);
    const running = holderWith((release, ran) => (dates.over ? over(release, ran) : null));
    assert.equal(await running.load(), null);
    dates.over = true;
    assert.equal(await refusalOf(running, offered(5, B)), null, "a failover's snapshot");
    assert.equal(await refusalOf(running, offered(6, A)), null, "a rollback's snapshot");
    assert.match(
      (await refusalOf(running, offered(7, releaseCalled("gamma")))) ?? "adopted",
      /has expired/,
      "what it has never served is judged",
    );
  });

  it("starts with no release that has expired, and takes none that it is offered then", async () => {
    await servedBoth();
    const holder = holderWith(expired(A.digest, B.digest));
    const error = await holder.load();
    assert.match(error?.message ?? "", /has expired/);
    assert.match(error?.next ?? "", /waits for a signed snapshot/);
    assert.match((await refusalOf(holder, offered(3, B))) ?? "adopted", /has expired/);
  });

  const expired =
    (...digests: string[]): ReleaseVerifier =>
    ({ digest }, ran) =>
      !ran && digests.includes(digest) ? "its signature has expired" : null;

  async function refusalOf(holder: SnapshotHolder, snapshot: Snapshot): Promise<string | null> {
    const offer = await holder.offer(world.sign(snapshot));
    return offer.adopted ? null : offer.reason;
  }

  it("a verifier that fails is a refusal, and not the gateway's end", async () => {
    const holder = holderWith(() => {
      throw new Error("the trust root cannot be read");
    });
    assert.equal((await holder.offer(world.sign(offered(1, A)))).adopted, false);
    assert.match(holder.lastError ?? "", /cannot be verified: the trust root cannot be read/);
  });

  it("serves nothing at all, and says why, when it never had a good one", async () => {
    const snapshots = holderWith();
    await snapshots.offer(world.sign(offered(1, changed)));
    const gateway = await world.gateway({ region: "eu-west", snapshots });
    const ready = await fetch(`${gateway.url}/readyz`);
    assert.equal(ready.status, 503);
    assert.match(String(await member(ready, "because")), /its digest is/);
    await assert.rejects(clientOf(gateway.url).chat.completions.create(QUESTION), { status: 503 });
  });
});
