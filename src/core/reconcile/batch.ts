import type { LogEntry } from "../../model/change.ts";
import type { Watermarks } from "../../model/index-health.ts";
import { EMPTY_DIGEST, type Position } from "../../model/position.ts";
import {
  addDigest,
  type DigestKey,
  leafOf,
  rangeKey,
  recordDigest,
  removeDigest,
} from "./digest.ts";
import { judgeChange } from "./entry.ts";

/**
 * What a row of entries does to an index, thought through before anything is written: an
 * engine then gets a handful of statements for all of them, however many they are.
 */
export interface Batch {
  readonly logged: readonly Logged[];
  /** What is at last of each document that the entries speak of. */
  readonly ends: ReadonlyMap<string, Live | null>;
  /** What is to be added to the sums of leaf ranges. */
  readonly leaves: ReadonlyMap<number, LeafChange>;
  readonly position: Position;
  readonly watermarks: Watermarks;
}

export interface Logged {
  readonly entry: LogEntry;
  readonly vector: Uint8Array;
  /** The position before it. */
  readonly before: Position;
  /** The watermarks before it; null when it does not touch them. */
  readonly watermarks: Watermarks | null;
  readonly replaced: Live | null;
}

/** A live record; `seq`: the entry of this batch that wrote it, null for an older one. */
export interface Live {
  readonly seq: number | null;
  readonly digest: string;
  readonly embedding: string;
  readonly rangeKey: number;
}

export interface LeafChange {
  readonly count: number;
  /** To be added, modulo 2^128. */
  readonly digest: string;
}

/** The index as the batch finds it. */
export interface Before {
  readonly position: Position;
  readonly watermarks: Watermarks;
  /** Those of the batch's documents that there are. */
  readonly live: ReadonlyMap<string, Live>;
  /** Of the batch's embedding versions, those that the records have. */
  readonly versions: ReadonlyMap<string, Version>;
}

/** `count` may be Infinity where all of the batch's vectors have these dimensions. */
export interface Version {
  readonly dimensions: number;
  readonly count: number;
}

/**
 * `check` sees each entry with the digest that it led to, and throws to refuse all. Throws
 * CORPUS_INVALID for what cannot be held.
 */
export function think(
  entries: readonly LogEntry[],
  before: Before,
  key: DigestKey,
  check: (entry: LogEntry, digest: string) => void,
): Batch {
  const draft = {
    ...before,
    live: new Map<string, Live | null>(before.live),
    versions: new Map(before.versions),
    leaves: new Map<number, LeafChange>(),
  };
  const logged = entries.map((entry) => {
    const one = settle(draft, entry, key);
    check(entry, draft.position.digest);
    return one;
  });
  const { live: ends, leaves, position, watermarks } = draft;
  return { logged, ends, leaves, position, watermarks };
}

interface Draft {
  position: Position;
  watermarks: Watermarks;
  readonly live: Map<string, Live | null>;
  readonly versions: Map<string, Version>;
  readonly leaves: Map<number, LeafChange>;
}

function settle(draft: Draft, entry: LogEntry, key: DigestKey): Logged {
  const { position: before, watermarks } = draft;
  const vector = judgeChange(entry, draft.versions.get(entry.embedding)?.dimensions ?? null);
  const isWatermark = entry.op === "watermark";
  const old = isWatermark ? null : (draft.live.get(entry.id) ?? null);
  if (isWatermark) draft.watermarks = vouched(watermarks, entry);
  else {
    if (old !== null) remove(draft, old);
    draft.live.set(entry.id, null);
    if (entry.op === "upsert") add(draft, entry, vector, key);
  }
  const { digest, count } = draft.position;
  draft.position = { seq: entry.seq, digest, sourceTime: entry.sourceTime, count };
  return {
    entry: { ...entry, digestAfter: digest },
    vector,
    before,
    watermarks: isWatermark ? watermarks : null,
    replaced: old,
  };
}

function vouched(watermarks: Watermarks, { audience, sourceTime }: LogEntry): Watermarks {
  if (audience === "") return { ...watermarks, all: Math.max(watermarks.all, sourceTime) };
  const known = watermarks.tenants[audience] ?? 0;
  const tenants = { ...watermarks.tenants, [audience]: Math.max(known, sourceTime) };
  return { ...watermarks, tenants };
}

function remove(draft: Draft, old: Live): void {
  const { position, versions } = draft;
  const digest = removeDigest(position.digest, old.digest);
  draft.position = { ...position, digest, count: position.count - 1 };
  const version = versions.get(old.embedding);
  if (version !== undefined) {
    if (version.count > 1) versions.set(old.embedding, { ...version, count: version.count - 1 });
    else versions.delete(old.embedding);
  }
  turn(draft.leaves, old, -1);
}

function add(draft: Draft, entry: LogEntry, vector: Uint8Array, key: DigestKey): void {
  const { position, versions } = draft;
  const { seq, embedding, id } = entry;
  const digest = recordDigest({ ...entry, vector }, key);
  const record = { seq, digest, embedding, rangeKey: rangeKey(id, key) };
  draft.live.set(id, record);
  const count = (versions.get(embedding)?.count ?? 0) + 1;
  versions.set(embedding, { dimensions: vector.length / 4, count });
  draft.position = {
    ...position,
    digest: addDigest(position.digest, digest),
    count: position.count + 1,
  };
  turn(draft.leaves, record, 1);
}

/** Notes that a record comes into its leaf range, or goes. */
export function turn(
  leaves: Map<number, LeafChange>,
  { rangeKey, digest }: Pick<Live, "rangeKey" | "digest">,
  by: 1 | -1,
): void {
  const leaf = leafOf(rangeKey).prefix;
  const { count, digest: sum } = leaves.get(leaf) ?? { count: 0, digest: EMPTY_DIGEST };
  const turned = by === 1 ? addDigest(sum, digest) : removeDigest(sum, digest);
  leaves.set(leaf, { count: count + by, digest: turned });
}
