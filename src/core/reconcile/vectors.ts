import {
  type HeldVectors,
  inOrder,
  severalVectors,
  spellingOf,
  type VectorModel,
  versionNames,
} from "../../model/vectors.ts";

const BYTES = 4;

/** As much of a record or a change as its vectors are. */
export interface Vectored {
  readonly embedding: string;
  /** Little-endian f32. */
  readonly vector: Uint8Array;
}

/** A vector by itself, out of a record that may have several. */
export interface OneVector {
  readonly model: VectorModel;
  readonly bytes: Uint8Array;
}

/** Where a version's numbers begin in the vectors of some records, and how many they are. */
export interface VectorPlace extends HeldVectors {
  readonly from: number;
  /** Numbers of this version's vector; `total` of all of them. */
  readonly total: number;
}

/** Where the vectors of a version lie in these records; null when they have none of it. */
export function placeOf(held: HeldVectors, version: string): VectorPlace | null {
  const several = severalVectors(held.embedding);
  const total = held.dimensions;
  if (several === null) return held.embedding === version ? { ...held, from: 0, total } : null;
  let from = 0;
  for (const { version: one, dimensions } of several) {
    if (one === version) return { embedding: held.embedding, dimensions, from, total };
    from += dimensions;
  }
  return null;
}

/** Every vector of a record by itself. */
export function vectorsOf({ embedding, vector }: Vectored): OneVector[] {
  const whole = { version: embedding, dimensions: vector.length / BYTES };
  let at = 0;
  return (severalVectors(embedding) ?? [whole]).map((model) => {
    const bytes = vector.subarray(at * BYTES, (at + model.dimensions) * BYTES);
    at += model.dimensions;
    return { model, bytes };
  });
}

/** The vectors laid end to end, as a record holds them. */
export function joined(vectors: readonly OneVector[]): Vectored {
  const ordered = inOrder(vectors.map(({ model, bytes }) => ({ ...model, bytes })));
  return {
    embedding: spellingOf(vectors.map(({ model }) => model)),
    vector: Buffer.concat(ordered.map(({ bytes }) => bytes)),
  };
}

/**
 * The versions that an index answers questions of: those that every record has a vector of. What
 * only some have is being built, or being dropped.
 */
export function answeredVersions(held: readonly HeldVectors[]): string[] {
  const sets = held.map(({ embedding }) => new Set(versionNames(embedding)));
  const [first, ...others] = sets;
  return [...(first ?? [])].filter((version) => others.every((set) => set.has(version))).sort();
}

/** All versions that any record has a vector of, each once. */
export function heldVersions(held: readonly HeldVectors[]): string[] {
  return [...new Set(held.flatMap(({ embedding }) => versionNames(embedding)))].sort();
}

/**
 * The versions whose vectors a write has to carry, or an index that answers them would answer them
 * no more: those that every record has, as far as they can still be embedded. `active`: what the
 * release embeds with.
 */
export function requiredModels(
  held: readonly HeldVectors[],
  active: VectorModel | null,
): VectorModel[] {
  return answeredVersions(held).flatMap((version) => modelOf(held, active, version) ?? []);
}

/** By what a version is embedded: what the release says, or the records themselves. */
export function modelOf(
  held: readonly HeldVectors[],
  active: VectorModel | null,
  version: string,
): VectorModel | null {
  if (active?.version === version) return active;
  const models = held.flatMap(({ embedding }) => severalVectors(embedding) ?? []);
  return models.find((one) => one.version === version && one.model !== undefined) ?? null;
}

/** The best `k` of results that were ordered each by itself: best first, equal ones by id. */
export function bestOf<T extends { readonly id: string; readonly score: number }>(
  lists: readonly (readonly T[])[],
  k: number,
): readonly T[] {
  const [only, ...others] = lists;
  if (only !== undefined && others.length === 0) return only;
  return lists
    .flat()
    .sort((a, b) => b.score - a.score || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)))
    .slice(0, Math.max(0, k));
}
