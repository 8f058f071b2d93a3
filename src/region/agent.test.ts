import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  type AgentWorld,
  createAgentWorld,
  DOCUMENTS,
  embedded,
  INDEX,
  TOKEN,
  until,
  WORKFLOW,
} from "../../test/support/agent-world.ts";
import { signText } from "../lib/signing.ts";
import type { LogEntry, SourceChange } from "../model/change.ts";
import { KEYS } from "../model/keys.ts";
import { regionReportSchema } from "../model/signal.ts";
import type { SignedSnapshot } from "../model/snapshot.ts";
import type { Trouble } from "../model/trouble.ts";
import type { EmbeddedChange, IndexStore } from "../ports/index.ts";
import type { MemoryIndex } from "../sim/index.ts";
import { AGENT_PATHS } from "../wire/headers.ts";
import { positionWord } from "../wire/position.ts";
import { startAgent } from "./agent.ts";
import { knownReleases } from "./known-releases.ts";
import { withinBytes } from "./routes.ts";

let world: AgentWorld;
beforeEach(async () => {
  world = await createAgentWorld({ interval: "20ms", timeout: "1s", confirm: "400ms" });
});
afterEach(() => world.close());

const CHANGES = AGENT_PATHS.changes(INDEX);

function codeOf({ body }: { body: unknown }): string {
  return (body as { error: { code: string } }).error.code;
}

describe("ingest", () => {
  it("embeds and appends under the ownership, and answers with the position", async () => {
    await world.eu.start();
    const answer = await world.eu.ask("POST", CHANGES, DOCUMENTS);
    const position = await world.eu.index.position();
    const minPosition = positionWord(position, 1);
    assert.deepEqual(answer, { status: 200, body: { position, minPosition } });
    assert.equal(position.count, DOCUMENTS.length);
    const [first] = await world.eu.index.entriesAfter(0, 1);
    assert.deepEqual([first?.id, first?.epoch, first?.embedding], ["returns", 1, "lexical-1"]);
  });

  it("deletes by id, and needs no vector for it", async () => {
    await world.eu.start();
    await world.eu.ask("POST", CHANGES, DOCUMENTS);
    const gone = [{ op: "delete", id: "returns", sourceTime: 2_000 }];
    assert.equal((await world.eu.ask("POST", CHANGES, gone)).status, 200);
    assert.equal((await world.eu.index.position()).count, DOCUMENTS.length - 1);
  });

  it("is refused where the index is not owned, naming the owner and its address", async () => {
    await world.us.start();
    const answer = await world.us.ask("POST", CHANGES, DOCUMENTS);
    assert.equal(answer.status, 409);
    const { error } = answer.body as { error: { message: string; owner: unknown } };
    assert.match(
      error.message,
      /us-east does not own index "handbook": eu-west does, under epoch 1/,
    );
    const agent = `http://${world.eu.relay.address}`;
    assert.deepEqual(error.owner, { region: "eu-west", agent, epoch: 1 });
    assert.equal((await world.us.index.position()).seq, 0);
  });

  it("is put off while the index is frozen", async () => {
    world.own({ frozen: true });
    await world.eu.start();
    const answer = await world.eu.ask("POST", CHANGES, DOCUMENTS);
    assert.deepEqual([answer.status, codeOf(answer)], [503, "NOT_READY"]);
  });

  it("is put off when no runtime makes the release's vectors", async () => {
    await world.eu.start();
    await world.runtime.close();
    const answer = await world.eu.ask("POST", CHANGES, DOCUMENTS);
    assert.deepEqual([answer.status, codeOf(answer)], [503, "PEER_UNAVAILABLE"]);
    assert.equal((await world.eu.index.position()).seq, 0);
  });

  const faults: readonly [name: string, body: unknown, message: RegExp][] = [
    ["no list", { op: "upsert" }, /change list/],
    ["an empty list", [], /change list/],
    ["an unknown operation", [{ op: "replace" }], /change 0\.op/],
    ["too many changes", Array(501).fill(DOCUMENTS[0]), /change list/],
    [
      "a change that no replica could fetch",
      [{ op: "delete", id: "x".repeat(1_100_000), sourceTime: 1 }] satisfies SourceChange[],
      /change 0 has \d+ bytes/,
    ],
  ];
  for (const [name, body, message] of faults) {
    it(`refuses ${name}`, async () => {
      await world.eu.start();
      const answer = await world.eu.ask("POST", CHANGES, body);
      assert.deepEqual([answer.status, codeOf(answer)], [400, "CORPUS_INVALID"]);
      assert.match(JSON.stringify(answer.body), message);
    });
  }
});

describe("an owner that cannot read the store", () => {
  it("takes no more writes after `confirm`, and goes on with everything else", async () => {
    await world.eu.start();
    await world.us.start();
    assert.equal((await world.eu.ask("POST", CHANGES, DOCUMENTS)).status, 200);
    world.eu.store.reachable = false;
    await until("the refusal", async () => {
      const answer = await world.eu.ask("POST", CHANGES, DOCUMENTS.slice(0, 1));
      if (answer.status !== 503) return false;
      assert.equal(codeOf(answer), "STORE_UNAVAILABLE");
      assert.match(JSON.stringify(answer.body), /has not read the store for/);
      return true;
    });
    // It is asked for its index as before, and remembers what it owns.
    const { body } = await world.eu.ask("GET", AGENT_PATHS.index(INDEX));
    assert.equal((body as { owner: string }).owner, "eu-west");
    await until("the replica to have what was written", async () => {
      const [eu, us] = await Promise.all([world.eu.index.position(), world.us.index.position()]);
      return eu.seq === us.seq;
    });
    world.eu.store.reachable = true;
    await until(
      "writes to be taken again",
      async () => (await world.eu.ask("POST", CHANGES, DOCUMENTS)).status === 200,
    );
  });

  it("takes none from the start when it never read it", async () => {
    world.eu.store.reachable = false;
    await world.eu.start();
    const answer = await world.eu.ask("POST", CHANGES, DOCUMENTS);
    assert.deepEqual([answer.status, codeOf(answer)], [503, "NOT_READY"]);
  });
});

/** An index whose appends wait until the test lets them. */
function gated(index: MemoryIndex): {
  index: IndexStore;
  entered: Promise<void>;
  open: () => void;
} {
  let open = (): void => undefined;
  let enter = (): void => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const entered = new Promise<void>((resolve) => {
    enter = resolve;
  });
  const append = async (epoch: number, changes: readonly EmbeddedChange[]) => {
    enter();
    await gate;
    return index.append(epoch, changes);
  };
  const proxy = new Proxy<IndexStore>(index, {
    get: (target, name) => {
      if (name === "append") return append;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { index: proxy, entered, open };
}

describe("an ownership message", () => {
  const told = { index: INDEX, epoch: 2, region: "us-east", frozen: false };

  it("fences the index and is answered with the position", async () => {
    await world.eu.index.append(1, [embedded("a")]);
    await world.eu.start();
    const answer = await world.eu.ask("POST", AGENT_PATHS.ownership, told);
    assert.deepEqual(answer, { status: 200, body: await world.eu.index.position() });
    assert.equal(await world.eu.index.epoch(), 2);
    await assert.rejects(world.eu.index.append(1, [embedded("b")]), { code: "EPOCH_STALE" });
    assert.equal((await world.eu.ask("POST", CHANGES, DOCUMENTS)).status, 409);
  });

  it("is refused below the epoch that is known, or with another owner of it", async () => {
    world.own({ epoch: 3 });
    await world.eu.start();
    for (const stale of [told, { ...told, epoch: 3 }]) {
      const answer = await world.eu.ask("POST", AGENT_PATHS.ownership, stale);
      assert.deepEqual([answer.status, codeOf(answer)], [409, "EPOCH_STALE"]);
    }
  });

  it("waits for the append under way, and gives a position that holds it", async () => {
    const { index, entered, open } = gated(world.eu.index);
    await world.eu.start({ index });
    const written = world.eu.ask("POST", CHANGES, DOCUMENTS);
    await entered;
    const late = world.eu.ask("POST", CHANGES, DOCUMENTS);
    const obeyed = world.eu.ask("POST", AGENT_PATHS.ownership, {
      ...told,
      region: "eu-west",
      frozen: true,
    });
    // From here on new writes are refused, although the one before still runs.
    await until("the freeze to be known", async () => {
      const { body } = await world.eu.ask("GET", AGENT_PATHS.index(INDEX));
      return (body as { frozen: boolean }).frozen;
    });
    open();
    assert.equal((await written).status, 200);
    assert.equal(((await obeyed).body as { count: number }).count, DOCUMENTS.length);
    assert.equal((await late).status, 503);
    assert.equal((await world.eu.index.position()).seq, DOCUMENTS.length);
  });
});

describe("the loop", () => {
  it("reports signals of every region's parts and of its own runtime", async () => {
    await world.eu.start();
    await until("a report with all of them", async () => {
      const entry = await world.eu.store.get(KEYS.report("agent:eu-west"));
      const report = regionReportSchema.safeParse(entry?.value).data;
      const seen = new Map(
        report?.signals.map(({ subject, ok }) => [`${subject.part} of ${subject.region}`, ok]),
      );
      return (
        seen.get("gateway of eu-west") === true &&
        seen.get("gateway of us-east") === true &&
        seen.get("agent of eu-west") === true &&
        seen.get("agent of us-east") === false &&
        seen.get("runtime of eu-west") === true &&
        !seen.has("runtime of us-east") &&
        report?.gateway?.number === 0
      );
    });
  });

  it("reports what each gateway says of its targets, once each, and when they are well again", async () => {
    const trouble: Trouble = {
      target: "gpu-1",
      region: "us-east",
      domain: "capacity-loss",
      standing: "out",
      sinceMs: 300,
      ejections: 2,
      because: "3 failures in a row",
    };
    const { target, region, because, ...told } = trouble;
    world.us.gateway.troubles = [trouble];
    await world.eu.start();
    const targets = async () => {
      const entry = await world.eu.store.get(KEYS.report("agent:eu-west"));
      const { signals = [] } = regionReportSchema.safeParse(entry?.value).data ?? {};
      return signals.filter(({ subject }) => subject.part === "target");
    };
    await until("a report with the target", async () => (await targets()).length > 0);
    const [first, ...more] = await targets();
    assert.deepEqual(more, [], "the newest says what the older ones did");
    assert.partialDeepStrictEqual(first, {
      subject: { region, part: "target", target, gateway: "us-east" },
      ok: false,
      detail: because,
      trouble: told,
    });
    world.us.gateway.troubles = [];
    await until("the target to be well", async () => (await targets())[0]?.ok === true);
    assert.equal((await targets())[0]?.trouble, undefined);
  });

  it("numbers its reports and signals upwards over a restart", async () => {
    const read = async () =>
      regionReportSchema.parse((await world.eu.store.get(KEYS.report("agent:eu-west")))?.value);
    const first = await world.eu.start();
    await until("a report", async () =>
      read().then(
        ({ signals }) => signals.length > 3,
        () => false,
      ),
    );
    await first.close();
    const before = await read();
    await world.eu.start();
    await until("a new report with signals", async () => {
      const report = await read();
      return report.seq > before.seq && report.signals.length > 0;
    });
    const highest = Math.max(before.seq, ...before.signals.map(({ seq }) => seq));
    assert.ok((await read()).signals.every(({ seq }) => seq > highest));
  });

  function publishSeven(): SignedSnapshot {
    const { privateKey } = generateKeyPairSync("ed25519", {
      publicKeyEncoding: { type: "spki", format: "pem" },
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
    });
    const signed = signText(JSON.stringify({ number: 7, regions: {}, releases: {} }), privateKey);
    const put = { put: KEYS.snapshot, value: { ...signed, number: 7 } };
    world.backend.commit({ compare: [], operations: [put] });
    return signed;
  }

  it("hands its gateway the newest snapshot of the store, once", async () => {
    const signed = publishSeven();
    await world.us.start();
    await until("the gateway to serve it", async () => {
      const entry = await world.us.store.get(KEYS.report("agent:us-east"));
      return regionReportSchema.safeParse(entry?.value).data?.gateway?.number === 7;
    });
    assert.deepEqual(world.us.gateway.adopted, [signed]);
  });

  it("says why its gateway does not take a snapshot", async () => {
    publishSeven();
    world.us.gateway.says.takesSnapshots = false;
    await world.us.start();
    await until("the log to say it", () =>
      world.us.log.some((line) => /us-east does not take snapshot 7: no trusted key/.test(line)),
    );
  });

  it("writes the readiness of its workflows", async () => {
    await world.us.start();
    await until(
      "a readiness",
      async () => (await world.us.store.get(KEYS.readiness("us-east", WORKFLOW))) !== null,
    );
  });
});

describe("the agent's API", () => {
  it("tells its health to anybody, and nothing else without the token", async () => {
    const { url } = await world.eu.start();
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    for (const authorization of [undefined, "Bearer wrong", TOKEN]) {
      const headers = authorization === undefined ? {} : { authorization };
      const answer = await fetch(`${url}${AGENT_PATHS.index(INDEX)}`, { headers });
      assert.equal(answer.status, 401);
    }
  });

  it("gives entries in order from where it is asked, and one by its seq", async () => {
    await world.eu.index.append(1, [embedded("a"), embedded("b"), embedded("c")]);
    await world.eu.start();
    const path = AGENT_PATHS.entries(INDEX);
    const page = await world.eu.ask("GET", `${path}?after=1&limit=1`);
    assert.deepEqual(
      (page.body as LogEntry[]).map(({ id }) => id),
      ["b"],
    );
    const one = await world.eu.ask("GET", `${path}/at?seq=3`);
    assert.equal((one.body as { entry: LogEntry }).entry.id, "c");
    const none = await world.eu.ask("GET", `${path}/at?seq=4`);
    assert.deepEqual(none.body, { entry: null });
  });

  const wrong: readonly [
    name: string,
    method: string,
    path: string,
    body: unknown,
    status: number,
  ][] = [
    ["an unknown path", "GET", "/tideover/v1/nothing", undefined, 404],
    ["an unknown index", "GET", AGENT_PATHS.index("nothing"), undefined, 404],
    ["an unknown workflow", "POST", AGENT_PATHS.readiness, { workflow: "nothing" }, 404],
    ["a wrong method", "POST", AGENT_PATHS.index(INDEX), {}, 405],
    ["a body of another shape", "POST", AGENT_PATHS.ownership, { index: INDEX }, 400],
    ["a seq that is none", "GET", `${AGENT_PATHS.index(INDEX)}?at=-1`, undefined, 400],
    ["a body that is too large", "POST", AGENT_PATHS.canary, { workflow: "x".repeat(70_000) }, 413],
  ];
  for (const [name, method, path, body, status] of wrong) {
    it(`answers ${name} with ${status} and what to do`, async () => {
      await world.eu.start();
      const answer = await world.eu.ask(method, path, body);
      assert.equal(answer.status, status);
      const { error } = answer.body as { error: { message: string; next: string } };
      assert.ok(error.message.length > 0 && error.next.length > 0);
    });
  }

  it("refuses bodies that are no JSON, or no UTF-8", async () => {
    const { url } = await world.eu.start();
    for (const body of ["{", Buffer.from([0x22, 0xff, 0x22])]) {
      const headers = { authorization: `Bearer ${TOKEN}` };
      const answer = await fetch(`${url}${AGENT_PATHS.canary}`, { method: "POST", headers, body });
      assert.equal(answer.status, 400);
    }
  });

  it("says when its port is taken", async () => {
    const { url } = await world.eu.start();
    const taken = { ...emptyOptions(world), port: Number(new URL(url).port) };
    await assert.rejects(startAgent(taken), { code: "PORT_TAKEN" });
  });
});

function emptyOptions(from: AgentWorld): Parameters<typeof startAgent>[0] {
  const quiet = (): void => undefined;
  return {
    region: "eu-west",
    host: "127.0.0.1",
    port: 0,
    spec: from.spec,
    release: null,
    releases: knownReleases(from.eu.store, () => null),
    golden: new Map(),
    store: from.eu.store,
    clock: from.backend.clock,
    probe: { exchange: async () => ({ answered: false, reason: "not asked", tookMs: 0 }) },
    indexes: new Map(),
    audit: from.eu.gateway,
    token: TOKEN,
    canaryKeys: new Map(),
    logger: { info: quiet, warn: quiet },
  };
}

describe("a page of entries", () => {
  const entry = (text: string): LogEntry => ({
    ...embedded("a"),
    text,
    seq: 1,
    epoch: 1,
    digestAfter: "0",
  });

  it("ends before it grows too large, but always has one entry", () => {
    const entries = [entry("x".repeat(100)), entry("y".repeat(100)), entry("z")];
    const one = Buffer.byteLength(JSON.stringify(entries[0]));
    assert.equal(withinBytes(entries, 1).length, 1);
    assert.equal(withinBytes(entries, one * 2).length, 2);
    assert.equal(withinBytes(entries, one * 3).length, 3);
  });

  it("leaves no hole: nothing small follows on something large that was left out", () => {
    const entries = [entry("a"), entry("x".repeat(10_000)), entry("b")];
    assert.deepEqual(withinBytes(entries, 8_000).length, 1);
  });
});
