import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  type AgentWorld,
  createAgentWorld,
  embedded,
  INDEX,
  until,
} from "../../test/support/agent-world.ts";
import { KEYS } from "../model/keys.ts";
import { regionReportSchema } from "../model/signal.ts";
import { AGENT_PATHS } from "../wire/headers.ts";

let world: AgentWorld;
beforeEach(async () => {
  world = await createAgentWorld();
});
afterEach(() => world.close());

const many = (count: number, prefix = "d") =>
  Array.from({ length: count }, (_, at) => embedded(`${prefix}${at}`, 1_000 + at));

async function isLevel(): Promise<boolean> {
  const [eu, us] = await Promise.all([world.eu.index.position(), world.us.index.position()]);
  return eu.seq === us.seq && eu.digest === us.digest;
}

async function reportOf(region: string) {
  const entry = await world.us.store.get(KEYS.report(`agent:${region}`));
  return regionReportSchema.parse(entry?.value);
}

describe("a replica", () => {
  it("copies the owner's index, and reports where both stand", async () => {
    await world.eu.index.append(1, many(450));
    await world.eu.start();
    await world.us.start();
    await until("the replica to be level", isLevel);
    await until("its report to say so", async () => {
      const state = await reportOf("us-east")
        .then(({ indexes }) => indexes[0])
        .catch(() => undefined);
      return state?.position.seq === 450 && state.ownerPosition?.seq === 450;
    });
    const [state] = (await reportOf("us-east")).indexes;
    assert.deepEqual([state?.lagMs, state?.orphans, state?.error], [0, 0, null]);
    // What it applied came with the owner's epoch: the replica is fenced, too.
    assert.equal(await world.us.index.epoch(), 1);
  });

  it("goes on where it was after its owner broke off in the middle of a page", async () => {
    await world.eu.index.append(1, many(450));
    await world.eu.start();
    world.eu.relay.breakAfterBytes = 300_000;
    await world.us.start();
    await until("the replica to be level", isLevel);
    assert.equal(world.eu.relay.breaks, 1);
  });

  it("keeps what it has while its owner is away, says so, and follows it when it is back", async () => {
    await world.eu.index.append(1, many(3));
    await world.eu.start();
    await world.us.start();
    await until("the replica to be level", isLevel);
    const port = world.eu.relay.to;
    world.eu.relay.cut();
    await until("the report to name the owner's silence", async () =>
      /the agent of eu-west did not answer/.test(
        (await reportOf("us-east")).indexes[0]?.error ?? "",
      ),
    );
    await world.eu.index.append(1, many(2, "later"));
    world.eu.relay.to = port;
    await until("the replica to be level again", isLevel);
    assert.equal((await world.us.index.position()).seq, 5);
    await until(
      "the error to be gone",
      async () => (await reportOf("us-east")).indexes[0]?.error === null,
    );
  });

  it("comes back under a newer owner, takes back its own tail and keeps it as orphans", async () => {
    await world.eu.index.append(1, many(10));
    await world.us.index.apply(await world.eu.index.entriesAfter(0, 10));
    await world.eu.index.append(1, many(3, "tail"));
    await world.us.index.append(2, many(2, "new"));
    world.own({ epoch: 2, region: "us-east" });
    await world.us.start();
    await world.eu.start();
    await until("the old owner to be level", isLevel);
    assert.equal((await world.eu.index.position()).seq, 12);
    const orphans = await world.eu.index.orphans();
    assert.deepEqual(
      orphans.map(({ id }) => id),
      ["tail0", "tail1", "tail2"],
    );
    await until(
      "the orphans to be reported",
      async () => (await reportOf("eu-west").catch(() => null))?.indexes[0]?.orphans === 3,
    );
    assert.ok(world.eu.log.some((line) => /took back 3 changes of handbook above 10/.test(line)));
  });

  it("does not follow an owner that lost what it wrote itself", async () => {
    await world.eu.index.append(1, many(4));
    await world.us.index.apply(await world.eu.index.entriesAfter(0, 4));
    await world.eu.index.rewindTo(2);
    await world.eu.start();
    await world.us.start();
    await until("the refusal to be reported", async () =>
      /it has lost entries/.test(
        (await reportOf("us-east").catch(() => null))?.indexes[0]?.error ?? "",
      ),
    );
    assert.equal((await world.us.index.position()).seq, 4);
  });

  it("does not empty itself when the owner's index cannot be read", async () => {
    await world.eu.index.append(1, many(4));
    await world.us.index.apply(await world.eu.index.entriesAfter(0, 4));
    world.eu.index.spoil("disk gone");
    // A newer epoch: the owner's shorter log would now be followed.
    world.own({ epoch: 2 });
    await world.eu.start();
    await world.us.start();
    await until("the failure to be reported", async () =>
      /answered 503.*disk gone/.test(
        (await reportOf("us-east").catch(() => null))?.indexes[0]?.error ?? "",
      ),
    );
    assert.equal((await world.us.index.position()).seq, 4);
  });
});

describe("catching up on demand", () => {
  it("gives both positions, level", async () => {
    await world.eu.index.append(1, many(5));
    await world.eu.start();
    await world.us.start();
    const answer = await world.us.ask("POST", AGENT_PATHS.catchUp(INDEX), { timeoutMs: 5_000 });
    const position = await world.eu.index.position();
    assert.deepEqual(answer, { status: 200, body: { own: position, owner: position } });
  });

  it("gives its own position alone when the owner does not answer", async () => {
    await world.us.start();
    const answer = await world.us.ask("POST", AGENT_PATHS.catchUp(INDEX), { timeoutMs: 5_000 });
    const own = await world.us.index.position();
    assert.deepEqual(answer, { status: 200, body: { own, owner: null } });
  });

  it("learns of a move from the store before it asks anybody", async () => {
    await world.us.index.append(2, many(2));
    await world.eu.start();
    await world.us.start();
    world.own({ epoch: 2, region: "us-east" });
    const answer = await world.eu.ask("POST", AGENT_PATHS.catchUp(INDEX), { timeoutMs: 5_000 });
    const position = await world.us.index.position();
    assert.deepEqual(answer.body, { own: position, owner: position });
  });

  it("says that a copy must not follow, instead of calling it slow", async () => {
    await world.eu.index.append(1, many(4));
    await world.us.index.apply(await world.eu.index.entriesAfter(0, 4));
    await world.eu.index.rewindTo(2);
    await world.eu.start();
    await world.us.start();
    const answer = await world.us.ask("POST", AGENT_PATHS.catchUp(INDEX), { timeoutMs: 5_000 });
    assert.equal(answer.status, 409);
    assert.match(JSON.stringify(answer.body), /INDEX_DIVERGED/);
  });
});
