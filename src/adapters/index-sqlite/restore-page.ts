import type { StoredRecord } from "../../model/record.ts";

/** Records on their way to another thread, with their vectors in one piece of memory. */
export interface PackedPage {
  readonly records: readonly Omit<StoredRecord, "vector">[];
  /** Where each vector ends. */
  readonly ends: readonly number[];
  readonly vectors: ArrayBuffer;
}

/**
 * Packed, since a vector may be a view on something much larger (a file's contents, a pool), and a
 * view is sent with all that it looks at. `vectors` is to be transferred, not copied again.
 */
export function packPage(page: readonly StoredRecord[]): PackedPage {
  const ends: number[] = [];
  const total = page.reduce((size, { vector }) => {
    ends.push(size + vector.length);
    return size + vector.length;
  }, 0);
  const vectors = new Uint8Array(total);
  const records = page.map(({ vector, ...record }, at) => {
    vectors.set(vector, (ends[at] ?? 0) - vector.length);
    return record;
  });
  return { records, ends, vectors: vectors.buffer };
}

export function unpackPage({ records, ends, vectors }: PackedPage): StoredRecord[] {
  return records.map((record, at) => {
    const from = ends[at - 1] ?? 0;
    return { ...record, vector: new Uint8Array(vectors, from, (ends[at] ?? 0) - from) };
  });
}
