import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { embedded, INDEX } from "../../../test/support/agent-world.ts";
import { bareWorld } from "../../../test/support/bare-world.ts";
import { listIndex } from "../../../test/support/list-index.ts";
import { openSqliteIndex } from "../../adapters/index-sqlite/index.ts";
import type { EmbeddedChange, IndexHit, IndexStore } from "../../ports/index.ts";
import { MemoryIndex } from "../../sim/index.ts";
import { rebuild } from "./rebuild.ts";

const COUNT = 700;
const ALL = { prefix: 0, bits: 0 };
/** What the engine is set up for, and parameters with which it finds next to nothing. */
const GOOD = { lists: 16, probes: 15 };
const BAD = { lists: 400, probes: 1 };

/** Directions of length 1 that are all different, so that a search that looks in the wrong list misses. */
function spread(at: number): EmbeddedChange {
  const one = embedded(`d${at}`, 1_000 + at);
  const floats = Array.from({ length: 8 }, (_, n) => Math.sin((at + 1) * (n + 1) * 12.9898));
  const length = Math.hypot(...floats);
  const vector = Buffer.from(one.vector, "base64");
  for (const [n, value] of floats.entries()) vector.writeFloatLE(value / length, n * 4);
  return { ...one, vector: vector.toString("base64") };
}

async function filled(store: IndexStore): Promise<void> {
  const owner = new MemoryIndex();
  await owner.append(
    1,
    Array.from({ length: COUNT }, (_, at) => spread(at)),
  );
  await store.apply(await owner.entriesAfter(0, COUNT));
}

async function copyOf(store: IndexStore) {
  await filled(store);
  const world = bareWorld(store);
  return { world, local: world.index(INDEX) };
}

async function recall(store: IndexStore): Promise<number> {
  let [both, exact] = [0, 0];
  for (let at = 0; at < 20; at += 1) {
    const bytes = Buffer.from(spread(at * 31).vector, "base64");
    const vector = Float32Array.from({ length: bytes.length / 4 }, (_, n) =>
      bytes.readFloatLE(n * 4),
    );
    const query = { vector, embedding: embedded("x").embedding, audiences: ["public"], k: 10 };
    const names = (hits: IndexHit[]) => hits.map(({ id }) => id);
    const wanted = names(await store.search({ ...query, exact: true, proving: true }));
    const found = names(await store.search({ ...query, proving: true }));
    exact += wanted.length;
    both += wanted.filter((id) => found.includes(id)).length;
  }
  return both / exact;
}

describe("a replica's graph that is built anew", () => {
  it("finds again what an exact search finds, out of the copy's own records", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "tideover-rebuild-"));
    const inner = await openSqliteIndex({ path: join(folder, "index.db") });
    t.after(async () => {
      await inner.close();
      await rm(folder, { recursive: true });
    });
    const store = listIndex(inner, GOOD);
    const { world, local } = await copyOf(store);
    store.rebuild(BAD);
    const bad = await recall(store);
    await store.quarantine("graph-fault: it misses half");
    const [position, records] = [await store.position(), await store.recordsIn(ALL)];
    const said = await rebuild(world, local, "its searches miss half");
    assert.equal(said, `its searches miss half; its ${COUNT} records were written anew`);
    const good = await recall(store);
    assert.ok(bad < 0.5 && good > 0.95, `${bad} before, ${good} after`);
    assert.deepEqual(await store.position(), position);
    assert.deepEqual(await store.recordsIn(ALL), records);
    assert.equal((await store.standing()).kind, "quarantined", "only a proof lets it answer again");
  });

  it("has a log that begins at its position, and goes on from there", async () => {
    const store = new MemoryIndex();
    const { world, local } = await copyOf(store);
    await rebuild(world, local, "sums");
    assert.equal(await store.base(), COUNT);
    assert.equal((await store.append(1, [spread(COUNT)])).seq, COUNT + 1);
  });

  it("is restored instead where there is a way to", async () => {
    const store = new MemoryIndex();
    const { world, local } = await copyOf(store);
    const restored: string[] = [];
    world.restore = async ({ name }, because) => void restored.push(`${name}: ${because}`);
    assert.equal(
      await rebuild(world, local, "bad lists"),
      "bad lists; restored, and its graph with it",
    );
    assert.deepEqual(restored, ["handbook: bad lists"]);
    assert.equal(await store.base(), 0, "nothing was written beside that");
  });

  it("waits for a pull that is under way, whose entries would be lost with the old contents", async () => {
    const store = new MemoryIndex();
    const { world, local } = await copyOf(store);
    const pulled = Promise.withResolvers<void>();
    const pull = local.pulling.run(async () => {
      await pulled.promise;
      await store.append(1, [spread(COUNT)]);
    });
    const rebuilt = rebuild(world, local, "bad lists");
    pulled.resolve();
    await Promise.all([pull, rebuilt]);
    assert.equal((await store.position()).seq, COUNT + 1);
    assert.equal((await store.recordsOf([`d${COUNT}`])).length, 1);
  });

  it("leaves the copy as it was, and nothing open, when it cannot be written", async () => {
    const store = new MemoryIndex();
    const { world, local } = await copyOf(store);
    const before = [await store.position(), await store.recordsIn(ALL)];
    let open = 0;
    const openSnapshot = store.openSnapshot.bind(store);
    store.openSnapshot = async () => {
      const snapshot = await openSnapshot();
      open += 1;
      const { position, epoch, watermarks } = snapshot;
      const close = async (): Promise<void> => {
        open -= 1;
        await snapshot.close();
      };
      return { position, epoch, watermarks, records: (limit) => snapshot.records(limit), close };
    };
    store.restore = async () => {
      throw new Error("the disk is full");
    };
    await assert.rejects(rebuild(world, local, "bad lists"), /the disk is full/);
    assert.equal(open, 0);
    assert.deepEqual([await store.position(), await store.recordsIn(ALL)], before);
    await local.pulling.run(async () => undefined);
  });
});
