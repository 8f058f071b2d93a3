import { canonicalJson, sha256 } from "../../lib/canonical.ts";
import { TideoverError } from "../../lib/errors.ts";
import { type Descriptor, imageManifestSchema, MEDIA } from "../../model/artifact.ts";
import {
  type IndexSnapshotConfig,
  indexSnapshotSchema,
  SNAPSHOT_MEDIA,
} from "../../model/index-snapshot.ts";
import type { StoredRecord } from "../../model/record.ts";
import { rangeKey } from "./digest.ts";
import { RecordPacker } from "./packed-records.ts";

/**
 * An index at one moment as an OCI artifact: a config that says which moment, and layers of records.
 *
 * The same contents with the same ranking give the same digest, whichever engine and region made
 * it: hot records come in their order, the others by their range key. A layer holds the records of
 * one range of keys, so that the next snapshot of an index that has hardly changed shares most
 * layers with this one, and what a region has of them is not copied again.
 */

/** What a layer has at most on average, and what none has. */
const USUAL_BYTES = 4 * 1_048_576;
const MOST_BYTES = 6 * 1_048_576;

/** No range of keys: the hot records are in one part, cut by its size alone. */
const HOT_PART = -1;

const ANNOTATION_RECORDS = "tideover.records";

export interface Layer {
  readonly bytes: Buffer;
  readonly descriptor: Descriptor;
}

/** Cuts records into layers while they come. */
export class LayerCutter {
  readonly #bits: number;
  readonly #key: Uint8Array | undefined;
  readonly #hot: ReadonlySet<string>;
  #packer = new RecordPacker();
  #part = HOT_PART;

  constructor(options: {
    /** Records in all: decides how finely the others are cut. */
    readonly records: number;
    /** Those that come first, in their own order. */
    readonly hot: ReadonlySet<string>;
    readonly bytesPerRecord: number;
    readonly digestKey?: Uint8Array | undefined;
  }) {
    const { records, hot, bytesPerRecord, digestKey } = options;
    const parts = Math.max(1, ((records - hot.size) * bytesPerRecord) / USUAL_BYTES);
    this.#bits = Math.min(16, Math.ceil(Math.log2(parts)));
    this.#hot = hot;
    this.#key = digestKey;
  }

  /** Gives the layer that this record has completed. */
  add(record: StoredRecord): Layer | null {
    const part = this.#partOf(record);
    const full = this.#packer.size >= MOST_BYTES;
    const done = this.#packer.count > 0 && (full || part !== this.#part) ? this.#cut() : null;
    this.#part = part;
    this.#packer.add(record);
    return done;
  }

  /** The last layer; null when there is none. */
  end(): Layer | null {
    return this.#packer.count === 0 ? null : this.#cut();
  }

  #partOf(record: StoredRecord): number {
    if (this.#hot.has(record.id)) return HOT_PART;
    // No shift by 32: JavaScript takes it for a shift by none.
    return this.#bits === 0 ? 0 : rangeKey(record.id, this.#key) >>> (32 - this.#bits);
  }

  #cut(): Layer {
    const packer = this.#packer;
    this.#packer = new RecordPacker();
    const bytes = packer.take();
    const annotations = { [ANNOTATION_RECORDS]: String(packer.count) };
    const descriptor = {
      mediaType: SNAPSHOT_MEDIA.records,
      digest: sha256(bytes),
      size: bytes.length,
    };
    return { bytes, descriptor: { ...descriptor, annotations } };
  }
}

export interface BuiltSnapshot {
  readonly digest: string;
  readonly manifest: Buffer;
  readonly config: Layer;
}

/** The manifest over layers that are kept already. */
export function buildSnapshot(
  config: IndexSnapshotConfig,
  layers: readonly Descriptor[],
): BuiltSnapshot {
  const bytes = Buffer.from(canonicalJson(config));
  const descriptor = {
    mediaType: SNAPSHOT_MEDIA.config,
    digest: sha256(bytes),
    size: bytes.length,
  };
  const manifest = Buffer.from(
    canonicalJson({
      schemaVersion: 2,
      mediaType: MEDIA.manifest,
      artifactType: SNAPSHOT_MEDIA.snapshot,
      config: descriptor,
      layers,
    }),
  );
  return { digest: sha256(manifest), manifest, config: { bytes, descriptor } };
}

/** Config and layers that a manifest names. Throws INDEX_CORRUPT for one of another kind. */
export function readManifest(bytes: Uint8Array): {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
} {
  const parsed = imageManifestSchema.safeParse(jsonOf(bytes));
  if (!parsed.success || parsed.data.artifactType !== SNAPSHOT_MEDIA.snapshot) {
    throw notOurs(`its type is ${parsed.data?.artifactType ?? "not given"}`);
  }
  const { config, layers } = parsed.data;
  const odd = layers.find(({ mediaType }) => mediaType !== SNAPSHOT_MEDIA.records);
  if (odd !== undefined) throw notOurs(`a layer has the type ${odd.mediaType}`);
  return { config, layers };
}

/** Throws INDEX_CORRUPT for a config of another format. */
export function readConfig(bytes: Uint8Array): IndexSnapshotConfig {
  const parsed = indexSnapshotSchema.safeParse(jsonOf(bytes));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw notOurs(`its config: ${issue?.path.join(".")}: ${issue?.message}`);
}

function notOurs(because: string): TideoverError {
  return new TideoverError(`this is no index snapshot that can be read here: ${because}`, {
    code: "INDEX_CORRUPT",
    next: "Take a new one: `tideover index snapshot`.",
  });
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** Name under which a region keeps a snapshot. In the order of names, the newest is the last. */
export function snapshotTag(
  { index, epoch, position }: Pick<IndexSnapshotConfig, "index" | "epoch" | "position">,
  digest: string,
): string {
  const hex = digest.slice("sha256:".length, "sha256:".length + 12);
  return `index-${index}-${padded(epoch, 8)}-${padded(position.seq, 15)}-${hex}`;
}

function padded(value: number, digits: number): string {
  return String(value).padStart(digits, "0");
}

const TAG = /^index-(.+)-(\d{8})-(\d{15})-[0-9a-f]{12}$/;

/** What a tag says of a snapshot; null for other tags. */
export function readSnapshotTag(tag: string): {
  readonly tag: string;
  readonly index: string;
  readonly epoch: number;
  readonly seq: number;
} | null {
  const [, index, epoch, seq] = TAG.exec(tag) ?? [];
  if (index === undefined) return null;
  return { tag, index, epoch: Number(epoch), seq: Number(seq) };
}

/** The snapshots of an index among some tags, the newest first. */
export function snapshotsAmong(tags: readonly string[], index: string) {
  return tags
    .flatMap((tag) => readSnapshotTag(tag) ?? [])
    .filter((one) => one.index === index)
    .sort((a, b) => b.epoch - a.epoch || b.seq - a.seq || (a.tag < b.tag ? 1 : -1));
}
