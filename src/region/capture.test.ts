import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import {
  type AgentWorld,
  createAgentWorld,
  embedded,
  until,
} from "../../test/support/agent-world.ts";
import type { EmbeddedChange } from "../ports/index.ts";
import type { ChangeSource, SourceBatch } from "../ports/source.ts";

/** Somebody's documents, and what was taken of them. */
class FakeSource implements ChangeSource {
  readonly waiting: EmbeddedChange[] = [];
  refused: string[] = [];
  asked = 0;
  level = 50_000;
  /** Makes this many `taken` fail after the append: a kill in between. */
  losesTaken = 0;

  async next(limit: number): Promise<SourceBatch> {
    this.asked += 1;
    const changes = this.waiting.slice(0, limit);
    const { refused } = this;
    const levelAt = changes.length < limit ? this.level : null;
    const taken = async (): Promise<void> => {
      if (this.losesTaken-- > 0) throw new Error("the connection is gone");
      this.waiting.splice(0, changes.length);
      this.refused = [];
    };
    return { changes, refused, levelAt, taken };
  }

  async close(): Promise<void> {}
}

let world: AgentWorld;
let source: FakeSource;
beforeEach(async () => {
  world = await createAgentWorld();
  source = new FakeSource();
});
afterEach(() => world.close());

describe("an index that is fed from somebody else's table", () => {
  it("takes all that is there, in parts, and then vouches for it in every region", async () => {
    source.waiting.push(...Array.from({ length: 1_200 }, (_, n) => embedded(`d${n}`)));
    await world.eu.start({ source });
    await world.us.start();
    await until("the replica to have all of it", async () => {
      const { count } = await world.us.index.position();
      return count === 1_200 && (await world.us.index.watermarks()).all === 50_000;
    });
    assert.deepEqual(source.waiting, []);
  });

  it("says that it is alive now and then, not at every look", async () => {
    await world.eu.start({ source });
    await until("some looks", () => source.asked > 4);
    assert.equal((await world.eu.index.position()).seq, 1);
    source.level += 10_000;
    await until("the next word", async () => (await world.eu.index.position()).seq === 2);
  });

  it("loses nothing when the notes cannot be cleared, and repeats the documents", async () => {
    source.losesTaken = 1;
    source.waiting.push(embedded("a"), embedded("b"));
    await world.eu.start({ source });
    await until("the notes to be cleared", () => source.waiting.length === 0);
    assert.equal((await world.eu.index.position()).count, 2);
    assert.ok(
      world.eu.log.some((line) => /source of index handbook.*connection is gone/.test(line)),
    );
  });

  it("is fed by its owner's agent alone, and by the next owner's when it moves", async () => {
    source.waiting.push(embedded("a"));
    await world.us.start({ source });
    await world.eu.start();
    await until("a look at who owns it", async () => (await world.us.index.epoch()) === 1);
    assert.equal(source.asked, 0);
    world.own({ region: "us-east", epoch: 2 });
    await until(
      "the new owner to take it",
      async () => (await world.us.index.position()).count === 1,
    );
    assert.equal((await world.us.index.entryAt(1))?.epoch, 2);
  });

  it("names the documents that it has to leave out", async () => {
    source.refused = ["row 7 of table documents has no audience"];
    await world.eu.start({ source });
    await until("the word of it", () => world.eu.log.some((line) => /left out: row 7/.test(line)));
  });
});
