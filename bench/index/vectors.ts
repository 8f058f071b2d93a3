import { addDigest, recordDigest } from "../../src/core/reconcile/digest.ts";
import { NO_WATERMARKS } from "../../src/model/index-health.ts";
import { EMPTY_DIGEST } from "../../src/model/position.ts";
import type { StoredRecord } from "../../src/model/record.ts";
import type { IndexStore } from "../../src/ports/index.ts";

export const EMBEDDING = "bench-1";

/** The record of this number: always the same, with a vector that looks like any other. */
export function benchRecord(number: number, dimensions: number, version = 0): StoredRecord {
  const contents = {
    id: `doc-${String(number).padStart(7, "0")}`,
    audience: number % 10 === 0 ? "acme" : "public",
    labels: [],
    embedding: EMBEDDING,
    vector: vectorOf(number * 31 + version, dimensions),
    title: "",
    text: "",
    payload: {},
  };
  return { ...contents, digest: recordDigest(contents) };
}

function vectorOf(seed: number, dimensions: number): Uint8Array {
  const floats = new Float32Array(dimensions);
  let state = (seed * 2_654_435_761 + 1) >>> 0 || 1;
  for (let at = 0; at < dimensions; at += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    floats[at] = (state | 0) / 2 ** 31;
  }
  return new Uint8Array(floats.buffer);
}

/** What a record says, without anything that a store or a wire adds. */
export function ownBytes(record: StoredRecord): number {
  const { id, audience, labels, embedding, vector, title, text, payload } = record;
  const texts = [id, audience, ...labels, embedding, title, text, JSON.stringify(payload)];
  return texts.reduce((sum, one) => sum + Buffer.byteLength(one), vector.length);
}

const PAGE = 2_000;

/** Puts the first `count` records into an empty index, as a snapshot would. */
export async function fill(index: IndexStore, count: number, dimensions: number): Promise<void> {
  let digest = EMPTY_DIGEST;
  for (let number = 0; number < count; number += 1) {
    digest = addDigest(digest, benchRecord(number, dimensions).digest);
  }
  const position = { seq: count, digest, sourceTime: 1, count };
  const records = pages(count, dimensions);
  await index.restore({ position, epoch: 1, watermarks: NO_WATERMARKS, records });
}

async function* pages(count: number, dimensions: number): AsyncIterable<StoredRecord[]> {
  for (let from = 0; from < count; from += PAGE) {
    const size = Math.min(PAGE, count - from);
    yield Array.from({ length: size }, (_, at) => benchRecord(from + at, dimensions));
  }
}
