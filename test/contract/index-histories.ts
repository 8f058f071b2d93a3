import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import { addDigest, recordDigest } from "../../src/core/reconcile/digest.ts";
import type { LogEntry } from "../../src/model/change.ts";
import { EMPTY_DIGEST } from "../../src/model/position.ts";
import type { EmbeddedChange, IndexStore } from "../../src/ports/index.ts";
import { deletion, logOf, type MakeIndex, upsert, vector } from "./index-support.ts";

/** One thing that happens to one of two copies. `from` takes the other copy's entries. */
type Event =
  | { readonly do: "append"; readonly at: number; readonly changes: readonly EmbeddedChange[] }
  | { readonly do: "apply"; readonly at: number; readonly back: number; readonly count: number }
  | { readonly do: "rewind"; readonly at: number; readonly back: number };

const AUDIENCES = ["public", "acme"] as const;

// Few documents, texts and vectors, so that copies meet in equal contents by different ways.
const change: fc.Arbitrary<EmbeddedChange> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({
        id: fc.constantFrom("a", "b", "c"),
        audience: fc.constantFrom(...AUDIENCES),
        text: fc.constantFrom("one", "two"),
        numbers: fc.constantFrom([1, 0, 0], [0, 1, 0], [1, 2, 3]),
        sourceTime: fc.integer({ min: 1, max: 3 }),
      })
      .map(({ id, ...parts }) => upsert(id, parts)),
  },
  { weight: 1, arbitrary: fc.constantFrom("a", "b", "c").map((id) => deletion(id)) },
);

const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    do: fc.constant("append" as const),
    at: fc.nat({ max: 1 }),
    changes: fc.array(change, { maxLength: 3 }),
  }),
  // `back` above 0 resends what the copy has already, or what it has of another history.
  fc.record({
    do: fc.constant("apply" as const),
    at: fc.nat({ max: 1 }),
    back: fc.nat({ max: 3 }),
    count: fc.nat({ max: 5 }),
  }),
  fc.record({
    do: fc.constant("rewind" as const),
    at: fc.nat({ max: 1 }),
    back: fc.nat({ max: 4 }),
  }),
);

async function happen(copies: readonly IndexStore[], event: Event): Promise<IndexStore> {
  const [own, other] = event.at === 0 ? copies : [...copies].reverse();
  assert.ok(own !== undefined && other !== undefined);
  const { seq } = await own.position();
  if (event.do === "append") await own.append(1, event.changes);
  else if (event.do === "rewind") await own.rewindTo(Math.max(0, seq - event.back));
  else {
    const from = Math.max(0, seq - event.back);
    await unlessDiverged(own.apply(await other.entriesAfter(from, event.count)));
  }
  return own;
}

/** Two free histories may well not fit together; then the only thing to prove is "unchanged". */
async function unlessDiverged(work: Promise<unknown>): Promise<void> {
  await work.catch((error: { code?: string }) => assert.equal(error.code, "INDEX_DIVERGED"));
}

/** The live records, by reading the log as a person would: the last word on each document. */
function recordsOf(log: readonly LogEntry[]): LogEntry[] {
  const last = new Map(log.map((entry) => [entry.id, entry]));
  return [...last.values()]
    .filter(({ op }) => op === "upsert")
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** All that searches can tell: every document of each audience, from three directions. */
async function found(index: IndexStore) {
  const directions = [vector(1, 0, 0), vector(0, 1, 0), vector(0, 0, 1)];
  const asked = AUDIENCES.flatMap((audience) =>
    directions.map((direction) => ({ audience, direction })),
  );
  return Promise.all(
    asked.map(({ audience, direction }) =>
      index.search({ vector: direction, embedding: "lex-1", audiences: [audience], k: 100 }),
    ),
  );
}

/** Log, records and position of one index tell one story. Gives position and contents. */
export async function provesWhole(index: IndexStore) {
  const log = await logOf(index);
  const records = recordsOf(log);
  const position = await index.position();
  const digests = records.map((record) =>
    recordDigest({ ...record, vector: Buffer.from(record.vector, "base64") }),
  );
  const last = log.at(-1);
  assert.deepEqual(
    log.map(({ seq }) => seq),
    log.map((_, at) => at + 1),
  );
  assert.deepEqual(position, {
    seq: log.length,
    digest: digests.reduce(addDigest, EMPTY_DIGEST),
    sourceTime: last?.sourceTime ?? 0,
    count: records.length,
  });
  assert.equal(last?.digestAfter ?? EMPTY_DIGEST, position.digest);
  const hits = await found(index);
  hits.forEach((list, at) => {
    const audience = AUDIENCES[Math.floor(at / 3)];
    const expected = records.filter((record) => record.audience === audience);
    const told = list.map(({ score: _, ...hit }) => hit).sort((a, b) => (a.id < b.id ? -1 : 1));
    assert.deepEqual(
      told,
      expected.map(({ id, title, text, audience }) => ({ id, title, text, audience })),
    );
    for (const { id, score } of list) {
      const own = expected.find((record) => record.id === id);
      assert.ok(own && Math.abs(score - cosine(own.vector, at % 3)) < 1e-6);
    }
  });
  const contents = records.map(({ seq: _, epoch: __, digestAfter: ___, ...rest }) => {
    // Not part of a record: the source may say the same thing twice.
    return { ...rest, sourceTime: 0 };
  });
  return { position, contents, hits };
}

function cosine(base64: string, axis: number): number {
  const floats = new Float32Array(Uint8Array.from(Buffer.from(base64, "base64")).buffer);
  return (floats[axis] ?? 0) / Math.hypot(...floats);
}

export function provesHistories(make: MakeIndex): void {
  it("means equal contents by equal positions, after any history", async (t) => {
    const maker = await make(t);
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 14 }), async (events) => {
        const copies = [await maker.fresh(), await maker.fresh()];
        const seen = new Map<string, unknown>();
        for (const one of events) {
          const { position, contents, hits } = await provesWhole(await happen(copies, one));
          const key = JSON.stringify(position);
          assert.deepEqual({ contents, hits }, seen.get(key) ?? { contents, hits });
          seen.set(key, { contents, hits });
        }
        for (const copy of copies) await copy.close();
      }),
      { numRuns: 40 },
    );
  });
}
