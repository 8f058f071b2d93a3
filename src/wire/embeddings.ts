/**
 * The fence of vectors: an embeddings answer counts only when it is provably of the embedding that
 * was asked for. Vectors of two models lie in unrelated spaces: compared with each other they still
 * give a number, and the wrong documents with it, and nothing downstream would ever notice.
 */

import { type Fields, fieldsList, isFields, numberOr } from "./fields.ts";
import type { EmbeddingsRequest } from "./openai.ts";

export interface WantedVectors {
  /** The embedding's id, as the answer's `model` must say it. */
  readonly id: string;
  readonly dimensions: number;
  /** Texts that were sent. */
  readonly count: number;
}

/** Why a parsed answer must not be passed on, in an operator's words; null when it may be. */
export function vectorsFault(answer: unknown, wanted: WantedVectors): string | null {
  if (!isFields(answer) || !Array.isArray(answer.data)) return "no list of embeddings";
  if (answer.model !== wanted.id) return `vectors of ${shown(answer.model)}`;
  if (answer.data.length !== wanted.count) return `${answer.data.length} vectors`;
  const seen = new Set<unknown>();
  for (const entry of answer.data) {
    const length = isFields(entry) ? lengthOf(entry.embedding) : null;
    if (length === null) return "an entry without a vector";
    if (length !== wanted.dimensions) return `vectors of ${length} dimensions`;
    if (isFields(entry)) seen.add(entry.index);
  }
  // Vectors are told apart by nothing but their index: a missing one would be another text's.
  const complete = answer.data.every((_, index) => seen.has(index));
  return complete ? null : "vectors without an index each";
}

/**
 * An answer without a fault in the form that was asked for, its vectors in the order of their texts;
 * null when it came so. Servers exist that give numbers whatever is asked for. The official client
 * asks for base64 and unpacks whatever comes: of numbers it makes a shorter vector of noise, without
 * a word. And most callers read vectors by their place, whatever their index says.
 */
export function tidiedVectors(
  answer: unknown,
  encoding: EmbeddingsRequest["encoding_format"],
): Fields | null {
  if (!isFields(answer)) return null;
  const data = fieldsList(answer.data);
  const packed = encoding === "base64";
  const asAsked = data.every(
    ({ index, embedding }, place) => index === place && (typeof embedding === "string") === packed,
  );
  if (asAsked) return null;
  const inOrder = data.toSorted((a, b) => numberOr(a.index, 0) - numberOr(b.index, 0));
  const inForm = packed ? packedVector : unpackedVector;
  return {
    ...answer,
    data: inOrder.map((entry) => ({ ...entry, embedding: inForm(entry.embedding) })),
  };
}

function packedVector(vector: unknown): unknown {
  if (!Array.isArray(vector)) return vector;
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [i, part] of vector.entries()) bytes.writeFloatLE(Number(part), i * 4);
  return bytes.toString("base64");
}

function unpackedVector(vector: unknown): unknown {
  if (typeof vector !== "string") return vector;
  const bytes = Buffer.from(vector, "base64");
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => bytes.readFloatLE(i * 4));
}

/** Prompt tokens of an embeddings answer's usage; null when it does not say. */
export function embeddedTokens(answer: unknown): number | null {
  const usage = isFields(answer) ? answer.usage : undefined;
  const tokens = isFields(usage) ? usage.prompt_tokens : undefined;
  return typeof tokens === "number" ? tokens : null;
}

/** Dimensions of a vector, given as numbers or as base64 of 32-bit floats. */
function lengthOf(vector: unknown): number | null {
  if (typeof vector === "string") return base64Bytes(vector) / 4;
  if (!Array.isArray(vector)) return null;
  return vector.every((part) => Number.isFinite(part)) ? vector.length : null;
}

function base64Bytes(text: string): number {
  return Math.floor((text.replace(/=+$/, "").length * 3) / 4);
}

function shown(model: unknown): string {
  return typeof model === "string" ? model.slice(0, 100) : "an unnamed model";
}
