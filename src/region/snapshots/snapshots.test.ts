import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { z } from "zod";
import {
  type AgentWorld,
  createAgentWorld,
  embedded,
  INDEX,
  until,
} from "../../../test/support/agent-world.ts";
import { snapshotsAmong } from "../../core/reconcile/snapshot.ts";
import type { IndexStanding } from "../../model/index-health.ts";
import type { IndexRestore } from "../../ports/index.ts";
import { MemoryIndex } from "../../sim/index.ts";
import { AGENT_PATHS } from "../../wire/headers.ts";
import { findSnapshot } from "./read.ts";
import { UNPROVEN } from "./restore.ts";
import { takeSnapshot } from "./take.ts";

let world: AgentWorld;
const begin = (every: string) => async () => {
  world = await createAgentWorld(undefined, { strategy: "snapshot", every, keep: 2 });
};
afterEach(() => world.close());

const many = (count: number, prefix = "d") =>
  Array.from({ length: count }, (_, at) => embedded(`${prefix}${at}`, 1_000 + at));

async function isLevel(): Promise<boolean> {
  const [eu, us] = await Promise.all([world.eu.index.position(), world.us.index.position()]);
  return eu.seq === us.seq && eu.digest === us.digest;
}

async function tagsIn(region: "eu" | "us"): Promise<string[]> {
  return snapshotsAmong(await world[region].artifacts.tags(), INDEX).map(({ tag }) => tag);
}

const takenSchema = z.object({ tag: z.string(), digest: z.string() });

async function take(region: "eu" | "us") {
  const { status, body } = await world[region].ask("POST", AGENT_PATHS.snapshots(INDEX));
  assert.equal(status, 200, JSON.stringify(body));
  return takenSchema.parse(body);
}

const orphanIds = async () => (await world.us.index.orphans()).map(({ id }) => id);

describe("the snapshots of an index", () => {
  beforeEach(begin("100ms"));

  it("are taken where it is owned, copied ahead to the other regions, and few are kept", async () => {
    await world.eu.index.append(1, many(30));
    await world.eu.start();
    await world.us.start();
    await until("a snapshot in both regions", async () => {
      const [eu, us] = [await tagsIn("eu"), await tagsIn("us")];
      return eu.length > 0 && us.join() === eu.join();
    });
    for (const prefix of ["e", "f", "g"]) {
      const before = (await tagsIn("eu"))[0];
      await world.eu.index.append(1, many(3, prefix));
      await until("the next one", async () => (await tagsIn("eu"))[0] !== before);
    }
    await until("two to be kept in both", async () => {
      const [eu, us] = [await tagsIn("eu"), await tagsIn("us")];
      return eu.length === 2 && us.join() === eu.join();
    });
    const [newest = ""] = await tagsIn("us");
    const found = await findSnapshot(world.us.artifacts, INDEX, newest);
    assert.deepEqual(found.config.position, await world.eu.index.position());
    // What only the ones before named is gone, too.
    assert.deepEqual(await world.eu.artifacts.unreachable(0), []);
  });

  it("let the owner forget its log up to the oldest that every copy has passed", async () => {
    await world.eu.index.append(1, many(30));
    await world.eu.start();
    await world.us.start();
    await until("the replica to be level", isLevel);
    await until("the log to begin later", async () => (await world.eu.index.base()) === 29);
    assert.equal((await world.eu.index.entryAt(30))?.seq, 30);
    await world.eu.index.append(1, many(5, "later"));
    await until("the replica to be level again", isLevel);
  });

  it("are equal by digest when the contents are, whoever took them", async () => {
    await world.eu.index.append(1, many(30));
    await world.eu.start();
    await world.us.start();
    await until("the replica to be level", isLevel);
    assert.deepEqual(await take("us"), await take("eu"));
  });
});

describe("a copy that no log leads to the owner", () => {
  beforeEach(begin("1h"));

  /** An owner whose log begins above 30, and that is at 40. */
  async function trimmedOwner(): Promise<void> {
    await world.eu.index.append(1, many(30));
    const { artifacts, index } = world.eu;
    await takeSnapshot({ index: INDEX, store: index, target: artifacts });
    await index.append(1, many(10, "later"));
    await index.trimLog(30);
    await world.eu.start();
  }

  it("is restored from a snapshot, and goes on with the stream from there", async () => {
    await trimmedOwner();
    await world.us.start();
    await until("the replica to be level", isLevel);
    assert.ok((await world.us.index.base()) >= 30);
    await world.eu.index.append(1, many(5, "more"));
    await until("the replica to follow", isLevel);
    await until(
      "it to be accepted",
      async () => (await world.us.index.standing()).kind === "whole",
    );
  });

  it("answers nobody from the moment at which it is replaced until it was accepted", async () => {
    const standings: IndexStanding[] = [];
    const watched = new (class extends MemoryIndex {
      override async restore(from: IndexRestore) {
        const position = await super.restore(from);
        standings.push(await this.standing());
        return position;
      }
    })();
    await trimmedOwner();
    await world.us.start({ index: watched });
    await until("it to be restored", () => standings.length > 0);
    assert.deepEqual(standings[0], { kind: "quarantined", because: UNPROVEN });
    await until("it to be accepted", async () => (await watched.standing()).kind === "whole");
  });

  it("keeps aside what the new owner may not have", async () => {
    await world.us.index.append(1, many(3, "lost"));
    world.own({ epoch: 2, region: "eu-west" });
    await trimmedOwner();
    await world.us.start();
    await until("the replica to be level", isLevel);
    assert.deepEqual(await orphanIds(), ["lost0", "lost1", "lost2"]);
  });

  it("is not restored from what the owner's stream does not go on from", async () => {
    const other = new MemoryIndex();
    await other.append(1, many(35, "former"));
    await takeSnapshot({ index: INDEX, store: other, target: world.us.artifacts });
    await trimmedOwner();
    await world.us.start();
    await until("the replica to be level", isLevel);
    assert.ok(
      world.us.log.some((line) => /passed over: the owner had other records at seq 35/.test(line)),
      world.us.log.join("\n"),
    );
  });

  it("mends a snapshot of its own whose bytes have changed, from the owner's region", async () => {
    await trimmedOwner();
    const { artifacts, folder } = world.us;
    await takeSnapshot({ index: INDEX, store: await atThirty(), target: artifacts });
    const [tag = ""] = await tagsIn("us");
    const [layer] = (await findSnapshot(artifacts, INDEX, tag)).layers;
    const path = join(folder, "blobs", "sha256", layer?.digest.slice("sha256:".length) ?? "");
    const bytes = await readFile(path);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    await writeFile(path, bytes);
    await world.us.start();
    await until("the replica to be level", isLevel);
    await artifacts.manifest(tag);
  });

  async function atThirty(): Promise<MemoryIndex> {
    const index = new MemoryIndex();
    await index.append(1, many(30));
    return index;
  }

  it("asks the owner for a snapshot when it has none", async () => {
    await trimmedOwner();
    const { artifacts } = world.eu;
    for (const tag of await tagsIn("eu")) await artifacts.remove(tag);
    await world.us.start();
    await until("the replica to be level", isLevel);
    assert.ok((await readdir(join(world.us.folder, "blobs", "sha256"))).length > 0);
  });
});
