import { addDigest, recordDigest } from "../../src/core/reconcile/digest.ts";
import type { LogEntry } from "../../src/model/change.ts";
import { EMPTY_DIGEST, type Position } from "../../src/model/position.ts";
import type { StoredRecord } from "../../src/model/record.ts";

export const EMBEDDING = "bench-1";
const TEXT = "What a paragraph of a handbook says, about as long as one is. ".repeat(3);

/** Made-up records, the same ones for the same numbers: `n` counts from 0. */
export class Records {
  readonly #dimensions: number;
  readonly #noise: Float32Array;
  readonly #digests: string[] = [];
  readonly position: Position;

  /** Digests are computed here, so that making a record later costs next to nothing. */
  constructor(count: number, dimensions: number) {
    this.#dimensions = dimensions;
    this.#noise = noise(dimensions * 1_024);
    for (let n = 0; n < count; n++) this.#digests.push(recordDigest(this.#contents(n)));
    const digest = this.#digests.reduce(addDigest, EMPTY_DIGEST);
    this.position = { seq: count, count, digest, sourceTime: 1 };
  }

  vector(n: number): Float32Array {
    // Windows that overlap, each beginning elsewhere: as good as independent for a search.
    const from = (n * 7_919) % (this.#noise.length - this.#dimensions);
    return this.#noise.subarray(from, from + this.#dimensions);
  }

  record(n: number): StoredRecord {
    return { ...this.#contents(n), digest: this.#digests[n] ?? "" };
  }

  entry(n: number): LogEntry {
    const { vector, labels, ...record } = this.#contents(n);
    const base64 = Buffer.from(vector).toString("base64");
    const about = { seq: n + 1, epoch: 1, op: "upsert", sourceTime: 1, digestAfter: "" } as const;
    return { ...about, ...record, labels: [...labels], vector: base64 };
  }

  async *pages(size: number): AsyncIterable<readonly StoredRecord[]> {
    const count = this.#digests.length;
    for (let at = 0; at < count; at += size) {
      const length = Math.min(size, count - at);
      yield Array.from({ length }, (_, n) => this.record(at + n));
      // As a source that is read from elsewhere would: other work has its turn between pages.
      await new Promise(setImmediate);
    }
  }

  #contents(n: number): Omit<StoredRecord, "digest"> {
    const { buffer, byteOffset, byteLength } = this.vector(n);
    return {
      id: `document-${n}`,
      audience: n % 10 === 0 ? `tenant-${n % 7}` : "public",
      labels: [],
      embedding: EMBEDDING,
      vector: new Uint8Array(buffer, byteOffset, byteLength),
      title: `Document ${n}`,
      text: TEXT,
      payload: {},
    };
  }
}

/** A plain generator with a fixed seed: benchmarks must compare like with like. */
function noise(length: number): Float32Array {
  let state = 0x9e3779b9;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
