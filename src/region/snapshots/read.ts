import { unpackRecords } from "../../core/reconcile/packed-records.ts";
import { readConfig, readManifest, snapshotsAmong } from "../../core/reconcile/snapshot.ts";
import { TideoverError } from "../../lib/errors.ts";
import type { Descriptor } from "../../model/artifact.ts";
import type { IndexSnapshotConfig } from "../../model/index-snapshot.ts";
import type { StoredRecord } from "../../model/record.ts";
import type { ArtifactSource } from "../../ports/artifacts.ts";

/** A snapshot that lies somewhere, without its records. */
export interface FoundSnapshot {
  readonly digest: string;
  readonly config: IndexSnapshotConfig;
  readonly layers: readonly Descriptor[];
}

/** Larger than any layer of ours: what claims to be more is not read into memory. */
const LARGEST_PART_BYTES = 64 * 1_048_576;

/**
 * By tag or digest, its manifest and config compared. Throws ARTIFACT_MISSING, ARTIFACT_CORRUPT, and
 * INDEX_CORRUPT for an artifact of another kind or of another index.
 */
export async function findSnapshot(
  source: ArtifactSource,
  index: string,
  ref: string,
): Promise<FoundSnapshot> {
  const found = await source.manifest(ref);
  if (found === null) throw absent(index, ref);
  const { config: descriptor, layers } = readManifest(found.bytes);
  const config = readConfig(await partOf(source, descriptor));
  if (config.index === index) return { digest: found.digest, config, layers };
  throw new TideoverError(`${ref} is a snapshot of index "${config.index}", not of "${index}"`, {
    code: "INDEX_CORRUPT",
    next: `Name one of ${index}.`,
  });
}

/** Tags of an index's snapshots, the newest first. */
export async function snapshotTags(source: ArtifactSource, index: string): Promise<string[]> {
  return snapshotsAmong(await source.tags(), index).map(({ tag }) => tag);
}

/**
 * All records, layer by layer; the hot ones first. Each layer is compared with its digest before
 * any record of it is given: ARTIFACT_CORRUPT says which digest was expected, and which was found.
 */
export async function* snapshotRecords(
  source: ArtifactSource,
  { layers }: FoundSnapshot,
): AsyncGenerator<StoredRecord[], void, undefined> {
  // The next layer is read and hashed while the engine takes the one before.
  let ahead = layers[0] === undefined ? null : startOn(partOf(source, layers[0]));
  for (let at = 0; ahead !== null; at += 1) {
    const bytes = await ahead;
    const next = layers[at + 1];
    ahead = next === undefined ? null : startOn(partOf(source, next));
    yield unpackRecords(bytes);
  }
}

/** Its failure is the reader's to hear when he comes to it, and no unhandled one before. */
function startOn<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}

async function partOf(source: ArtifactSource, descriptor: Descriptor): Promise<Buffer> {
  if (descriptor.size > LARGEST_PART_BYTES) {
    throw new TideoverError(`${descriptor.digest} has ${descriptor.size} bytes, too many`, {
      code: "INDEX_CORRUPT",
      next: "This is no snapshot of Tideover's: take a new one.",
    });
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.blob(descriptor)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function absent(index: string, ref: string): TideoverError {
  return new TideoverError(`there is no snapshot ${ref} of index "${index}" here`, {
    code: "ARTIFACT_MISSING",
    retry: "later",
    next: `\`tideover index snapshot --index ${index}\` takes one.`,
  });
}
