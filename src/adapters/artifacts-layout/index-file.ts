import { z } from "zod";
import { TideoverError } from "../../lib/errors.ts";
import { ANNOTATIONS, type Descriptor, descriptorSchema, MEDIA } from "../../model/artifact.ts";
import { MOST_MANIFEST_BYTES, tagOf } from "../../model/artifact-parts.ts";
import { underLock } from "./file-lock.ts";
import { type Places, readIfThere, replaceFile } from "./files.ts";

/** Loose: what another tool noted in the file is kept as it is. */
const indexSchema = z.looseObject({
  schemaVersion: z.literal(2),
  manifests: z.array(descriptorSchema.loose()),
});
type IndexFile = z.infer<typeof indexSchema>;

/** The descriptors of a layout's index.json; none when there is no file yet. */
export async function readEntries(places: Places): Promise<Descriptor[]> {
  return (await readIndex(places)).manifests;
}

/**
 * Changes the list of descriptors. One process at a time does so, from what the file holds then:
 * else the tag that another wrote meanwhile would be lost. Only our own processes take the lock.
 */
export function changeEntries(
  places: Places,
  change: (
    entries: readonly Descriptor[],
  ) => readonly Descriptor[] | Promise<readonly Descriptor[]>,
): Promise<void> {
  return underLock(places.indexLock, async () => {
    const index = await readIndex(places);
    const manifests = await change(index.manifests);
    const text = JSON.stringify({ ...index, manifests });
    if (text === JSON.stringify(index)) return;
    await replaceFile(places.index, Buffer.from(text), places.own);
  });
}

async function readIndex(places: Places): Promise<IndexFile> {
  const bytes = await readIfThere(places.index, MOST_MANIFEST_BYTES * 4);
  if (bytes === null) return { schemaVersion: 2, mediaType: MEDIA.index, manifests: [] };
  const { data, error } = indexSchema.safeParse(jsonOf(bytes));
  if (data !== undefined) return data;
  const issue = error.issues[0];
  throw new TideoverError(
    `${places.index} is no index of an OCI layout: ${issue?.path.join(".")}: ${issue?.message}`,
    {
      code: "ARTIFACT_CORRUPT",
      next: "Name a folder in OCI's image layout, or remove this file and copy the artifacts again.",
    },
  );
}

/** The list with the tag on this descriptor, and on no other. */
export function withTag(
  entries: readonly Descriptor[],
  descriptor: Descriptor,
  tag: string,
): Descriptor[] {
  const annotations = { ...descriptor.annotations, [ANNOTATIONS.refName]: tag };
  return [...entries.filter((one) => tagOf(one) !== tag), { ...descriptor, annotations }];
}

/** The list with this descriptor, without a tag; unchanged when it is there in any way. */
export function withEntry(entries: readonly Descriptor[], descriptor: Descriptor): Descriptor[] {
  const there = entries.some(({ digest }) => digest === descriptor.digest);
  return there ? [...entries] : [...entries, descriptor];
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}
