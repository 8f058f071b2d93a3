import { z } from "zod";
import { messageOf, TideoverError } from "../lib/errors.ts";
import type { Release } from "../model/release.ts";
import type { RuntimeTarget } from "../model/spec.ts";
import { EMBEDDING_PROBE_TEXT, embeddingFingerprint } from "../wire/fingerprint.ts";
import { askJson } from "./peer.ts";
import { atBase } from "./url.ts";
import type { World } from "./world.ts";

type EmbeddingRelease = NonNullable<Release["embedding"]>;
/** A model that a runtime is asked for, and what proves that it is the one. */
export type EmbeddingModel = Pick<EmbeddingRelease, "id" | "dimensions" | "fingerprint">;

/** Texts a request: 32 vectors of 3,072 numbers stay below what a probe reads (4 MiB). */
const BATCH = 32;
const TIMEOUT_MS = 10_000;

/** What a document is found by. */
export function embeddedText(document: { readonly title: string; readonly text: string }): string {
  return `${document.title}\n${document.text}`;
}

/** The release's embedding model; throws RELEASE_INVALID when the estate has none. */
export function embeddingOf(world: World): EmbeddingRelease {
  const embedding = world.release?.body.embedding;
  if (embedding !== undefined) return embedding;
  throw new TideoverError("the release names no embedding model, so nothing can be embedded", {
    code: "RELEASE_INVALID",
    next: "Add `embedding:` with id, dimensions and fingerprint to release.yaml.",
  });
}

/**
 * One vector a text, in order, made in this region by the release's embedding model, or by another
 * one. Throws PEER_UNAVAILABLE (retry: later) when no target of the region can do it.
 */
export async function embedTexts(
  world: World,
  texts: readonly string[],
  embedding: EmbeddingModel = embeddingOf(world),
): Promise<number[][]> {
  const vectors: number[][] = [];
  for (let from = 0; from < texts.length; from += BATCH) {
    vectors.push(...(await embedBatch(world, embedding, texts.slice(from, from + BATCH))));
  }
  return vectors;
}

/** The targets in the spec's order: the first that can, does. */
async function embedBatch(
  world: World,
  embedding: EmbeddingModel,
  texts: readonly string[],
): Promise<number[][]> {
  const faults: string[] = [];
  for (const target of world.regionSpec.components.runtime.targets) {
    try {
      return await provenVectors(world, target, embedding, texts);
    } catch (error) {
      faults.push(messageOf(error));
    }
  }
  throw new TideoverError(`no runtime of ${world.options.region} embeds: ${faults.join("; ")}`, {
    code: "PEER_UNAVAILABLE",
    retry: "later",
    next: "Look at the region's runtime targets; nothing was written.",
  });
}

/**
 * The probe text rides along in every batch. A vector of another model version, once appended,
 * would be copied to every region and would make the whole index unsearchable.
 */
async function provenVectors(
  world: World,
  target: RuntimeTarget,
  embedding: EmbeddingModel,
  texts: readonly string[],
): Promise<number[][]> {
  const input = [EMBEDDING_PROBE_TEXT, ...texts];
  const [probe, ...vectors] = await requestVectors(world, target, embedding.id, input, TIMEOUT_MS);
  const found = probe === undefined ? "nothing" : embeddingFingerprint(probe);
  if (found !== embedding.fingerprint) {
    throw fault(
      `${target.name} embeds ${embedding.id} as ${found}, expected is ${embedding.fingerprint}`,
    );
  }
  const odd = vectors.find((vector) => vector.length !== embedding.dimensions);
  if (odd === undefined) return vectors;
  throw fault(`${target.name} gave ${odd.length} dimensions, not ${embedding.dimensions}`);
}

const embeddingsSchema = z.object({
  data: z.array(z.object({ index: z.int().min(0), embedding: z.array(z.number()) })),
});

/** One request to one target. Throws PEER_UNAVAILABLE also when a vector is missing. */
export async function requestVectors(
  world: World,
  target: RuntimeTarget,
  model: string,
  input: readonly string[],
  timeoutMs: number,
): Promise<number[][]> {
  const { data } = await askJson(world.options.probe, {
    url: atBase(target.url, "/v1/embeddings"),
    method: "POST",
    headers: targetHeaders(world, target),
    body: { model, input, encoding_format: "float" },
    timeoutMs,
    schema: embeddingsSchema,
    who: target.name,
  });
  // By `index`, as the API says: a server may answer in another order.
  const byIndex = new Map(data.map(({ index, embedding }) => [index, embedding]));
  return input.map((_, index) => {
    const vector = byIndex.get(index);
    if (vector === undefined) throw fault(`${target.name} gave no vector for text ${index}`);
    return vector;
  });
}

export function targetHeaders(world: World, target: RuntimeTarget): Record<string, string> {
  const key =
    target.keyEnv === undefined ? undefined : world.options.targetKeys?.get(target.keyEnv);
  return key === undefined ? {} : { authorization: `Bearer ${key}` };
}

/** As a record holds it: little-endian f32, whatever the machine's own order. */
export function vectorBytes(vector: readonly number[]): Buffer {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [at, value] of vector.entries()) bytes.writeFloatLE(value, at * 4);
  return bytes;
}

/** As a log entry holds it: in base64. */
export function vectorText(vector: readonly number[]): string {
  return vectorBytes(vector).toString("base64");
}

function fault(message: string): TideoverError {
  return new TideoverError(message, { code: "PEER_UNAVAILABLE", retry: "later" });
}
