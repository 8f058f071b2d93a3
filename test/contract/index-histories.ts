import assert from "node:assert/strict";
import { it } from "node:test";
import fc from "fast-check";
import type { EmbeddedChange, IndexStore } from "../../src/ports/index.ts";
import {
  type Damage,
  deletion,
  type IndexMaker,
  type MakeIndex,
  restoreFrom,
  upsert,
  watermark,
} from "./index-support.ts";
import { provesWhole } from "./index-whole.ts";

/** One thing that happens to one of two copies, `at`. Some take the other copy's contents. */
type Event = { readonly at: number } & (
  | { readonly do: "append"; readonly changes: readonly EmbeddedChange[] }
  | { readonly do: "apply"; readonly back: number; readonly count: number }
  | { readonly do: "rewind"; readonly back: number }
  | { readonly do: "trim"; readonly back: number }
  | { readonly do: "restore" }
  | { readonly do: "reopen" }
  | { readonly do: "mend"; readonly id: string; readonly how: Damage }
);

// Few documents, texts and vectors, so that copies meet in equal contents by different ways.
const ids = fc.constantFrom("a", "b", "c");
const change: fc.Arbitrary<EmbeddedChange> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record({
        id: ids,
        audience: fc.constantFrom("public", "acme"),
        labels: fc.constantFrom<string[]>([], ["hr"]),
        text: fc.constantFrom("one", "two"),
        numbers: fc.constantFrom([1, 0, 0], [0, 1, 0], [1, 2, 3]),
        sourceTime: fc.integer({ min: 1, max: 3 }),
      })
      .map(({ id, ...parts }) => upsert(id, parts)),
  },
  { weight: 2, arbitrary: ids.map((id) => deletion(id)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 9 }), fc.constantFrom("", "acme"))
      .map(([time, tenant]) => watermark(time, tenant)),
  },
);

const at = fc.nat({ max: 1 });
const back = fc.nat({ max: 4 });
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("append" as const),
      at,
      changes: fc.array(change, { maxLength: 3 }),
    }),
  },
  // `back` above 0 resends what the copy has already, or what it has of another history.
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("apply" as const),
      at,
      back: fc.nat({ max: 3 }),
      count: fc.nat({ max: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("rewind" as const), at, back }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("trim" as const), at, back }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restore" as const), at }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reopen" as const), at }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("mend" as const),
      at,
      id: ids,
      how: fc.constantFrom("text", "vector", "audience", "lost"),
    }),
  },
);

/** Two copies, and how to open one of them again. */
interface Copies {
  readonly maker: IndexMaker;
  readonly open: IndexStore[];
  readonly places: readonly unknown[];
}

async function twoCopies(maker: IndexMaker): Promise<Copies> {
  const { durable } = maker;
  if (durable === undefined) {
    return { maker, open: [await maker.fresh(), await maker.fresh()], places: [] };
  }
  const places = [await durable.place(), await durable.place()];
  const open = [await durable.reopen(places[0]), await durable.reopen(places[1])];
  return { maker, open, places };
}

async function happen(copies: Copies, event: Event): Promise<IndexStore> {
  const [own, other] = [copies.open[event.at], copies.open[1 - event.at]];
  assert.ok(own !== undefined && other !== undefined);
  const { seq } = await own.position();
  if (event.do === "append") await own.append(1, event.changes);
  else if (event.do === "rewind") await unlessDiverged(own.rewindTo(Math.max(0, seq - event.back)));
  else if (event.do === "trim") await own.trimLog(seq - event.back);
  else if (event.do === "restore") await restoreFrom(own, other);
  else if (event.do === "mend") await mend(copies.maker, own, event.id, event.how);
  else if (event.do === "reopen") return reopen(copies, event.at);
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

/** Damages a record, and puts back what it was; a stranger that came in meanwhile goes. */
async function mend(maker: IndexMaker, index: IndexStore, id: string, how: Damage): Promise<void> {
  const [put, position] = [await index.recordsOf([id]), await index.position()];
  if (put.length > 0) await maker.damage?.(index, id, how);
  await index.repair({ at: position, put, drop: put.length > 0 ? [] : [id] });
}

async function reopen({ maker, open, places }: Copies, which: number): Promise<IndexStore> {
  const own = open[which];
  assert.ok(own !== undefined);
  if (maker.durable === undefined) return own;
  await own.close();
  const again = await maker.durable.reopen(places[which]);
  open[which] = again;
  return again;
}

export function provesHistories(make: MakeIndex): void {
  it("means equal contents and sums by equal positions, after any history", async (t) => {
    const maker = await make(t);
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 14 }), async (events) => {
        const copies = await twoCopies(maker);
        const seen = new Map<string, unknown>();
        for (const one of events) {
          const { position, contents } = await provesWhole(await happen(copies, one));
          assert.deepEqual(contents, seen.get(position.digest) ?? contents);
          seen.set(position.digest, contents);
        }
        for (const copy of copies.open) await copy.close();
      }),
      { numRuns: maker.durable === undefined ? 60 : 20 },
    );
  });
}
