import { addDigest, rangeKey, recordDigest } from "../../src/core/reconcile/digest.ts";
import { NO_WATERMARKS } from "../../src/model/index-health.ts";
import { EMPTY_DIGEST, type Position } from "../../src/model/position.ts";
import type { StoredRecord } from "../../src/model/record.ts";
import type { IndexSnapshot } from "../../src/ports/index.ts";

/** Numbers that are the same in every run: a small generator (mulberry32), good enough for noise. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The vector of record n: made anew whenever it is needed, so that a million take no memory. */
export function vectorOf(n: number, dimensions: number): Float32Array<ArrayBuffer> {
  const random = randomFrom(n * 2_654_435_761 + 1);
  return Float32Array.from({ length: dimensions }, () => random() - 0.5);
}

export function idOf(n: number): string {
  return `doc-${n}`;
}

const TEXT = "A passage of some two hundred characters, as a document is cut into. ".repeat(3);

export function recordOf(n: number, dimensions: number): StoredRecord {
  const record = {
    id: idOf(n),
    audience: "public",
    labels: [],
    embedding: "bench-1",
    vector: new Uint8Array(vectorOf(n, dimensions).buffer),
    title: `Document ${n}`,
    text: `${n}: ${TEXT}`,
    payload: {},
  };
  return { ...record, digest: recordDigest(record) };
}

/** An index of made-up records that can be taken a snapshot of, in the order that the port wants. */
export class MadeIndex {
  readonly #dimensions: number;
  readonly #order: Uint32Array;
  readonly position: Position;

  constructor(count: number, dimensions: number) {
    this.#dimensions = dimensions;
    const keys = Uint32Array.from({ length: count }, (_, n) => rangeKey(idOf(n)));
    this.#order = Uint32Array.from({ length: count }, (_, n) => n).sort(
      (a, b) => (keys[a] ?? 0) - (keys[b] ?? 0) || (idOf(a) < idOf(b) ? -1 : 1),
    );
    let digest = EMPTY_DIGEST;
    for (let n = 0; n < count; n += 1) digest = addDigest(digest, recordOf(n, dimensions).digest);
    this.position = { seq: count, digest, sourceTime: 1, count };
  }

  async openSnapshot(): Promise<IndexSnapshot> {
    const [order, dimensions] = [this.#order, this.#dimensions];
    const records = async function* (limit: number, first: readonly string[] = []) {
      const hot = first.map((id) => Number(id.slice("doc-".length)));
      const told = new Set(hot);
      let page: StoredRecord[] = [];
      for (const numbers of [hot, order]) {
        for (const n of numbers) {
          if (numbers === order && told.has(n)) continue;
          page.push(recordOf(n, dimensions));
          if (page.length < limit) continue;
          yield page;
          page = [];
        }
      }
      if (page.length > 0) yield page;
    };
    const { position } = this;
    return { position, epoch: 1, watermarks: NO_WATERMARKS, records, close: async () => {} };
  }
}
