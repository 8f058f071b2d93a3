import { TideoverError } from "../../lib/errors.ts";

/** The live records of one embedding version. */
export interface HeldVectors {
  readonly embedding: string;
  readonly dimensions: number;
}

/**
 * Throws INDEX_UNAVAILABLE when a query cannot be compared with every live record. `held`: the
 * embedding versions of the live records, each once; empty for an empty index.
 *
 * A mixed index is refused as well: only some of its records could match, and an answer from a part
 * of the documents looks just like an answer from all of them.
 */
export function refuseForeignQuery(
  held: readonly HeldVectors[],
  query: { readonly embedding: string; readonly vector: Float32Array },
): void {
  if (query.vector.some((value) => !Number.isFinite(value))) {
    throw unavailable("query vector has a number that is not finite", "Look at the embedder.");
  }
  const names = held.map(({ embedding }) => embedding);
  if (names.some((name) => name !== query.embedding)) {
    throw unavailable(
      `index holds ${names.join(" and ")}, query is ${query.embedding}`,
      "Activate the release whose embedding the index was made with, or embed the corpus again.",
    );
  }
  const odd = held.find(({ dimensions }) => dimensions !== query.vector.length);
  if (odd !== undefined) {
    throw unavailable(
      `index holds ${odd.embedding} with ${odd.dimensions} dimensions, query has ${query.vector.length}`,
      "Make the runtime's embedding model the one that the index was made with.",
    );
  }
}

function unavailable(message: string, next: string): TideoverError {
  return new TideoverError(message, { code: "INDEX_UNAVAILABLE", retry: "later", next });
}
