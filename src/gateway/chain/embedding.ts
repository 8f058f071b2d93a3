import type { Release } from "../../model/release.ts";
import type { ServedSnapshot } from "../served-release.ts";
import { own } from "./own.ts";

type Embedding = NonNullable<Release["embedding"]>;

/**
 * Embeddings belong to a workflow, because it is workflows that regions serve, tenants are limited
 * on and epochs fence. The release's embedding id, which a caller may ask for as the `model`, stands
 * for the first workflow that retrieves with it: one release has one embedding, so that any of them
 * would give the same vectors. A workflow that is called like the embedding is meant before it.
 */
export function workflowOfEmbedding(snapshot: ServedSnapshot, model: string): string | null {
  if (own(snapshot.workflows, model) !== undefined) return null;
  if (snapshot.release?.embedding?.id !== model) return null;
  return retrieving(snapshot)[0] ?? null;
}

/** Names of the workflows that vectors can be asked of. */
export function retrieving(snapshot: ServedSnapshot): string[] {
  if (snapshot.release?.embedding === undefined) return [];
  return Object.entries(snapshot.workflows)
    .filter(([, { retrieval }]) => retrieval !== null)
    .map(([name]) => name)
    .sort();
}

/**
 * The embedding that may answer a request for `model` under this snapshot; null when none may. Asked
 * anew each round of a hold: a release that was activated meanwhile has other vectors, and a caller
 * who named the old ones must not get them under the old name.
 */
export function embeddingFor(snapshot: ServedSnapshot, model: string): Embedding | null {
  const embedding = snapshot.release?.embedding;
  const route = own(snapshot.workflows, model);
  const meant = route === undefined ? embedding?.id === model : route.retrieval !== null;
  return meant && embedding !== undefined ? embedding : null;
}

/** What a caller is told who asks for vectors of anything else. */
export function noEmbedding(snapshot: ServedSnapshot, model: string) {
  const id = snapshot.release?.embedding?.id;
  const known = [...(id === undefined ? [] : [id]), ...retrieving(snapshot)];
  const instead =
    known.length < 2 ? "no workflow of it retrieves" : `ask for ${known.join(" or ")}`;
  return {
    status: 404,
    code: "model_not_found",
    param: "model",
    message: `'${model.slice(0, 100)}' gives no embeddings under the active release (${snapshot.releaseDigest}): ${instead}.`,
  } as const;
}
