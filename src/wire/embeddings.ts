/**
 * The fence of vectors: an embeddings answer counts only when it is provably of the embedding that
 * was asked for. Vectors of two models lie in unrelated spaces: compared with each other they still
 * give a number, and the wrong documents with it, and nothing downstream would ever notice.
 */

import { isFields } from "./fields.ts";

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
