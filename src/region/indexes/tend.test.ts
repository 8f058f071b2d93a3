import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  type AgentRegion,
  type AgentWorld,
  createAgentWorld,
  embedded,
  INDEX,
  until,
  WORKFLOW,
} from "../../../test/support/agent-world.ts";
import { recordDigest } from "../../core/reconcile/digest.ts";
import type { IndexFaultKind } from "../../model/index-health.ts";
import { KEYS } from "../../model/keys.ts";
import { readinessSchema } from "../../model/readiness.ts";
import type { StoredRecord } from "../../model/record.ts";
import { regionReportSchema } from "../../model/signal.ts";
import type { IndexQuery, IndexRepair } from "../../ports/index.ts";
import { MemoryIndex } from "../../sim/index.ts";
import { AGENT_PATHS } from "../../wire/headers.ts";

let world: AgentWorld;
beforeEach(async () => {
  world = await createAgentWorld();
});
afterEach(() => world.close());

const COUNT = 60;
const many = (count: number, from = 0) =>
  Array.from({ length: count }, (_, at) => embedded(`d${from + at}`, 1_000 + at));

async function bothLevel(): Promise<void> {
  await world.eu.index.append(1, many(COUNT));
  await world.eu.start();
  await world.us.start();
  await until("the replica to be level", isLevel);
}

async function isLevel(): Promise<boolean> {
  const [eu, us] = await Promise.all([world.eu.index.position(), world.us.index.position()]);
  return eu.seq > 0 && eu.seq === us.seq && eu.digest === us.digest;
}

async function contents({ index }: AgentRegion): Promise<StoredRecord[]> {
  return index.recordsIn({ prefix: 0, bits: 0 });
}

async function isAnswering({ index }: AgentRegion): Promise<boolean> {
  return (await index.standing()).kind === "whole";
}

function said(region: AgentRegion, words: RegExp): boolean {
  return region.log.some((line) => words.test(line));
}

async function reported(region: AgentRegion) {
  const entry = await region.store.get(KEYS.report(`agent:${region.name}`));
  return regionReportSchema.parse(entry?.value).indexes[0];
}

const flipped = new Uint8Array(1_024).fill(1);
interface Damage {
  readonly name: string;
  readonly kind: IndexFaultKind;
  readonly inflict: (index: MemoryIndex) => void;
}
const DAMAGES: readonly Damage[] = [
  {
    name: "a flipped vector",
    kind: "corruption",
    inflict: (one) => one.tamper("d7", { vector: flipped }),
  },
  { name: "another text", kind: "corruption", inflict: (one) => one.tamper("d7", { text: "no" }) },
  { name: "a lost record", kind: "loss", inflict: (one) => one.tamper("d7", null) },
  {
    name: "many lost and altered records",
    kind: "loss",
    inflict: (one) => {
      for (let at = 0; at < 20; at += 1) one.tamper(`d${at}`, at % 2 === 0 ? null : { title: "x" });
    },
  },
  {
    name: "another audience",
    kind: "authorization",
    inflict: (one) => one.tamper("d7", { audience: "acme" }),
  },
  {
    name: "labels gone",
    kind: "authorization",
    inflict: (one) => one.tamper("d7", { labels: ["all"] }),
  },
  {
    name: "another embedding version",
    kind: "embedding-skew",
    inflict: (one) => one.tamper("d7", { embedding: "e9" }),
  },
  {
    name: "a record that was forged well",
    kind: "corruption",
    inflict: (one) => {
      const texts = { ...embedded("d7"), text: "forged", labels: [], payload: {} };
      const contents = { ...texts, vector: Uint8Array.from(Buffer.from(texts.vector, "base64")) };
      one.tamper("d7", { text: "forged", digest: recordDigest(contents) });
    },
  },
];

describe("a standby's damaged copy", () => {
  for (const { name, kind, inflict } of DAMAGES) {
    it(`is quarantined, named and repaired from the owner: ${name}`, async () => {
      await bothLevel();
      const before = await contents(world.us);
      inflict(world.us.index);
      assert.notDeepEqual(await contents(world.us), before);
      await until("it to be named", () =>
        said(world.us, new RegExp(`copy of handbook: ${kind}: `)),
      );
      await until("it to answer again", () => isAnswering(world.us));
      assert.deepEqual(await contents(world.us), before);
      assert.ok(said(world.us, /quarantines its copy of handbook/));
      assert.ok(said(world.us, /has passed its acceptance and answers again/));
      assert.equal((await world.us.index.position()).seq, COUNT);
    });
  }

  it("is not ready at once, and says why, until it is cured", async () => {
    await bothLevel();
    const readiness = async () => {
      const entry = await world.us.store.get(KEYS.readiness("us-east", WORKFLOW));
      return readinessSchema.safeParse(entry?.value).data;
    };
    const health = async () =>
      (await readiness())?.checks.find((check) => check.name === "index-health");
    await until("it to be well", async () => (await health())?.pass === true);
    world.eu.relay.cut();
    world.us.index.tamper("d7", { text: "no" });
    await until("it to be unready", async () => (await health())?.pass === false);
    await until("the reason to be told", async () => {
      return /^corruption: 1 of 60 records are not what was/.test((await health())?.evidence ?? "");
    });
    const state = await reported(world.us);
    assert.deepEqual([state?.standing?.kind, state?.fault?.kind], ["quarantined", "corruption"]);
    assert.match(state?.scrub?.cure ?? "", /not cured: .*the agent of eu-west did not answer/);
  });

  it("is repaired while the owner goes on writing", async () => {
    await bothLevel();
    for (let at = 0; at < 10; at += 1)
      world.us.index.tamper(`d${at}`, at < 5 ? null : { text: "" });
    for (let at = 0; at < 30; at += 1) {
      await world.eu.index.append(1, many(2, at * 2));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until("it to answer again", () => isAnswering(world.us));
    await until("it to be level", isLevel);
    assert.deepEqual(await contents(world.us), await contents(world.eu));
  });

  it("gets back from its own log what it lost and the owner has changed since", async () => {
    await bothLevel();
    world.eu.relay.cut();
    world.us.index.tamper("d7", null);
    await world.eu.index.append(1, [{ ...embedded("d7"), text: "A newer text." }]);
    world.eu.relay.to = Number(new URL((await world.eu.start()).url).port);
    await until("it to be level and whole", async () => {
      return (await isAnswering(world.us)) && (await isLevel());
    });
    assert.deepEqual(await contents(world.us), await contents(world.eu));
  });

  it("that was left in quarantine by a former run is examined, and answers again", async () => {
    await world.eu.index.append(1, many(COUNT));
    await world.us.index.apply(await world.eu.index.entriesAfter(0, COUNT));
    world.us.index.tamper("d1", null);
    await world.us.index.quarantine("killed in the middle of a repair");
    await world.eu.start();
    await world.us.start();
    await until("it to answer again", () => isAnswering(world.us));
    assert.deepEqual(await contents(world.us), await contents(world.eu));
  });

  it("is never repaired with records that are damaged at the owner's, too", async () => {
    await bothLevel();
    world.eu.index.tamper("d7", { text: "damaged there" });
    world.us.index.tamper("d7", { text: "damaged here" });
    await until("both to be named", () =>
      [world.eu, world.us].every((one) => said(one, /corruption: /)),
    );
    await until("a cure to be tried", async () => {
      const { cure } = (await reported(world.us))?.scrub ?? { cure: null };
      return cure?.includes("put 0") ?? false;
    });
    assert.equal(await isAnswering(world.us), false);
    assert.deepEqual(
      (await world.us.index.recordsOf(["d7"])).map(({ text }) => text),
      ["damaged here"],
    );
  });
});

/** Dies at the write of this number, counted from when it is armed: neither it nor a later one. */
class DyingIndex extends MemoryIndex {
  writesLeft = Number.POSITIVE_INFINITY;

  override async repair(fix: IndexRepair): Promise<void> {
    this.#live();
    return super.repair(fix);
  }

  override async quarantine(because: string | null): Promise<void> {
    this.#live();
    return super.quarantine(because);
  }

  #live(): void {
    if (this.writesLeft <= 0) throw new Error("killed");
    this.writesLeft -= 1;
  }
}

describe("an agent that is killed while it cures a copy", () => {
  const LOST = 1_100;

  // Quarantine and diagnosis, three writes of the repair, and the lifting: six writes in all.
  for (const writes of [1, 2, 3, 4, 5]) {
    it(`after ${writes} writes: its successor ends what it began, and nobody saw it half done`, async () => {
      const index = new DyingIndex();
      await world.eu.index.append(1, many(LOST + 50));
      await index.apply(await world.eu.index.entriesAfter(0, LOST + 50));
      await world.eu.start();
      const first = await world.us.start({ index });
      index.writesLeft = writes;
      for (let at = 0; at < LOST; at += 1)
        index.tamper(`d${at}`, at % 3 === 0 ? null : { text: "" });
      await until("it to be killed", () => index.writesLeft === 0);
      await first.close();
      assert.equal((await index.standing()).kind, "quarantined");
      index.writesLeft = Number.POSITIVE_INFINITY;
      await world.us.start({ index });
      await until("it to answer again", async () => (await index.standing()).kind === "whole");
      const whole = { prefix: 0, bits: 0 };
      assert.deepEqual(await index.recordsIn(whole), await world.eu.index.recordsIn(whole));
    });
  }
});

describe("an owner's damaged copy", () => {
  it("is quarantined and named, and repaired once another region owns the index", async () => {
    await bothLevel();
    const before = await contents(world.eu);
    world.eu.index.tamper("d7", { audience: "bolt" });
    await until("it to be named", () => said(world.eu, /copy of handbook: authorization: /));
    await until("its report to say that nothing can be done", async () => {
      const { cure } = (await reported(world.eu))?.scrub ?? { cure: null };
      return cure?.includes("eu-west owns it") ?? false;
    });
    await assert.rejects(
      world.eu.index.search({ vector: new Float32Array(256), embedding: "x", audiences: [], k: 1 }),
      { code: "INDEX_QUARANTINED" },
    );
    world.own({ epoch: 2, region: "us-east" });
    await until("it to answer again", () => isAnswering(world.eu));
    assert.deepEqual(await contents(world.eu), before);
  });
});

describe("orders to an agent", () => {
  const verify = AGENT_PATHS.verify(INDEX);
  const repair = AGENT_PATHS.repair(INDEX);

  it("to prove itself: accepted when all is as written, and refused and quarantined when not", async () => {
    await bothLevel();
    const proven = await world.us.ask("POST", AGENT_PATHS.prove(INDEX), {});
    assert.partialDeepStrictEqual(proven, { status: 200, body: { accepted: true } });
    assert.match(JSON.stringify(proven.body), /contents: all 60 records are what was written/);
    // Else its loop might have cured it by then.
    world.eu.relay.cut();
    world.us.index.tamper("d7", { text: "no" });
    const refused = await world.us.ask("POST", AGENT_PATHS.prove(INDEX), {});
    assert.partialDeepStrictEqual(refused, { status: 200, body: { accepted: false } });
    assert.match(JSON.stringify(refused.body), /corruption: /);
    assert.ok(said(world.us, /quarantines its copy of handbook/));
  });

  it("to prove itself: accepted although its owner's copy is damaged, which proves nothing against it", async () => {
    await bothLevel();
    await world.eu.index.quarantine("3 records differ");
    world.eu.index.tamper("d7", null);
    const proven = await world.us.ask("POST", AGENT_PATHS.prove(INDEX), {});
    assert.partialDeepStrictEqual(proven, { status: 200, body: { accepted: true } });
  });

  it("to verify: a whole copy, level with its owner by its sums", async () => {
    await bothLevel();
    const { status, body } = await world.us.ask("POST", verify, {});
    assert.equal(status, 200);
    const { fault, compared } = body as { fault: unknown; compared: Record<string, unknown> };
    assert.equal(fault, null);
    const { level, differing, rounds, error } = compared;
    assert.deepEqual(
      [compared.with, level, differing, rounds, error],
      ["eu-west", true, 0, 1, null],
    );
  });

  it("to verify: asks golden questions with the labels that their tenant holds", async () => {
    const asked: (readonly string[] | undefined)[] = [];
    class Watched extends MemoryIndex {
      override search(query: IndexQuery) {
        if (query.audiences.includes("acme")) asked.push(query.labels);
        return super.search(query);
      }
    }
    const index = new Watched();
    await index.append(1, [{ ...embedded("returns"), labels: ["staff"] }]);
    await world.eu.start({ index });
    const { body } = await world.eu.ask("POST", verify, {});
    assert.equal((body as { fault: unknown }).fault, null);
    assert.ok(asked.length > 0, "it was asked");
    assert.ok(
      asked.every((labels) => labels?.join() === "staff"),
      JSON.stringify(asked),
    );
  });

  it("to repair: refused where the index is owned", async () => {
    await bothLevel();
    const { status, body } = await world.eu.ask("POST", repair, {});
    assert.equal(status, 503);
    assert.match(JSON.stringify(body), /it owns the index itself/);
    const other = await world.us.ask("POST", repair, {});
    assert.deepEqual(other.body, { cured: true, because: "nothing is wrong with it" });
  });

  it("are refused without the token, and with a body that is too large or no question", async () => {
    await bothLevel();
    const { url } = { url: `http://${world.us.relay.address}` };
    const bare = await fetch(`${url}${AGENT_PATHS.compare(INDEX)}`, { method: "POST" });
    assert.equal(bare.status, 401);
    for (const [question, status] of [
      ["AAAA", 400],
      ["not base64!", 400],
      ["A".repeat(2_000_000), 413],
    ] as const) {
      const answer = await world.us.ask("POST", AGENT_PATHS.compare(INDEX), { question });
      assert.equal(answer.status, status, question.slice(0, 20));
    }
    const ids = Array.from({ length: 501 }, (_, at) => `${at}`);
    assert.equal((await world.us.ask("POST", AGENT_PATHS.records(INDEX), { ids })).status, 400);
  });
});
