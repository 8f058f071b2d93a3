import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { vector } from "../../../test/contract/index-support.ts";
import { recordDigest } from "../../core/reconcile/digest.ts";
import { LeafSums } from "../../ledger/leaf-sums.ts";
import { hexOf, NO_SUM, plus } from "../../ledger/sum.ts";
import { NO_WATERMARKS } from "../../model/index-health.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { IndexQuery, IndexRestore } from "../../ports/index.ts";
import { openSqliteIndex } from "./index.ts";
import { Thread } from "./thread.ts";

const FIXTURE = new URL("./thread.fixture.ts", import.meta.url);
const query: IndexQuery = {
  vector: vector(1, 0, 0),
  embedding: "lex-1",
  audiences: ["public"],
  k: 4,
};

function doubling(): Thread<number, number> {
  return new Thread<number, number>(FIXTURE, { path: "somewhere.db" });
}

it("fails what is under way when a thread dies, and starts another", async (t) => {
  const thread = doubling();
  t.after(() => thread.close());
  for (const [deadly, why] of [
    [13, /somewhere\.db is gone: it was ended/],
    [14, /somewhere\.db is gone: out of luck/],
  ] as const) {
    await assert.rejects(untilItFails(thread, deadly), { code: "INDEX_UNAVAILABLE", message: why });
    assert.equal(await thread.ask(4), 8);
  }
});

/** It dies a moment after it was asked the second one, so that a few may still be answered. */
async function untilItFails(thread: Thread<number, number>, deadly: number): Promise<void> {
  for (;;) await thread.ask(deadly);
}

it("goes on after a question that cannot be sent", async (t) => {
  const thread = new Thread<unknown, number>(FIXTURE, { path: "somewhere.db" });
  t.after(() => thread.close());
  await assert.rejects(
    thread.ask(() => 1),
    { name: "DataCloneError" },
  );
  assert.equal(await thread.ask(4), 8);
});

it("fails what is under way when it is closed", async () => {
  const thread = doubling();
  assert.equal(await thread.ask(1), 2);
  const late = thread.ask(13);
  await Promise.all([assert.rejects(late, { code: "INDEX_UNAVAILABLE" }), thread.close()]);
  await assert.rejects(thread.ask(1), { code: "INDEX_UNAVAILABLE", message: /was closed/ });
});

it("leaves the event loop free while a large index is searched", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "tideover-index-"));
  const index = await openSqliteIndex({ path: join(folder, "large.db") });
  t.after(async () => {
    await index.close();
    await rm(folder, { recursive: true });
  });
  await index.restore(large(8_000, 384));
  const long: IndexQuery = { ...query, vector: new Float32Array(384).fill(1) };
  // The first one starts the thread.
  assert.equal((await index.search(long)).length, 4);
  // Done on this thread, no search would let the loop turn once. On a busy machine this thread may
  // itself have to wait while the other one finishes, so that one search of many is enough.
  let turns = 0;
  for (let attempt = 0; turns < 3 && attempt < 50; attempt++) {
    turns = await turnsDuring(index.search(long));
  }
  assert.equal(turns, 3);
});

/** How often the event loop turns while that is under way; at most three times. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let done = false;
  const end = work.then(() => {
    done = true;
  });
  let turns = 0;
  for (; turns < 3; turns++) {
    await new Promise(setImmediate);
    if (done) break;
  }
  await end;
  return turns;
}

function large(count: number, dimensions: number): IndexRestore {
  const records = Array.from({ length: count }, (_, n): StoredRecord => {
    const floats = Float32Array.from({ length: dimensions }, (__, at) => Math.sin(n + at));
    const contents = { id: `d${n}`, audience: "public", labels: [], embedding: "lex-1" };
    const texts = { title: "", text: "", payload: {}, vector: new Uint8Array(floats.buffer) };
    return { ...contents, ...texts, digest: recordDigest({ ...contents, ...texts }) };
  });
  const sums = new LeafSums();
  for (const { digest } of records) sums.add(0, Buffer.from(digest, "hex"));
  const { sum } = [...sums.leaves().values()].reduce(plus, NO_SUM);
  const position = { seq: count, count, digest: hexOf(sum), sourceTime: 1 };
  const pages = async function* () {
    yield records;
  };
  return { position, epoch: 1, watermarks: NO_WATERMARKS, records: pages() };
}
