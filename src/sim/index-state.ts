import {
  addDigest,
  type DigestKey,
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

/** A log entry with what it replaced, so that it can be taken back. */
export interface Logged {
  readonly entry: LogEntry;
  readonly before: LiveRecord | undefined;
  readonly position: Position;
  readonly watermarks: Watermarks;
}

/** All that an index is. A write makes a new one and puts it in place whole, or not at all. */
export interface State {
  readonly log: Logged[];
  readonly live: Map<string, LiveRecord>;
  readonly orphans: LogEntry[];
  base: number;
  position: Position;
  watermarks: Watermarks;
  epoch: Epoch;
  standing: IndexStanding;
}

export function emptyState(): State {
  return {
    log: [],
    live: new Map(),
    orphans: [],
    base: 0,
    position: EMPTY_POSITION,
    watermarks: NO_WATERMARKS,
    epoch: 0,
    standing: { kind: "whole" },
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
  let { digest } = state.position;
  const old = entry.op === "watermark" ? undefined : state.live.get(entry.id);
  if (old !== undefined) {
    digest = removeDigest(digest, old.stored.digest);
    state.live.delete(entry.id);
  }
  if (entry.op === "upsert") {
    const stored = storedOf(entry, vector, key);
    state.live.set(entry.id, liveOf(stored, rangeKey(entry.id, key)));
    digest = addDigest(digest, stored.digest);
  }
  const { seq, sourceTime } = entry;
  state.position = { seq, digest, sourceTime, count: state.live.size };
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

export function sumOf(range: RangeRef, live: ReadonlyMap<string, LiveRecord>): RangeSum {
  const records = within(live, range);
  const digest = records.reduce((sum, { stored }) => addDigest(sum, stored.digest), EMPTY_DIGEST);
  return { ...range, count: records.length, digest };
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

export function hit({ stored, floats }: LiveRecord, query: Float32Array): IndexHit {
  const { id, title, text, audience } = stored;
  return { id, title, text, audience, score: cosine(floats, query) };
}

function cosine(a: Float32Array, b: Float32Array): number {
  const scale = Math.sqrt(dot(a, a) * dot(b, b));
  // A vector of zeros has no direction: nothing in common with anything.
  return scale === 0 ? 0 : dot(a, b) / scale;
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
}
