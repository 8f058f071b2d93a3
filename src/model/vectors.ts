import { z } from "zod";

/** One of the vectors of a record: the embedding version that made it, and how long it is. */
export const vectorModelSchema = z.strictObject({
  version: z.string().min(1),
  dimensions: z.int().positive(),
  /**
   * By what a runtime is asked for it, and known by. Absent: whoever wrote it could not say, so that
   * nothing can be embedded as this version any more.
   */
  model: z.strictObject({ id: z.string(), fingerprint: z.string() }).optional(),
});
export type VectorModel = z.infer<typeof vectorModelSchema>;

/** The live records that spell their `embedding` so, and the length of their vectors, in numbers. */
export interface HeldVectors {
  readonly embedding: string;
  readonly dimensions: number;
}

const severalSchema = z.array(vectorModelSchema).min(2);

/**
 * A record has one vector, or, while its index moves from one embedding model to another, several:
 * end to end in `vector`, in the order in which `embedding` then names them as JSON. Of one vector,
 * `embedding` is the version's name alone.
 *
 * Gives the vectors that a record's `embedding` names; null when it is a single name.
 */
export function severalVectors(embedding: string): readonly VectorModel[] | null {
  if (!embedding.startsWith("[{")) return null;
  try {
    return severalSchema.safeParse(JSON.parse(embedding)).data ?? null;
  } catch {
    return null;
  }
}

/** How records with these vectors spell `embedding`: equal sets give equal texts. */
export function spellingOf(models: readonly VectorModel[]): string {
  const ordered = inOrder(models);
  const [first] = ordered;
  if (first === undefined) throw new RangeError("a record has at least one vector");
  if (ordered.length === 1) return first.version;
  return JSON.stringify(
    ordered.map(({ version, dimensions, model }) => {
      if (model === undefined) return { version, dimensions };
      return { version, dimensions, model: { id: model.id, fingerprint: model.fingerprint } };
    }),
  );
}

/** As the vectors lie in a record. */
export function inOrder<T extends Pick<VectorModel, "version">>(vectors: readonly T[]): T[] {
  return vectors.toSorted((a, b) => (a.version < b.version ? -1 : 1));
}

/** Names of the versions that a record with this `embedding` has a vector of. */
export function versionNames(embedding: string): string[] {
  return severalVectors(embedding)?.map(({ version }) => version) ?? [embedding];
}
