import {
  addDigest,
  type DigestKey,
  leafOf,
  rangeBounds,
  rangeKey,
  recordDigest,
  removeDigest,
} from "../core/reconcile/digest.ts";
import { floatsOf, judgeChange } from "../core/reconcile/entry.ts";
import { TideoverError } from "../lib/errors.ts";
import type { LogEntry } from "../model/change.ts";
import type { Epoch } from "../model/ids.ts";
import { type IndexStanding, NO_WATERMARKS, type Watermarks } from "../model/index-health.ts";
import { EMPTY_DIGEST, EMPTY_POSITION, type Position } from "../model/position.ts";
import { LEAF_BITS, type RangeRef, type RangeSum, type StoredRecord } from "../model/record.ts";
import type { IndexHit, IndexQuery } from "../ports/index.ts";

export interface LiveRecord {
  readonly stored: StoredRecord;
  readonly floats: Float32Array;
  readonly key: number;
}

const NO_SUM = { count: 0, digest: EMPTY_DIGEST };

/** A log entry with what it replaced, so that it can be taken back. */
export interface Logged {
  readonly entry: LogEntry;
  readonly before: LiveRecord | undefined;
  readonly position: Position;
  readonly watermarks: Watermarks;
}

export type LeafSum = Pick<RangeSum, "count" | "digest">;

/** All that an index is. A write makes a new one and puts it in place whole, or not at all. */
export interface State {
  readonly log: Logged[];
  readonly live: Map<string, LiveRecord>;
  /** Count and sum of kept digests by leaf, as they were written: damage does not change them. */
  readonly sums: Map<number, LeafSum>;
  readonly orphans: LogEntry[];
  /** Contents of a restore that is under way, of which the hot part answers already. */
  hot: ReadonlyMap<string, LiveRecord> | null;
  base: number;
  position: Position;
  watermarks: Watermarks;
  epoch: Epoch;
  quarantine: string | null;
  /** Records that the restore under way will have. */
  total: number;
}

export function emptyState(): State {
  return {
    log: [],
    live: new Map(),
    sums: new Map(),
    orphans: [],
    hot: null,
    base: 0,
    position: EMPTY_POSITION,
    watermarks: NO_WATERMARKS,
    epoch: 0,
    quarantine: null,
    total: 0,
  };
}

export function see(state: State, epoch: Epoch): void {
  state.epoch = Math.max(state.epoch, epoch);
}

export function refuseStale(state: State, epoch: Epoch): void {
  if (epoch >= Math.max(1, state.epoch)) return;
  throw new TideoverError(`append under epoch ${epoch}, but this index has seen ${state.epoch}`, {
    code: "EPOCH_STALE",
    next: "Stop writing: another region owns this index now.",
  });
}

/** A quarantine outlasts a restore: only whoever proved the new contents lifts it. */
export function standingOf({ quarantine, hot, total }: State): IndexStanding {
  if (quarantine !== null) return { kind: "quarantined", because: quarantine };
  return hot === null ? { kind: "whole" } : { kind: "partial", loaded: hot.size, total };
}

export function refuseUnanswering(standing: IndexStanding, proving = false): void {
  if (standing.kind === "whole" || standing.kind === "partial") return;
  if (proving && standing.kind === "quarantined") return;
  const because = standing.kind === "quarantined" ? standing.because : "it is being restored";
  throw new TideoverError(`index in memory answers nobody: ${because}`, {
    code: "INDEX_QUARANTINED",
    retry: "later",
    next: "Repair it.",
  });
}

export function entryOf({ log, base }: State, seq: number): LogEntry | null {
  return log[seq - base - 1]?.entry ?? null;
}

export function take(state: State, entry: LogEntry, key: DigestKey): void {
  see(state, entry.epoch);
  const { seq } = state.position;
  if (entry.seq <= seq) {
    // Below the base nothing is known of single entries, and the contents speak for themselves.
    const held = entryOf(state, entry.seq);
    if (entry.seq > state.base && held?.digestAfter !== entry.digestAfter) {
      throw diverged(`entry ${entry.seq} is another one here`);
    }
    return;
  }
  if (entry.seq !== seq + 1) {
    throw diverged(`entry ${entry.seq} does not follow on from seq ${seq}`);
  }
  const before = state.log.at(-1)?.entry.epoch ?? 0;
  if (entry.epoch < before) {
    throw diverged(`entry ${entry.seq} of epoch ${entry.epoch} comes after epoch ${before}`);
  }
  settle(state, entry, key);
  if (state.position.digest !== entry.digestAfter) {
    throw diverged(`entry ${entry.seq} gives another digest here than at its source`);
  }
}

export function diverged(message: string): TideoverError {
  return new TideoverError(`index has diverged: ${message}`, {
    code: "INDEX_DIVERGED",
    next: "Rewind to the last entry in common with the owner, then pull from there.",
  });
}

/** Carries out one entry, and logs it with the digest that it led to. */
export function settle(state: State, entry: LogEntry, key: DigestKey): void {
  const { position, watermarks } = state;
  const before = state.live.get(entry.id);
  change(state, entry, key);
  const logged = { ...entry, digestAfter: state.position.digest };
  state.log.push({ entry: logged, before, position, watermarks });
}

function change(state: State, entry: LogEntry, key: DigestKey): void {
  const vector = judgeChange(entry, dimensionsOf(state, entry.embedding));
  if (entry.op === "watermark") state.watermarks = vouched(state.watermarks, entry);
  let { digest, count } = state.position;
  const old = entry.op === "watermark" ? undefined : state.live.get(entry.id);
  if (old !== undefined) {
    digest = removeDigest(digest, old.stored.digest);
    count -= 1;
    state.live.delete(entry.id);
    const { count: held, digest: sum } = leafSum(state, old.key);
    const less = { count: held - 1, digest: removeDigest(sum, old.stored.digest) };
    state.sums.set(leafOf(old.key).prefix, less);
  }
  if (entry.op === "upsert") {
    const stored = storedOf(entry, vector, key);
    const live = liveOf(stored, rangeKey(entry.id, key));
    state.live.set(entry.id, live);
    state.sums.set(leafOf(live.key).prefix, more(leafSum(state, live.key), live));
    digest = addDigest(digest, stored.digest);
    count += 1;
  }
  const { seq, sourceTime } = entry;
  state.position = { seq, digest, sourceTime, count };
}

function leafSum({ sums }: State, key: number): LeafSum {
  return sums.get(leafOf(key).prefix) ?? NO_SUM;
}

function more({ count, digest }: LeafSum, { stored }: LiveRecord): LeafSum {
  return { count: count + 1, digest: addDigest(digest, stored.digest) };
}

/** Sets the sums of these range keys' leaves to those of what stands there. */
export function recount(state: State, keys: Iterable<number>): void {
  const leaves = new Set([...keys].map((key) => leafOf(key).prefix));
  for (const leaf of leaves) state.sums.set(leaf, NO_SUM);
  for (const record of state.live.values()) {
    const { prefix } = leafOf(record.key);
    if (leaves.has(prefix)) state.sums.set(prefix, more(leafSum(state, record.key), record));
  }
}

function vouched(watermarks: Watermarks, { audience, sourceTime }: LogEntry): Watermarks {
  if (audience === "") return { ...watermarks, all: Math.max(watermarks.all, sourceTime) };
  const known = watermarks.tenants[audience] ?? 0;
  const tenants = { ...watermarks.tenants, [audience]: Math.max(known, sourceTime) };
  return { ...watermarks, tenants };
}

function storedOf(entry: LogEntry, vector: Uint8Array, key: DigestKey): StoredRecord {
  const { id, audience, labels, embedding, title, text, payload } = structuredClone(entry);
  const record = { id, audience, labels, embedding, vector, title, text, payload };
  return { ...record, digest: recordDigest(record, key) };
}

export function takeBack(state: State, { entry, before, position, watermarks }: Logged): void {
  if (before !== undefined) state.live.set(entry.id, before);
  else state.live.delete(entry.id);
  state.position = position;
  state.watermarks = watermarks;
}

export function liveOf(stored: StoredRecord, key: number): LiveRecord {
  return { stored, floats: floatsOf(stored.vector), key };
}

export function partsOf({ prefix, bits }: RangeRef, split: number): RangeRef[] {
  const deeper = bits + split;
  if (deeper > LEAF_BITS) {
    throw new RangeError(`ranges have at most ${LEAF_BITS} bits, and ${deeper} were asked for`);
  }
  const parts = 2 ** split;
  return Array.from({ length: parts }, (_, n) => ({ prefix: prefix * parts + n, bits: deeper }));
}

export function within(live: ReadonlyMap<string, LiveRecord>, range: RangeRef): LiveRecord[] {
  const { from, below } = rangeBounds(range);
  return [...live.values()].filter(({ key }) => key >= from && key < below);
}

export function sumOf(range: RangeRef, sums: ReadonlyMap<number, LeafSum>): RangeSum {
  const width = 2 ** (LEAF_BITS - range.bits);
  const leaves = [...sums].filter(([leaf]) => Math.floor(leaf / width) === range.prefix);
  const count = leaves.reduce((total, [, sum]) => total + sum.count, 0);
  const digest = leaves.reduce((total, [, sum]) => addDigest(total, sum.digest), EMPTY_DIGEST);
  return { ...range, count, digest };
}

export function heldVectors(records: readonly LiveRecord[]) {
  const held = new Map(records.map(({ stored, floats }) => [stored.embedding, floats.length]));
  return [...held].sort().map(([embedding, dimensions]) => ({ embedding, dimensions }));
}

function dimensionsOf(state: State, embedding: string): number | null {
  const same = [...state.live.values()].find(({ stored }) => stored.embedding === embedding);
  return same?.floats.length ?? null;
}

export function isVisible({ audience, labels }: StoredRecord, query: IndexQuery): boolean {
  const held = query.labels ?? [];
  return query.audiences.includes(audience) && labels.every((label) => held.includes(label));
}

/** `from`: where the numbers begin that the query is compared with. */
export function hit({ stored, floats }: LiveRecord, query: Float32Array, from: number): IndexHit {
  const { id, title, text, audience } = stored;
  const compared = floats.subarray(from, from + query.length);
  return { id, title, text, audience, score: cosine(compared, query) };
}

function cosine(a: Float32Array, b: Float32Array): number {
  const scale = Math.sqrt(dot(a, a) * dot(b, b));
  // A vector of zeros has no direction: nothing in common with anything.
  return scale === 0 ? 0 : dot(a, b) / scale;
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
}
