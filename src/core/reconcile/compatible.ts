import { TideoverError } from "../../lib/errors.ts";
import type { HeldVectors } from "../../model/vectors.ts";
import { answeredVersions, heldVersions, placeOf, type VectorPlace } from "./vectors.ts";

/**
 * Where the vectors lie that a query is compared with: one place for each way in which records
 * spell their `embedding`. `held`: all of these ways; empty for an empty index.
 *
 * Throws INDEX_UNAVAILABLE when a query cannot be compared with every live record. An index of which
 * only some records have a vector of the query's version is refused as well: an answer from a part
 * of the documents looks just like an answer from all of them.
 */
export function refuseForeignQuery(
  held: readonly HeldVectors[],
  query: { readonly embedding: string; readonly vector: Float32Array },
): VectorPlace[] {
  if (query.vector.some((value) => !Number.isFinite(value))) {
    throw unavailable("query vector has a number that is not finite", "Look at the embedder.");
  }
  const places = held.flatMap((one) => placeOf(one, query.embedding) ?? []);
  if (places.length < held.length) throw foreign(held, query.embedding);
  const odd = places.find(({ dimensions }) => dimensions !== query.vector.length);
  if (odd === undefined) return places;
  throw unavailable(
    `index holds ${query.embedding} with ${odd.dimensions} dimensions, query has ${query.vector.length}`,
    "Make the runtime's embedding model the one that the index was made with.",
  );
}

function foreign(held: readonly HeldVectors[], version: string): TideoverError {
  const names = heldVersions(held);
  if (!names.includes(version)) {
    return unavailable(
      `index holds ${names.join(" and ")}, query is ${version}`,
      "Activate the release whose embedding the index was made with, or embed the corpus again.",
    );
  }
  const whole = answeredVersions(held);
  const instead = whole.length === 0 ? "" : ` (all have ${whole.join(" and ")})`;
  return unavailable(
    `index holds ${names.join(" and ")}, query is ${version}, which not every record has${instead}`,
    "Embed the corpus: `tideover index reindex` goes on where it was.",
  );
}

function unavailable(message: string, next: string): TideoverError {
  return new TideoverError(message, { code: "INDEX_UNAVAILABLE", retry: "later", next });
}
