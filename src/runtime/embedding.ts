import { createHash } from "node:crypto";
import { stem, words } from "../lib/text.ts";
import { generalEnglish } from "./english.ts";

/**
 * Lexical embeddings without weights: each word stem is hashed to two signed places of a vector, so
 * that texts which share words point the same way. It knows no synonyms and no meaning. It is meant
 * for local estates, drills and tests, where what matters is that the same text always gives the
 * same vector and that another embedding version gives an incompatible one.
 *
 * The salt acts as that version. Two salts scatter the same stems differently, so a query embedded
 * under one finds nothing sensible in an index built under another, as with two real models.
 */

export const DEFAULT_DIMENSIONS = 768;

export interface EmbedderOptions {
  /** The embedding version: any text; another one gives incompatible vectors. */
  readonly salt: string;
  /** Length of the vectors; `DEFAULT_DIMENSIONS` when absent. */
  readonly dimensions?: number;
}

export interface Embedder {
  readonly dimensions: number;
  /** A vector of length 1, also for a text without words, so that cosine is always defined. */
  readonly embed: (text: string) => number[];
}

/**
 * These three numbers, and the two weights in english.ts, were chosen by trying a few round values
 * on Cranfield; its words and counts went nowhere. Its figure is thus a little kind to this model.
 *
 * The first content words count double: texts open with a title or with their subject.
 */
const LEAD_WORDS = 12;
const LEAD_WEIGHT = 2;

/** Two places a stem: a collision in one then costs half of a word, not all of it. */
const PLACES = 2;

export function createEmbedder(options: EmbedderOptions): Embedder {
  const english = generalEnglish();
  const { salt, dimensions = DEFAULT_DIMENSIONS } = options;
  const embed = (text: string): number[] => {
    const vector = new Array<number>(dimensions).fill(0);
    for (const [feature, count] of countFeatures(words(text), english.isStopWord)) {
      // Sublinear: a word said ten times tells more than once, but not ten times as much.
      const weight = (1 + Math.log(count)) * (english.weightOf(feature) || 1);
      addFeature(vector, salt, feature, weight);
    }
    return normalised(vector, salt);
  };
  return { dimensions, embed };
}

function countFeatures(
  all: readonly string[],
  isStopWord: (word: string) => boolean,
): Map<string, number> {
  const telling = all.filter((word) => !isStopWord(word));
  // "To be or not to be" has only stop words: better a vector of them than none at all.
  const used = telling.length > 0 ? telling : all;
  const counts = new Map<string, number>();
  for (const [position, word] of used.entries()) {
    const feature = stem(word);
    const count = position < LEAD_WORDS ? LEAD_WEIGHT : 1;
    counts.set(feature, (counts.get(feature) ?? 0) + count);
  }
  return counts;
}

/** The sign, hashed as well, makes collisions cancel out on average instead of adding up. */
function addFeature(vector: number[], salt: string, feature: string, weight: number): void {
  const hash = createHash("sha256").update(salt).update("\0").update(feature).digest();
  for (let place = 0; place < PLACES; place++) {
    const bits = hash.readUInt32LE(place * 4);
    const at = (bits >>> 1) % vector.length;
    vector[at] = (vector[at] ?? 0) + (bits & 1 ? weight : -weight);
  }
}

function normalised(vector: number[], salt: string): number[] {
  // A text without words gets a fixed direction: index engines answer NaN for a zero vector.
  if (vector.every((part) => part === 0)) addFeature(vector, salt, "\0empty", 1);
  const length = Math.sqrt(vector.reduce((sum, part) => sum + part * part, 0));
  // Two places may meet with opposite signs and leave nothing: the first axis is as good as any.
  if (length === 0) return vector.map((_, at) => (at === 0 ? 1 : 0));
  return vector.map((part) => part / length);
}
