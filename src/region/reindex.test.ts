import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import fc from "fast-check";
import { z } from "zod";
import {
  type AgentRegion,
  type AgentWorld,
  createAgentWorld,
  EMBEDDING,
  embedded,
  INDEX,
  RELEASE,
  until,
} from "../../test/support/agent-world.ts";
import {
  addNextModel,
  answeredBy,
  embeddedAs,
  NEXT,
  NEXT_EMBEDDING,
  NEXT_RELEASE,
  wronglyEmbedded,
} from "../../test/support/next-model.ts";
import { TideoverError } from "../lib/errors.ts";
import type { SourceChange } from "../model/change.ts";
import { KEYS } from "../model/keys.ts";
import { versionNames } from "../model/vectors.ts";
import type { IndexStore } from "../ports/index.ts";
import type { RunningRuntime } from "../runtime/server.ts";
import { AGENT_PATHS } from "../wire/headers.ts";

let world: AgentWorld;
let next: RunningRuntime;
beforeEach(async () => {
  world = await createAgentWorld();
  next = await addNextModel(world);
});
afterEach(async () => {
  await world.close();
  await next.close();
});

const ALL = { prefix: 0, bits: 0 };
const wordSchema = z.object({
  reindex: z
    .object({
      ...{ running: z.boolean(), error: z.string().nullable() },
      ...{ done: z.int(), total: z.int(), accepted: z.string().nullable() },
    })
    .nullable(),
});

async function begin(order: object = {}, region: AgentRegion = world.eu) {
  return region.ask("POST", AGENT_PATHS.reindex(INDEX), order);
}

/** Gives an order to the owner's agent, and how it ended. */
async function reindexed(order: object = {}) {
  const begun = await begin(order);
  assert.equal(begun.status, 200, JSON.stringify(begun.body));
  await ended();
  const word = await lastWord();
  assert.ok(word !== null);
  return word;
}

/** At once when no order was ever given. */
async function ended() {
  await until("it to end", async () => (await lastWord())?.running !== true);
}

async function lastWord() {
  const { body } = await world.eu.ask("GET", AGENT_PATHS.reindex(INDEX));
  return wordSchema.parse(body).reindex;
}

function write(id: string, text = `Text of ${id}.`): SourceChange {
  const document = { id, title: id, text, audience: "public", labels: [], payload: {} };
  return { op: "upsert", document: { ...document, sourceTime: 2_000 } };
}

async function send(changes: readonly SourceChange[]): Promise<void> {
  const { status, body } = await world.eu.ask("POST", AGENT_PATHS.changes(INDEX), changes);
  assert.equal(status, 200, JSON.stringify(body));
}

/** Through the pipeline, so that each vector is the model's of its text. */
async function fill(count: number): Promise<void> {
  const changes = Array.from({ length: count }, (_, at) => write(`d${at}`));
  for (let at = 0; at < count; at += 200) await send(changes.slice(at, at + 200));
}

/** Ids found, or the code of the refusal. */
async function asked(index: IndexStore, version: string, text = "Text of d1."): Promise<unknown> {
  const query = { vector: embeddedAs(version, `d1\n${text}`), embedding: version };
  try {
    const hits = await index.search({ ...query, audiences: ["public"], k: 3 });
    return hits.map(({ id }) => id);
  } catch (error) {
    return error instanceof TideoverError ? error.code : error;
  }
}

async function first(index: IndexStore, version: string, text?: string): Promise<unknown> {
  const found = await asked(index, version, text);
  return Array.isArray(found) ? found[0] : found;
}

async function level(): Promise<void> {
  await until("the replica to be level", async () => {
    const [eu, us] = [await world.eu.index.position(), await world.us.index.position()];
    return eu.seq === us.seq && eu.digest === us.digest;
  });
}

async function versionsIn(index: IndexStore): Promise<string[]> {
  const records = await index.recordsIn(ALL);
  assert.deepEqual(records.flatMap(wronglyEmbedded), []);
  return [...new Set(records.map(({ embedding }) => versionNames(embedding).join("+")))];
}

/** An index of which some calls are other ones. */
function altered(index: IndexStore, calls: Partial<IndexStore>): IndexStore {
  return new Proxy(index, {
    get: (target, name) => {
      const found: unknown = Reflect.get(calls, name) ?? Reflect.get(target, name);
      return typeof found === "function" ? found.bind(target) : found;
    },
  });
}

/**
 * Looks at a copy after each of its writes: the old version is answered always, the new one from all
 * records or not at all. What was seen is in `seen`: an agent goes on whatever is thrown here.
 */
function watched(index: IndexStore, seen: Set<string>): IndexStore {
  const look = async <T>(work: Promise<T>): Promise<T> => {
    const done = await work;
    const records = await index.recordsIn(ALL);
    const isWhole = records.length === 0 || answeredBy(records).includes(NEXT);
    const old = await asked(index, EMBEDDING);
    if (!Array.isArray(old)) seen.add(`the old version is refused: ${old}`);
    const found = await asked(index, NEXT);
    if ((found === "INDEX_UNAVAILABLE") === isWhole) seen.add(`a mixture: ${found}`);
    seen.add(isWhole ? "whole" : "refused");
    return done;
  };
  return altered(index, {
    append: (...given: Parameters<IndexStore["append"]>) => look(index.append(...given)),
    apply: (...given: Parameters<IndexStore["apply"]>) => look(index.apply(...given)),
  });
}

describe("a reindex with another model", () => {
  it("answers the old version from every region all the time, and the new one when it is whole", async () => {
    const [own, theirs] = [new Set<string>(), new Set<string>()];
    await world.eu.start({ index: watched(world.eu.index, own) });
    await world.us.start({ index: watched(world.us.index, theirs) });
    await fill(150);
    await level();
    const { seq } = await world.eu.index.position();
    let over = false;
    let searches = 0;
    const load = [world.eu.index, world.us.index].map(async (index) => {
      for (; !over; searches += 1) {
        assert.deepEqual(await first(index, EMBEDDING), "d1");
        const found = await first(index, NEXT);
        assert.ok(found === "INDEX_UNAVAILABLE" || found === "d1", `${found}`);
        await new Promise(setImmediate);
      }
    });
    const word = await reindexed({ embedding: NEXT_EMBEDDING });
    assert.equal(word.error, null);
    assert.match(word.accepted ?? "", /contents: all 150 records are what was written/);
    await level();
    over = true;
    await Promise.all(load);
    assert.ok(searches > 20, `${searches}`);
    for (const seen of [own, theirs]) assert.deepEqual([...seen].sort(), ["refused", "whole"]);
    for (const { index } of [world.eu, world.us]) {
      assert.deepEqual(await versionsIn(index), [`${EMBEDDING}+${NEXT}`]);
      assert.deepEqual(await first(index, NEXT), "d1");
    }
    assert.equal((await world.eu.index.position()).seq, seq + 150);
    // Called again, it finds nothing to do.
    assert.equal((await reindexed({ embedding: NEXT_EMBEDDING })).error, null);
    assert.equal((await world.eu.index.position()).seq, seq + 150);
  });

  it("goes on where it was, after a break at any of its writes, and the old version is answered meanwhile", async () => {
    await world.eu.index.append(1, []);
    let breakAt = 0;
    let writes = 0;
    const append: IndexStore["append"] = async (epoch, changes) => {
      writes += 1;
      if (writes === breakAt) throw new Error("killed");
      return world.eu.index.append(epoch, changes);
    };
    const index = altered(world.eu.index, { append });
    let agent = await world.eu.start({ index });
    await fill(350);
    // The first before anything is written, every other one a page further.
    for (breakAt = 1; ; breakAt = 2) {
      writes = 0;
      const { error } = await reindexed({ embedding: NEXT_EMBEDDING });
      assert.equal(await first(world.eu.index, EMBEDDING), "d1");
      if (error === null) break;
      assert.equal(error, "killed");
      assert.equal(await asked(world.eu.index, NEXT), "INDEX_UNAVAILABLE");
      // What the agent knew of it is gone with its process.
      await agent.close();
      agent = await world.eu.start({ index });
    }
    assert.deepEqual(await versionsIn(world.eu.index), [`${EMBEDDING}+${NEXT}`]);
  });

  it("can be given up: what was built is taken away, and every record is as it was", async () => {
    let left = Number.POSITIVE_INFINITY;
    const append: IndexStore["append"] = async (epoch, changes) => {
      left -= 1;
      if (left < 0) throw new Error("killed");
      return world.eu.index.append(epoch, changes);
    };
    await world.eu.start({ index: altered(world.eu.index, { append }) });
    await fill(250);
    const before = await world.eu.index.recordsIn(ALL);
    left = 1;
    assert.equal((await reindexed({ embedding: NEXT_EMBEDDING })).error, "killed");
    assert.equal((await versionsIn(world.eu.index)).length, 2);
    left = Number.POSITIVE_INFINITY;
    assert.equal((await reindexed({ drop: NEXT })).error, null);
    assert.deepEqual(await world.eu.index.recordsIn(ALL), before);
  });

  it("keeps both versions whole through what a pipeline writes and deletes, until one is dropped", async () => {
    const agents = [await world.eu.start(), await world.us.start()];
    await fill(20);
    await reindexed({ embedding: NEXT_EMBEDDING });
    await send([
      write("new"),
      write("d1", "Another text."),
      { op: "delete", id: "d2", sourceTime: 3 },
    ]);
    await level();
    for (const { index } of [world.eu, world.us]) {
      assert.deepEqual(await versionsIn(index), [`${EMBEDDING}+${NEXT}`]);
    }
    const refused = await begin({ drop: EMBEDDING });
    assert.equal(refused.status, 400, JSON.stringify(refused.body));
    assert.match(JSON.stringify(refused.body), /asks with lexical-1/);
    // The release that asks with the new one is activated; the old one can still be gone back to.
    for (const agent of agents) await agent.close();
    for (const region of [world.eu, world.us]) await region.start({ release: NEXT_RELEASE });
    await send([write("later")]);
    assert.deepEqual(await versionsIn(world.eu.index), [`${EMBEDDING}+${NEXT}`]);
    assert.equal((await reindexed({ drop: EMBEDDING })).error, null);
    await send([write("last")]);
    await level();
    for (const { index } of [world.eu, world.us]) {
      assert.deepEqual(await versionsIn(index), [NEXT]);
      assert.equal(await asked(index, EMBEDDING), "INDEX_UNAVAILABLE");
      assert.deepEqual(await first(index, NEXT, "Another text."), "d1");
    }
  });

  it("gives its vector also to a document whose write began before there was that version", async () => {
    let hold: Promise<unknown> | null = null;
    const vectors: IndexStore["vectors"] = async () => {
      const held = await world.eu.index.vectors();
      const until = hold;
      hold = null;
      await until;
      return held;
    };
    await world.eu.start({ index: altered(world.eu.index, { vectors }) });
    await fill(3);
    const built = Promise.withResolvers<void>();
    hold = built.promise;
    const late = send([write("late")]);
    await until("the write to be under way", () => hold === null);
    assert.equal((await reindexed({ embedding: NEXT_EMBEDDING })).error, null);
    built.resolve();
    await late;
    assert.deepEqual(await versionsIn(world.eu.index), [`${EMBEDDING}+${NEXT}`]);
    assert.equal((await world.eu.index.position()).count, 4);
  });

  it("refuses a write that would end the answers of a version, and says what to do", async () => {
    await world.eu.start();
    await fill(3);
    await reindexed({ embedding: NEXT_EMBEDDING });
    await next.close();
    const { status, body } = await world.eu.ask("POST", AGENT_PATHS.changes(INDEX), [write("new")]);
    assert.equal(status, 503, JSON.stringify(body));
    assert.match(JSON.stringify(body), /answers lexical-2: no runtime of eu-west embeds/);
    assert.match(JSON.stringify(body), /tideover index reindex --drop lexical-2/);
    assert.equal((await world.eu.index.position()).count, 3);
    assert.equal((await reindexed({ drop: NEXT })).error, null);
    await send([write("new")]);
  });

  it("property: with writes, deletes, builds and drops in any order, no search of the old version is refused, and every vector is its text's", async () => {
    const seen = new Set<string>();
    await world.eu.start({ index: watched(world.eu.index, seen) });
    await world.us.start({ index: watched(world.us.index, seen) });
    await fill(120);
    const step = fc.oneof(
      fc.tuple(fc.integer({ min: 0, max: 130 }), fc.string()).map(
        ([at, text]) =>
          () =>
            send([write(`d${at}`, `Text ${text}`)]),
      ),
      fc
        .integer({ min: 2, max: 130 })
        .map((at) => () => send([{ op: "delete", id: `d${at}`, sourceTime: 3 }])),
      fc.constantFrom({ embedding: NEXT_EMBEDDING }, { drop: NEXT }).map((order) => async () => {
        await begin(order);
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 10 }), async (steps) => {
        for (const one of steps) await one();
        await ended();
        await level();
        for (const { index } of [world.eu, world.us]) {
          const versions = await versionsIn(index);
          assert.ok(versions.every((names) => names.split("+").includes(EMBEDDING)));
        }
      }),
      { numRuns: 6 },
    );
    assert.equal((await reindexed({ embedding: NEXT_EMBEDDING })).error, null);
    assert.deepEqual([...seen].sort(), ["refused", "whole"]);
    assert.deepEqual(await versionsIn(world.eu.index), [`${EMBEDDING}+${NEXT}`]);
  });
});

describe("a reindex with the active release's model", () => {
  const old = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ ...embedded(`d${at}`), embedding: "former-1" }));

  it("makes an index of a former version answer, and leaves alone what has the vector", async () => {
    await world.eu.index.append(1, old(230));
    await world.eu.start();
    await world.us.start();
    assert.equal((await reindexed()).error, null);
    await level();
    for (const { index } of [world.eu, world.us]) {
      await until("the copy to be accepted and to answer again", async () => {
        return (await first(index, EMBEDDING)) === "d1";
      });
    }
    assert.equal((await reindexed({ drop: "former-1" })).error, null);
    assert.deepEqual(await versionsIn(world.eu.index), [EMBEDDING]);
  });

  it("is refused where the index is not owned, and while another version is under way", async () => {
    await world.eu.start();
    await world.us.start();
    assert.equal((await begin({}, world.us)).status, 409);
    await fill(150);
    await begin({ embedding: NEXT_EMBEDDING });
    const other = await begin();
    assert.match(JSON.stringify(other.body), /lexical-2 is being built at the moment/);
    await ended();
  });
});

describe("a release that asks with another embedding version", () => {
  const verify = (region: AgentRegion) =>
    region.ask("POST", AGENT_PATHS.verifyRelease, { digest: NEXT_RELEASE.digest });

  it("is not verified in a region before that region's copy is whole and accepted with it", async () => {
    const agent = await world.us.start();
    await world.eu.start();
    await fill(30);
    await level();
    const early = await verify(world.eu);
    assert.match(
      JSON.stringify(early.body),
      /index handbook is not yet whole as lexical-2: it holds lexical-1/,
    );
    assert.match(JSON.stringify(early.body), /RELEASE_INVALID/);
    assert.deepEqual((await verify(world.us)).body, {
      complete: false,
      detail: "index handbook is not yet whole as lexical-2: it holds lexical-1",
    });
    // The replica does not follow while its agent is away.
    await agent.close();
    await reindexed({ embedding: NEXT_EMBEDDING });
    assert.match(
      JSON.stringify((await verify(world.eu)).body),
      /"complete":true.*handbook has passed its acceptance as lexical-2/,
    );
    const facts = async () => ({ ...(await world.us.index.facts()), faults: ["no graph"] });
    const bad = await world.us.start({ index: altered(world.us.index, { facts }) });
    await level();
    const unaccepted = { complete: false, detail: "handbook as lexical-2: engine: no graph" };
    assert.deepEqual((await verify(world.us)).body, unaccepted);
    await bad.close();
    await world.us.start();
    assert.match(JSON.stringify((await verify(world.us)).body), /"complete":true.*acceptance/);
  });

  it("whose version is the one that is asked with needs no proof", async () => {
    await world.eu.start();
    await fill(3);
    const value = { digest: RELEASE.digest, body: RELEASE.body, signatures: [], parts: {} };
    const known = { ...value, number: null, since: 0, by: "test" };
    world.backend.commit({
      compare: [],
      operations: [{ put: KEYS.release(RELEASE.digest), value: known }],
    });
    const { body } = await world.eu.ask("POST", AGENT_PATHS.verifyRelease, {
      digest: RELEASE.digest,
    });
    assert.match(JSON.stringify(body), /"complete":true/);
  });
});
