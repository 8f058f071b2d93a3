import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { LogEntry } from "../../src/model/change.ts";
import type { Position } from "../../src/model/position.ts";
import type { RangeRef } from "../../src/model/record.ts";
import type {
  EmbeddedChange,
  IndexQuery,
  IndexRestore,
  IndexStore,
} from "../../src/ports/index.ts";

/**
 * What an adapter's test gives the contract. All that it makes is cleaned up after the test.
 *
 * For a new adapter: `fresh` and `spoiled` run most of it. Give `damage` as soon as the engine can be
 * written beside the adapter (a second connection), or nothing proves that altered records are not
 * told. `durable` runs each write in a process that is killed in the middle of it; `place` and what
 * `open` takes are plain JSON. `keyed` proves that the digest key reaches every digest.
 */
export interface IndexMaker {
  /** A new, empty index. */
  fresh(): Promise<IndexStore>;
  /** A new, empty index whose digests are keyed. */
  keyed?(key: Uint8Array): Promise<IndexStore>;
  /** Alters one record where it is stored, behind the adapter's back: kept digest and sums stay. */
  damage?(index: IndexStore, id: string, how: Damage): Promise<void>;
  /** An index with records in it whose storage has become unreadable since. */
  spoiled(): Promise<IndexStore>;
  /** Only of an index that outlives its process. */
  readonly durable?: DurableIndex;
}

/**
 * One part of a record is another one: `text` says "damaged", `vector` is (0, 0, 1), `audience` is
 * "bolt". `lost`: the record is gone.
 */
export type Damage = "text" | "vector" | "audience" | "lost";

/** How another process opens an index: `options` are given to the module's `open` export. */
export interface DurableIndex {
  readonly module: string;
  readonly open: string;
  /** The place of a new, empty index. */
  place(): Promise<unknown>;
  reopen(place: unknown): Promise<IndexStore>;
}

export type MakeIndex = (t: TestContext) => Promise<IndexMaker>;

type ChangeParts = Partial<EmbeddedChange> & { readonly numbers?: readonly number[] };

/** A document: public, of `lex-1`, with the vector (1, 0, 0), unless told otherwise. */
export function upsert(id: string, { numbers = [1, 0, 0], ...parts }: ChangeParts = {}) {
  return {
    op: "upsert",
    id,
    title: `Title of ${id}`,
    text: `Text of ${id}.`,
    audience: "public",
    labels: [],
    payload: {},
    sourceTime: 1,
    embedding: "lex-1",
    vector: Buffer.from(vector(...numbers).buffer).toString("base64"),
    ...parts,
  } satisfies EmbeddedChange;
}

export function deletion(id: string, parts: ChangeParts = {}): EmbeddedChange {
  const { sourceTime, audience, embedding } = upsert(id, parts);
  const none = { title: "", text: "", labels: [], payload: {}, vector: "" };
  return { op: "delete", id, audience, sourceTime, embedding, ...none };
}

export function vector(...numbers: number[]): Float32Array<ArrayBuffer> {
  return new Float32Array(numbers);
}

/** The ids that a search gives, best first. Asks as the public, for everything, by default. */
export async function hitIds(index: IndexStore, query: Partial<IndexQuery>): Promise<string[]> {
  const hits = await index.search({
    vector: vector(1, 0, 0),
    embedding: "lex-1",
    audiences: ["public"],
    k: 100,
    ...query,
  });
  return hits.map(({ id }) => id);
}

export function logOf(index: IndexStore): Promise<LogEntry[]> {
  return index.entriesAfter(0, 1_000_000);
}

export async function fresh(make: MakeIndex, t: TestContext): Promise<IndexStore> {
  return (await make(t)).fresh();
}

/** Two indexes: the owner with three documents, and an empty replica. */
export async function pair(make: MakeIndex, t: TestContext) {
  const maker = await make(t);
  const [owner, replica] = [await maker.fresh(), await maker.fresh()];
  await owner.append(1, [upsert("a"), upsert("b"), upsert("c")]);
  return { owner, replica, entries: await logOf(owner) };
}

/** Runs `work`, expects that code, and that nothing at all has changed. */
export async function refuses(index: IndexStore, code: string, work: () => Promise<unknown>) {
  const before = await everything(index);
  await assert.rejects(work, { name: "TideoverError", code });
  assert.deepEqual(await everything(index), before);
}

export async function everything(index: IndexStore) {
  const hits = await index.search({
    vector: vector(1, 0, 0),
    embedding: "lex-1",
    audiences: ["public", "acme", "bolt"],
    labels: ["hr", "legal"],
    k: 1_000,
  });
  return { hits, ...(await stored(index)) };
}

/** All but what a search tells: also of a copy that answers nobody. */
export async function stored(index: IndexStore) {
  return {
    position: await index.position(),
    epoch: await index.epoch(),
    watermarks: await index.watermarks(),
    standing: await index.standing(),
    base: await index.base(),
    log: await logOf(index),
    orphans: await index.orphans(),
    sums: await index.sums([ALL], 4),
    records: await index.recordsIn(ALL),
  };
}

/** The range of all records. */
export const ALL: RangeRef = { prefix: 0, bits: 0 };

export function watermark(sourceTime: number, audience = ""): EmbeddedChange {
  return { ...deletion("", { sourceTime, audience }), op: "watermark", embedding: "" };
}

/** A restore's input out of another index, in pages of two records. Close it when it was used. */
export async function copyOf(index: IndexStore, first?: readonly string[]) {
  const snapshot = await index.openSnapshot();
  const { position, epoch, watermarks } = snapshot;
  const from: IndexRestore = { position, epoch, watermarks, records: snapshot.records(2, first) };
  return { from, close: () => snapshot.close() };
}

/** Restores `to` from what `from` holds. */
export async function restoreFrom(to: IndexStore, from: IndexStore): Promise<Position> {
  const copy = await copyOf(from);
  return to.restore(copy.from).finally(copy.close);
}
