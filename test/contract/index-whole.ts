import assert from "node:assert/strict";
import { addDigest, recordDigest } from "../../src/core/reconcile/digest.ts";
import type { LogEntry } from "../../src/model/change.ts";
import type { Watermarks } from "../../src/model/index-health.ts";
import { EMPTY_DIGEST } from "../../src/model/position.ts";
import type { RangeSum, StoredRecord } from "../../src/model/record.ts";
import type { IndexStore } from "../../src/ports/index.ts";
import { ALL, logOf, vector } from "./index-support.ts";

const AUDIENCES = ["public", "acme"] as const;
const DIRECTIONS = [vector(1, 0, 0), vector(0, 1, 0), vector(0, 0, 1)];

/**
 * Position, log, records, sums and answers of one index tell one story. Gives the position, and all
 * that must be equal wherever the position is.
 */
export async function provesWhole(index: IndexStore) {
  const [position, log, records] = [
    await index.position(),
    await logOf(index),
    await index.recordsIn(ALL),
  ];
  for (const record of records) assert.equal(recordDigest(record), record.digest, record.id);
  const digest = records.reduce((sum, one) => addDigest(sum, one.digest), EMPTY_DIGEST);
  assert.deepEqual([position.digest, position.count], [digest, records.length]);
  assert.deepEqual(
    await index.marks(ALL),
    records.map(({ id, digest: kept }) => ({ id, digest: kept })),
  );
  const sums = await provesSums(index, position);
  await provesLog(index, log, records);
  const hits = await provesAnswers(index, records);
  return { position, contents: { records, sums, hits } };
}

async function provesSums(
  index: IndexStore,
  { digest, count }: { readonly digest: string; readonly count: number },
): Promise<RangeSum[]> {
  assert.deepEqual(await index.sums([ALL], 0), [{ ...ALL, digest, count }]);
  const coarse = await index.sums([ALL], 6);
  const filled = coarse.filter((sum) => sum.count > 0);
  assert.equal(coarse.map((sum) => sum.digest).reduce(addDigest, EMPTY_DIGEST), digest);
  const fine = await index.sums(filled, 10);
  for (const sum of fine.filter(({ count: held }) => held > 0)) {
    const marks = await index.marks(sum);
    const added = marks.reduce((total, mark) => addDigest(total, mark.digest), EMPTY_DIGEST);
    assert.deepEqual([sum.count, sum.digest], [marks.length, added]);
  }
  assert.equal(fine.map((sum) => sum.digest).reduce(addDigest, EMPTY_DIGEST), digest);
  return filled;
}

async function provesLog(
  index: IndexStore,
  log: readonly LogEntry[],
  records: readonly StoredRecord[],
): Promise<void> {
  const [base, { seq, digest, sourceTime }] = [await index.base(), await index.position()];
  assert.deepEqual(
    log.map((entry) => entry.seq),
    log.map((_, at) => base + at + 1),
  );
  assert.equal(seq, base + log.length);
  const last = log.at(-1);
  if (last !== undefined) {
    assert.deepEqual([last.digestAfter, last.sourceTime], [digest, sourceTime]);
  }
  if (base > 0) return;
  assert.deepEqual(records, lastWords(log));
  assert.deepEqual(await index.watermarks(), vouchedFor(log));
}

/** The live records, by reading the log as a person would: the last word on each document. */
function lastWords(log: readonly LogEntry[]): StoredRecord[] {
  const documents = log.filter(({ op }) => op !== "watermark");
  const last = new Map(documents.map((entry) => [entry.id, entry]));
  return [...last.values()]
    .filter(({ op }) => op === "upsert")
    .map(recordOf)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

function recordOf(entry: LogEntry): StoredRecord {
  const { id, audience, labels, embedding, title, text, payload } = entry;
  const bytes = Uint8Array.from(Buffer.from(entry.vector, "base64"));
  const record = { id, audience, labels, embedding, vector: bytes, title, text, payload };
  return { ...record, digest: recordDigest(record) };
}

function vouchedFor(log: readonly LogEntry[]): Watermarks {
  const times = new Map<string, number>();
  for (const { op, audience, sourceTime } of log) {
    if (op === "watermark") times.set(audience, Math.max(times.get(audience) ?? 0, sourceTime));
  }
  const { "": all = 0, ...tenants } = Object.fromEntries(times);
  return { all, tenants };
}

/** All that searches can tell: every document of each audience, from three directions. */
async function provesAnswers(index: IndexStore, records: readonly StoredRecord[]) {
  const told = [];
  for (const audience of AUDIENCES) {
    for (const [axis, direction] of DIRECTIONS.entries()) {
      const labels = axis === 0 ? [] : ["hr"];
      const query = { vector: direction, embedding: "lex-1", audiences: [audience], labels };
      const hits = await index.search({ ...query, k: 100 });
      const own = records.filter(
        (record) => record.audience === audience && record.labels.every((l) => labels.includes(l)),
      );
      assert.deepEqual(
        hits.map(({ score: _, ...hit }) => hit).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
        own.map(({ id, title, text }) => ({ id, title, text, audience })),
      );
      for (const { id, score } of hits) {
        const record = own.find((one) => one.id === id);
        assert.ok(record && Math.abs(score - cosine(record.vector, axis)) < 1e-6);
      }
      told.push(hits);
    }
  }
  return told;
}

function cosine(bytes: Uint8Array, axis: number): number {
  const floats = new Float32Array(Uint8Array.from(bytes).buffer);
  return (floats[axis] ?? 0) / Math.hypot(...floats);
}
