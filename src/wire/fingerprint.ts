import { sha256 } from "../lib/canonical.ts";
import type { ChatMessage } from "./openai.ts";

/**
 * Telling which model really answers, by what it does. A region's files can name the intended
 * model while its server has another one loaded, so readiness asks and compares fingerprints.
 *
 * The reference runtime answers the probe with a line derived from its artifact digest, so the
 * expected fingerprint follows from the release: `referenceModelFingerprint(digest)`. For a real
 * model with temperature 0 the fingerprint of a known good copy is recorded once instead.
 */

export const FINGERPRINT_QUESTION = "tideover: identify";

/** The messages of the probe. Send them alone, with temperature 0 and no other prompt. */
export const FINGERPRINT_PROMPT: readonly ChatMessage[] = [
  { role: "user", content: FINGERPRINT_QUESTION },
];

/** A text whose vector shows which embedding version made it: words, numbers, a repetition. */
export const EMBEDDING_PROBE_TEXT =
  "tideover embedding probe: the tide turns twice, the harbour lamp burns, 42 boats wait for the tide";

/** 16 hex digits of an answer's text. Outer white space does not count: servers differ in it. */
export function fingerprintOf(text: string): string {
  return shortHash(text.trim());
}

/**
 * 16 hex digits of a vector. Rounded to 4 decimals first, since the same model on other hardware
 * differs in the last bits, while another model differs in the first.
 */
export function embeddingFingerprint(vector: readonly number[]): string {
  // Adding 0 turns -0 into 0: a tiny negative component must not print as "-0.0000".
  const rounded = vector.map((part) => (Math.round(part * 10_000) / 10_000 + 0).toFixed(4));
  return shortHash(rounded.join(","));
}

/** What a reference runtime with this artifact digest answers to the probe. */
export function referenceIdentity(modelDigest: string): string {
  return `Tideover reference runtime, artifact ${modelDigest}, code ${shortHash(modelDigest)}.`;
}

/** The fingerprint that readiness expects of a reference runtime with this artifact digest. */
export function referenceModelFingerprint(modelDigest: string): string {
  return fingerprintOf(referenceIdentity(modelDigest));
}

function shortHash(text: string): string {
  return sha256(text).slice("sha256:".length, "sha256:".length + 16);
}
