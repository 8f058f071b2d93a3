import { rank } from "../../core/reconcile/heat.ts";
import {
  buildSnapshot,
  type Layer,
  LayerCutter,
  snapshotsAmong,
  snapshotTag,
} from "../../core/reconcile/snapshot.ts";
import type { Descriptor } from "../../model/artifact.ts";
import { MEDIA } from "../../model/artifact.ts";
import { partsOf } from "../../model/artifact-parts.ts";
import type { Heat, IndexSnapshotConfig } from "../../model/index-snapshot.ts";
import { versionNames } from "../../model/vectors.ts";
import type { ArtifactStore } from "../../ports/artifacts.ts";
import type { IndexSnapshot, IndexStore } from "../../ports/index.ts";

export interface TakeOptions {
  readonly index: string;
  readonly store: Pick<IndexStore, "openSnapshot">;
  readonly target: ArtifactStore;
  /** How often records were hit, by id: those stand first. None when absent. */
  readonly hits?: ReadonlyMap<string, number>;
  readonly digestKey?: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TakenSnapshot {
  readonly digest: string;
  readonly tag: string;
  readonly config: IndexSnapshotConfig;
  /** Of all parts, and of those that were not there from another snapshot. */
  readonly bytes: number;
  readonly newBytes: number;
}

const PAGE = 1_000;
/** Beside its vector, roughly: only how finely layers are cut depends on it. */
const TEXT_BYTES = 1_024;

/**
 * Writes an index's contents as an artifact, while writes go on. The tag comes last: whoever sees
 * it sees all of it, and a kill before leaves nothing but blobs that nobody names.
 */
export async function takeSnapshot(options: TakeOptions): Promise<TakenSnapshot> {
  const snapshot = await options.store.openSnapshot();
  try {
    const written = await writeLayers(options, snapshot);
    return await finish(options, snapshot, written);
  } finally {
    await snapshot.close();
  }
}

interface Written {
  readonly layers: readonly Descriptor[];
  readonly heat: Heat;
  readonly embeddings: ReadonlySet<string>;
  readonly newBytes: number;
}

async function writeLayers(options: TakeOptions, snapshot: IndexSnapshot): Promise<Written> {
  const { target, hits = new Map<string, number>(), signal } = options;
  const { ids } = rank(hits);
  const hot = new Set(ids);
  const found = new Map<string, number>();
  const layers: Descriptor[] = [];
  const embeddings = new Set<string>();
  let newBytes = 0;
  const keep = async (layer: Layer | null): Promise<void> => {
    if (layer === null) return;
    signal?.throwIfAborted();
    layers.push(layer.descriptor);
    newBytes += await keepBlob(target, layer);
  };
  let cutter: LayerCutter | null = null;
  for await (const page of snapshot.records(PAGE, ids)) {
    for (const record of page) {
      cutter ??= new LayerCutter({
        records: snapshot.position.count,
        hot,
        bytesPerRecord: record.vector.length + TEXT_BYTES,
        digestKey: options.digestKey,
      });
      for (const version of versionNames(record.embedding)) embeddings.add(version);
      const count = hits.get(record.id);
      if (count !== undefined) found.set(record.id, count);
      await keep(cutter.add(record));
    }
  }
  await keep(cutter?.end() ?? null);
  // Of those that there still are: a deleted document answers nobody.
  return { layers, embeddings, newBytes, heat: rank(found).heat };
}

async function finish(
  { index, target }: TakeOptions,
  { position, epoch, watermarks }: IndexSnapshot,
  { layers, embeddings, newBytes, heat }: Written,
): Promise<TakenSnapshot> {
  const config: IndexSnapshotConfig = {
    format: 1,
    ...{ index, position, epoch, watermarks },
    embeddings: [...embeddings].sort(),
    records: position.count,
    heat,
  };
  const built = buildSnapshot(config, layers);
  const added = await keepBlob(target, built.config);
  const tag = snapshotTag(config, built.digest);
  await target.putManifest(built.manifest, MEDIA.manifest, tag);
  const bytes = layers.reduce((sum, { size }) => sum + size, built.config.descriptor.size);
  return { digest: built.digest, tag, config, bytes, newBytes: newBytes + added };
}

/** Gives how many bytes were not there already. */
async function keepBlob(target: ArtifactStore, { descriptor, bytes }: Layer): Promise<number> {
  if (await target.has(descriptor.digest, descriptor.size)) return 0;
  await target.putBlob(descriptor, once(bytes));
  return descriptor.size;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes;
}

/**
 * Lets go of all but the newest `keep` snapshots of an index, and of what only they named. Those in
 * `inUse` (digests) stay. Gives the tags that went.
 */
export async function retireSnapshots(
  target: ArtifactStore,
  index: string,
  keep: number,
  inUse: ReadonlySet<string>,
): Promise<string[]> {
  const old = snapshotsAmong(await target.tags(), index).slice(keep);
  const gone: string[] = [];
  for (const { tag } of old) {
    const found = await target.manifest(tag);
    if (found !== null && inUse.has(found.digest)) continue;
    await target.remove(tag);
    gone.push(tag);
    if (found === null) continue;
    const parts = partsOf(found.bytes)?.blobs ?? [];
    await target.removeUnreached([found.digest, ...parts.map(({ digest }) => digest)]);
  }
  return gone;
}
