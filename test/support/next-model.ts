import { answeredVersions, vectorsOf } from "../../src/core/reconcile/vectors.ts";
import { KEYS } from "../../src/model/keys.ts";
import type { StoredRecord } from "../../src/model/record.ts";
import { createEmbedder } from "../../src/runtime/embedding.ts";
import { type RunningRuntime, startRuntime } from "../../src/runtime/server.ts";
import { EMBEDDING_PROBE_TEXT, embeddingFingerprint } from "../../src/wire/fingerprint.ts";
import { type AgentWorld, RELEASE } from "./agent-world.ts";

/** A second embedding model, of other dimensions, in both regions of a world. */
export const NEXT = "lexical-2";
const SALT = "v2";
const DIMENSIONS = 128;
const SERVED = { model: "reference-1", modelDigest: `sha256:${"2".repeat(64)}` };

const embedders = new Map([
  ["lexical-1", createEmbedder({ salt: "v1", dimensions: 256 })],
  [NEXT, createEmbedder({ salt: SALT, dimensions: DIMENSIONS })],
]);

/** What a version's model makes of a text, as an index is asked with. */
export function embeddedAs(version: string, text: string): Float32Array {
  const embedder = embedders.get(version);
  if (embedder === undefined) throw new RangeError(`there is no model ${version}`);
  return Float32Array.from(embedder.embed(text));
}

export const NEXT_EMBEDDING = {
  id: NEXT,
  dimensions: DIMENSIONS,
  fingerprint: embeddingFingerprint([...embeddedAs(NEXT, EMBEDDING_PROBE_TEXT)]),
};

/** A release that asks with the second model. */
export const NEXT_RELEASE: typeof RELEASE = {
  digest: `sha256:${"7".repeat(64)}`,
  body: { ...RELEASE.body, version: "2.0.0", embedding: NEXT_EMBEDDING },
};

/** Makes the regions' runtimes able to embed with it, and lets the estate know its release. */
export async function addNextModel(world: AgentWorld): Promise<RunningRuntime> {
  const embeds = { embeddingModel: NEXT, embeddingSalt: SALT, dimensions: DIMENSIONS };
  const runtime = await startRuntime({ ...SERVED, ...embeds });
  for (const region of Object.values(world.spec.regions)) {
    const target = { name: "next", url: runtime.url, model: SERVED.model };
    const [first] = region.components.runtime.targets;
    if (first !== undefined) region.components.runtime.targets.push({ ...first, ...target });
  }
  const { digest, body } = NEXT_RELEASE;
  const known = { digest, body, signatures: [], parts: {}, number: null, since: 0, by: "test" };
  world.backend.commit({
    compare: [],
    operations: [{ put: KEYS.release(digest), value: known }],
  });
  return runtime;
}

/** The versions of which a record's vector is not what the model makes of its text. */
export function wronglyEmbedded(record: StoredRecord): string[] {
  const text = `${record.title}\n${record.text}`;
  return vectorsOf(record)
    .filter(({ model, bytes }) => {
      const { buffer } = embeddedAs(model.version, text);
      return !Buffer.from(buffer).equals(Buffer.from(bytes));
    })
    .map(({ model }) => model.version);
}

/** What an index answers that holds these records. */
export function answeredBy(records: readonly StoredRecord[]): string[] {
  return answeredVersions(
    records.map(({ embedding, vector }) => ({ embedding, dimensions: vector.length / 4 })),
  );
}
