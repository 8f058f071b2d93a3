import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { openLayout } from "../../src/adapters/artifacts-layout/layout.ts";
import { openSqliteIndex } from "../../src/adapters/index-sqlite/index.ts";
import { addDigest, recordDigest } from "../../src/core/reconcile/digest.ts";
import { snapshotsAmong } from "../../src/core/reconcile/snapshot.ts";
import { EMPTY_DIGEST } from "../../src/model/position.ts";
import type { EmbeddedChange, IndexStore } from "../../src/ports/index.ts";
import { document, INDEX, IndexEstate, type RegionOfTwo } from "../support/index-estate.ts";

const DIMENSIONS = 64;
const RECORDS = 3_000;
const SLOW_MS = 120_000;

let folder: string;
let estate: IndexEstate;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "tideover-index-recovery-"));
  estate = await IndexEstate.begin({
    folder,
    dimensions: DIMENSIONS,
    replication: { strategy: "snapshot", every: "1s", keep: 2 },
    interval: "50ms",
  });
});
afterEach(async () => {
  await estate.end();
  rmSync(folder, { recursive: true, force: true });
});

/** Texts that make a snapshot of several layers. */
function changes(count: number): EmbeddedChange[] {
  const text = "A passage that takes its room in the layers of a snapshot. ".repeat(30);
  return Array.from({ length: count }, (_, n) => {
    const numbers = Float32Array.from({ length: DIMENSIONS }, (_, at) => Math.sin(n * 7 + at));
    const vector = Buffer.from(numbers.buffer).toString("base64");
    const common = { audience: "public", labels: [], payload: {}, sourceTime: n };
    return {
      op: "upsert",
      id: `d${n}`,
      title: `T${n}`,
      text,
      embedding: estate.embedding,
      vector,
      ...common,
    };
  });
}

/** An owner that has all of them, and a log that begins above the first ones when `trimmed`. */
async function filledOwner(trimmed: boolean): Promise<void> {
  const owner = await openSqliteIndex({ path: estate.indexFile("eu-west") });
  for (let at = 0; at < RECORDS; at += 1_000) {
    await owner.append(1, changes(RECORDS).slice(at, at + 1_000));
  }
  if (trimmed) await owner.trimLog(RECORDS - 10);
  await owner.close();
}

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + SLOW_MS / 2;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited in vain for: ${what}`);
    await setTimeout(5);
  }
}

async function isLevel(): Promise<boolean> {
  const [eu, us] = [await estate.position("eu-west"), await estate.position("us-east")];
  return eu.position.seq === us.position.seq && eu.position.digest === us.position.digest;
}

/** Every record is what was written, each once, and all of them sum up to the position. */
async function provesWhole(index: IndexStore): Promise<{ seq: number; digest: string }> {
  const { seq, digest, count } = await index.position();
  const records = await index.recordsIn({ prefix: 0, bits: 0 });
  for (const record of records) assert.equal(recordDigest(record), record.digest);
  assert.equal(records.length, count);
  assert.equal(new Set(records.map(({ id }) => id)).size, count);
  const sum = records.map((one) => one.digest).reduce(addDigest, EMPTY_DIGEST);
  assert.equal(sum, digest);
  return { seq, digest };
}

/** With its agent dead: what the disk holds. */
async function onDisk(region: RegionOfTwo) {
  const index = await openSqliteIndex({ path: estate.indexFile(region) });
  try {
    return { ...(await provesWhole(index)), standing: await index.standing() };
  } finally {
    await index.close();
  }
}

async function tagsOf(region: RegionOfTwo): Promise<string[]> {
  const layout = openLayout({ folder: estate.artifacts(region) });
  try {
    return snapshotsAmong(await layout.tags(), INDEX).map(({ tag }) => tag);
  } finally {
    await layout.close();
  }
}

function blobsOf(region: RegionOfTwo): number {
  const blobs = join(estate.artifacts(region), "blobs", "sha256");
  return existsSync(blobs) ? readdirSync(blobs).length : 0;
}

describe("an index whose processes are killed", { timeout: SLOW_MS }, () => {
  it("is restored from a snapshot by a replica that was killed while it did so", async () => {
    await filledOwner(true);
    await estate.start("eu-west");
    for (const pause of [0, 40, 150]) {
      await estate.start("us-east");
      await until("it to begin", () => blobsOf("us-east") > 0);
      await setTimeout(pause);
      await estate.kill("us-east");
      const { seq } = await onDisk("us-east");
      assert.ok(seq === 0 || seq >= RECORDS - 10, `half of a restore is seen, at ${seq}`);
    }
    await estate.start("us-east");
    await until("the replica to be level", isLevel);
    await until("it to be accepted", async () => {
      return (await estate.position("us-east")).standing.kind === "whole";
    });
  });

  it("has no snapshot but whole ones after a kill in the middle of taking one", async () => {
    await filledOwner(false);
    for (const blobs of [1, 2, 3]) {
      await estate.start("eu-west");
      await until("so much of it to be written", () => blobsOf("eu-west") >= blobs);
      await estate.kill("eu-west");
      const layout = openLayout({ folder: estate.artifacts("eu-west") });
      for (const tag of await tagsOf("eu-west")) {
        const found = await layout.manifest(tag);
        assert.ok(found);
      }
      await layout.close();
    }
    await estate.start("eu-west");
    await until("a whole one", async () => (await tagsOf("eu-west")).length > 0);
    await estate.start("us-east");
    await until("it to be copied", async () => (await tagsOf("us-east")).length > 0);
  });

  it("loses nothing that its owner acknowledged, and has nothing twice, whoever is killed", async () => {
    await estate.start("eu-west");
    await estate.start("us-east");
    let acknowledged = 0;
    let n = 0;
    for (const victim of ["us-east", "eu-west", "us-east"] as const) {
      const stop = new AbortController();
      const writing = (async () => {
        while (!stop.signal.aborted) {
          const batch = Array.from({ length: 5 }, () =>
            document(`w${n++ % 40}`, `Version ${n}.`, n),
          );
          try {
            acknowledged = (await estate.ingest("eu-west", batch)).seq;
          } catch {
            await setTimeout(20);
          }
        }
      })();
      const from = acknowledged;
      await until("some writes", () => acknowledged > from + 50);
      await estate.kill(victim);
      await setTimeout(100);
      await estate.start(victim);
      const behind = acknowledged;
      await until("more writes", () => acknowledged > behind + 20);
      stop.abort();
      await writing;
      await until("both to be level", isLevel);
      assert.ok((await estate.position("eu-west")).position.seq >= acknowledged);
    }
    await estate.kill("us-east");
    await estate.kill("eu-west");
    const [eu, us] = [await onDisk("eu-west"), await onDisk("us-east")];
    assert.deepEqual([us.seq, us.digest], [eu.seq, eu.digest]);
    assert.ok(eu.seq >= acknowledged);
  });
});
