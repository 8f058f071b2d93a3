import {
  joined,
  modelOf,
  type OneVector,
  requiredModels,
  vectorsOf,
} from "../core/reconcile/vectors.ts";
import { messageOf, TideoverError } from "../lib/errors.ts";
import type { Position } from "../model/position.ts";
import { embeddingVersion } from "../model/release.ts";
import { type HeldVectors, type VectorModel, versionNames } from "../model/vectors.ts";
import type { EmbeddedChange } from "../ports/index.ts";
import { embeddedText, embedTexts, vectorBytes } from "./embed.ts";
import type { LocalIndex } from "./local-index.ts";
import { mustOwn } from "./owning.ts";
import type { World } from "./world.ts";

/** What the release embeds with, as records name it; null when it names no model. */
export function activeModel(world: World): VectorModel | null {
  const embedding = world.release?.body.embedding;
  return embedding === undefined ? null : asVectorModel(embedding);
}

export function asVectorModel(embedding: {
  readonly id: string;
  readonly dimensions: number;
  readonly fingerprint: string;
  readonly generation?: string | undefined;
}): VectorModel {
  const { id, dimensions, fingerprint } = embedding;
  return { version: embeddingVersion(embedding), dimensions, model: { id, fingerprint } };
}

/**
 * Appends changes as the owner, each document with a vector of every version that the index answers:
 * one without would end the answers of that version. What is being built gets its vector too, where
 * that can be had; the builder finds the others. Throws what `mustOwn` and the index throw, and
 * PEER_UNAVAILABLE when nothing embeds.
 */
export async function appendWhole(
  world: World,
  local: LocalIndex,
  changes: readonly EmbeddedChange[],
): Promise<Position> {
  for (;;) {
    const whole = await completed(world, local, changes);
    const position = await local.writing.run(async () => {
      // Asked again: ownership and versions may have moved while the runtime was at work.
      const { epoch } = mustOwn(world, local.name);
      const required = requiredModels(await local.store.vectors(), activeModel(world));
      if (whole.some((change) => missingIn(change, required).length > 0)) return null;
      return local.store.append(epoch, whole);
    });
    if (position === null) continue;
    local.written.ring();
    return position;
  }
}

async function completed(
  world: World,
  local: LocalIndex,
  changes: readonly EmbeddedChange[],
): Promise<readonly EmbeddedChange[]> {
  const held = await local.store.vectors();
  let whole = changes;
  for (const model of requiredModels(held, activeModel(world))) {
    whole = await withVectorsOf(world, held, whole, model).catch((error: unknown) => {
      throw cannotKeep(local, model, error);
    });
  }
  const { building } = local.reindexing;
  if (building === null) return whole;
  return withVectorsOf(world, held, whole, building).catch(() => whole);
}

function missingIn(change: EmbeddedChange, models: readonly VectorModel[]): VectorModel[] {
  if (change.op !== "upsert") return [];
  const names = versionNames(change.embedding);
  return models.filter(({ version }) => !names.includes(version));
}

async function withVectorsOf(
  world: World,
  held: readonly HeldVectors[],
  changes: readonly EmbeddedChange[],
  model: VectorModel,
): Promise<readonly EmbeddedChange[]> {
  const without = changes.filter((change) => missingIn(change, [model]).length > 0);
  if (without.length === 0) return changes;
  const added = await embedAs(world, without.map(embeddedText), model);
  const vectors = new Map(without.map((change, at) => [change, added[at]]));
  return changes.map((change) => {
    const one = vectors.get(change);
    if (one === undefined) return change;
    const bytes = Buffer.from(change.vector, "base64");
    const laid = withOne(world, held, { embedding: change.embedding, vector: bytes }, one);
    return { ...change, ...asText(laid) };
  });
}

/** One vector a text, by a model that need not be the release's. */
export async function embedAs(
  world: World,
  texts: readonly string[],
  model: VectorModel,
): Promise<OneVector[]> {
  const { dimensions, version, model: named } = model;
  if (named === undefined) {
    throw new TideoverError(`nobody knows by which model ${version} is embedded`, {
      code: "RELEASE_INVALID",
      next: "Name a release that embeds as this version.",
    });
  }
  const vectors = await embedTexts(world, texts, { ...named, dimensions });
  return vectors.map((vector) => ({ model, bytes: vectorBytes(vector) }));
}

/** A record's vectors with one more, each named with all that is known of its model. */
export function withOne(
  world: World,
  held: readonly HeldVectors[],
  record: { readonly embedding: string; readonly vector: Uint8Array },
  added: OneVector,
) {
  const active = activeModel(world);
  const own = vectorsOf(record).map(({ model, bytes }) => {
    const known = modelOf(held, active, model.version);
    return { model: known?.dimensions === model.dimensions ? known : model, bytes };
  });
  return joined([...own, added]);
}

/** Vectors as a log entry holds them. */
export function asText(laid: { readonly embedding: string; readonly vector: Uint8Array }) {
  return { embedding: laid.embedding, vector: Buffer.from(laid.vector).toString("base64") };
}

function cannotKeep({ name }: LocalIndex, { version }: VectorModel, error: unknown) {
  if (!(error instanceof TideoverError)) return error;
  const { code, retry } = error;
  return new TideoverError(`index "${name}" answers ${version}: ${messageOf(error)}`, {
    code,
    retry,
    next: `Bring that model back; or, if no release asks with it any more, run \`tideover index reindex --drop ${version}\`.`,
    cause: error,
  });
}
