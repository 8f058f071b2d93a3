import { refuseForeignQuery } from "../core/reconcile/compatible.ts";
import { addDigest, type DigestKey, rangeKey, recordDigest } from "../core/reconcile/digest.ts";
import { TideoverError } from "../lib/errors.ts";
import type { LogEntry, LogMark } from "../model/change.ts";
import type { Epoch } from "../model/ids.ts";
import type { IndexFacts, IndexStanding, Watermarks } from "../model/index-health.ts";
import { EMPTY_DIGEST, type Position } from "../model/position.ts";
import type { RangeRef, RangeSum, RecordMark, StoredRecord } from "../model/record.ts";
import type { HeldVectors } from "../model/vectors.ts";
import type {
  EmbeddedChange,
  IndexHit,
  IndexQuery,
  IndexRepair,
  IndexRestore,
  IndexSnapshot,
  IndexStore,
} from "../ports/index.ts";
import {
  diverged,
  emptyState,
  entryOf,
  heldVectors,
  hit,
  isVisible,
  type LiveRecord,
  liveOf,
  partsOf,
  recount,
  refuseStale,
  refuseUnanswering,
  type State,
  see,
  settle,
  standingOf,
  sumOf,
  take,
  takeBack,
  within,
} from "./index-state.ts";

const FACTS: IndexFacts = {
  engine: "memory",
  approximate: false,
  tenantGuard: "query",
  settings: {},
  faults: [],
};

/** An index of the simulated world. Passes the same contract as the real ones. */
export class MemoryIndex implements IndexStore {
  #state: State = emptyState();
  #fault: string | null = null;
  readonly #key: DigestKey;

  constructor(key?: DigestKey) {
    this.#key = key;
  }

  /** Makes every call throw INDEX_UNAVAILABLE for this reason, until `mend`. */
  spoil(reason: string): void {
    this.#fault = reason;
  }

  /** The contents are those from before the fault. */
  mend(): void {
    this.#fault = null;
  }

  /**
   * Damages one record behind the index's back, as a disk or a careless hand would: its kept digest
   * and the sums stay. null takes the record away.
   */
  tamper(id: string, damage: Partial<StoredRecord> | null): void {
    const held = this.#state.live.get(id);
    if (held === undefined) throw new RangeError(`there is no record "${id}" to damage`);
    if (damage === null) this.#state.live.delete(id);
    else this.#state.live.set(id, liveOf({ ...held.stored, ...damage }, held.key));
  }

  async position(): Promise<Position> {
    return { ...this.#read().position };
  }

  async epoch(): Promise<Epoch> {
    return this.#read().epoch;
  }

  async watermarks(): Promise<Watermarks> {
    return structuredClone(this.#read().watermarks);
  }

  async vectors(): Promise<HeldVectors[]> {
    return heldVectors([...this.#read().live.values()]);
  }

  async fence(epoch: Epoch): Promise<void> {
    this.#write((state) => see(state, epoch));
  }

  async append(epoch: Epoch, changes: readonly EmbeddedChange[]): Promise<Position> {
    return this.#write((state) => {
      refuseStale(state, epoch);
      see(state, epoch);
      for (const change of changes) {
        const seq = state.position.seq + 1;
        settle(state, { ...change, seq, epoch, digestAfter: "" }, this.#key);
      }
      return { ...state.position };
    });
  }

  async apply(entries: readonly LogEntry[]): Promise<Position> {
    return this.#write((state) => {
      for (const entry of entries) take(state, entry, this.#key);
      return { ...state.position };
    });
  }

  async base(): Promise<number> {
    return this.#read().base;
  }

  async entriesAfter(after: number, limit: number): Promise<LogEntry[]> {
    const { log, base } = this.#read();
    const from = Math.max(0, after - base);
    return structuredClone(log.slice(from, from + limit).map(({ entry }) => entry));
  }

  async entryAt(seq: number): Promise<LogEntry | null> {
    return structuredClone(entryOf(this.#read(), seq));
  }

  async markAt(seq: number): Promise<LogMark | null> {
    const entry = entryOf(this.#read(), seq);
    if (entry === null) return null;
    const { epoch, digestAfter } = entry;
    return { seq, epoch, digestAfter };
  }

  async rewindTo(seq: number): Promise<number> {
    return this.#write((state) => {
      const to = Math.max(0, seq);
      if (to >= state.position.seq) return 0;
      if (to < state.base) {
        throw diverged(`its log begins above ${state.base}, so it cannot go back to ${to}`);
      }
      const tail = state.log.splice(to - state.base);
      state.orphans.push(...tail.map(({ entry }) => entry));
      for (const logged of tail.reverse()) takeBack(state, logged);
      this.#recount(
        state,
        tail.map(({ entry }) => entry.id),
      );
      return tail.length;
    });
  }

  async orphans(): Promise<LogEntry[]> {
    return structuredClone(this.#read().orphans);
  }

  async trimLog(upTo: number): Promise<number> {
    return this.#write((state) => {
      const to = Math.min(upTo, state.position.seq - 1);
      if (to > state.base) {
        state.log.splice(0, to - state.base);
        state.base = to;
      }
      return state.base;
    });
  }

  async search(query: IndexQuery): Promise<IndexHit[]> {
    const state = this.#read();
    refuseUnanswering(standingOf(state), query.proving);
    const records = [...(state.hot ?? state.live).values()];
    const places = refuseForeignQuery(heldVectors(records), query);
    const placeBy = new Map(places.map((place) => [place.embedding, place]));
    const found = records
      .filter(({ stored }) => isVisible(stored, query))
      .map((record) => {
        const place = placeBy.get(record.stored.embedding);
        return { record, hit: hit(record, query.vector, place?.from ?? 0) };
      })
      .sort(
        ({ hit: a }, { hit: b }) =>
          b.score - a.score || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)),
      )
      .slice(0, Math.max(0, query.k));
    for (const { record } of found) this.#refuseDamaged(record.stored);
    return found.map(({ hit }) => hit);
  }

  async standing(): Promise<IndexStanding> {
    return standingOf(this.#read());
  }

  async quarantine(because: string | null): Promise<void> {
    this.#write((state) => {
      state.quarantine = because;
    });
  }

  async facts(): Promise<IndexFacts> {
    this.#read();
    return FACTS;
  }

  async sums(ranges: readonly RangeRef[], split: number): Promise<RangeSum[]> {
    const { sums } = this.#read();
    return ranges.flatMap((range) => partsOf(range, split).map((part) => sumOf(part, sums)));
  }

  async marks(range: RangeRef): Promise<RecordMark[]> {
    return (await this.recordsIn(range)).map(({ id, digest }) => ({ id, digest }));
  }

  async recordsIn(range: RangeRef): Promise<StoredRecord[]> {
    return within(this.#read().live, range)
      .map(({ stored }) => structuredClone(stored))
      .sort((a, b) => Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
  }

  async recordsOf(ids: readonly string[]): Promise<StoredRecord[]> {
    const { live } = this.#read();
    return [...new Set(ids)].flatMap((id) => {
      const held = live.get(id);
      return held === undefined ? [] : [structuredClone(held.stored)];
    });
  }

  async repair({ at, put, drop }: IndexRepair): Promise<void> {
    this.#write((state) => {
      const { seq, digest } = state.position;
      if (seq !== at.seq || digest !== at.digest) {
        throw diverged(`it stands at ${seq}, and is to be repaired as of ${at.seq}`);
      }
      for (const id of drop) state.live.delete(id);
      for (const record of put) {
        this.#refuseDamaged(record);
        state.live.set(record.id, liveOf(structuredClone(record), rangeKey(record.id, this.#key)));
      }
      this.#recount(state, [...drop, ...put.map(({ id }) => id)]);
    });
  }

  #recount(state: State, ids: readonly string[]): void {
    recount(
      state,
      ids.map((id) => rangeKey(id, this.#key)),
    );
  }

  async openSnapshot(): Promise<IndexSnapshot> {
    const { position, epoch, watermarks, live } = this.#read();
    const records = [...live.values()].sort(byKey).map(({ stored }) => stored);
    const pages = async function* (limit: number, first: readonly string[] = []) {
      const ordered = firstOnes(records, first);
      for (let at = 0; at < ordered.length; at += limit) {
        yield structuredClone(ordered.slice(at, at + limit));
      }
    };
    return { position, epoch, watermarks, records: pages, close: async () => {} };
  }

  async restore(from: IndexRestore): Promise<Position> {
    try {
      const live = await this.#loaded(from);
      this.#judgeLoaded(live, from.position);
      const { position, epoch, watermarks } = from;
      const { orphans, quarantine, epoch: seen } = this.#read();
      const kept = { orphans, quarantine, epoch: Math.max(epoch, seen) };
      this.#state = { ...emptyState(), ...kept, live, base: position.seq, position, watermarks };
      recount(
        this.#state,
        [...live.values()].map(({ key }) => key),
      );
      return { ...position };
    } finally {
      this.#state = { ...this.#state, hot: null };
    }
  }

  async #loaded({ records, hot, position }: IndexRestore): Promise<Map<string, LiveRecord>> {
    this.#read();
    const live = new Map<string, LiveRecord>();
    for await (const page of records) {
      this.#read();
      for (const record of page) {
        this.#refuseDamaged(record);
        live.set(record.id, liveOf(structuredClone(record), rangeKey(record.id, this.#key)));
      }
      if (hot !== undefined && live.size >= hot) {
        this.#state = { ...this.#state, hot: new Map(live), total: position.count };
      }
    }
    return live;
  }

  #judgeLoaded(live: ReadonlyMap<string, LiveRecord>, { digest, count, seq }: Position): void {
    const digests = [...live.values()].map(({ stored }) => stored.digest);
    if (digests.reduce(addDigest, EMPTY_DIGEST) === digest && live.size === count) return;
    throw diverged(`the snapshot's ${live.size} records do not sum up to seq ${seq}`);
  }

  async close(): Promise<void> {
    this.#fault ??= "closed";
  }

  #refuseDamaged(record: StoredRecord): void {
    if (recordDigest(record, this.#key) === record.digest) return;
    throw new TideoverError(`record "${record.id}" is not what was written`, {
      code: "INDEX_CORRUPT",
      retry: "later",
      next: "Repair this copy, or restore it.",
    });
  }

  #read(): State {
    if (this.#fault === null) return this.#state;
    throw new TideoverError(`index in memory is unavailable: ${this.#fault}`, {
      code: "INDEX_UNAVAILABLE",
      retry: "later",
      next: "Mend the simulated index.",
    });
  }

  #write<T>(work: (state: State) => T): T {
    const state = this.#read();
    const { log, live, sums, orphans } = state;
    const next = {
      ...state,
      ...{ log: [...log], live: new Map(live), sums: new Map(sums), orphans: [...orphans] },
    };
    const result = work(next);
    this.#state = next;
    return result;
  }
}

function byKey(a: LiveRecord, b: LiveRecord): number {
  return a.key - b.key || Buffer.compare(Buffer.from(a.stored.id), Buffer.from(b.stored.id));
}

function firstOnes(records: readonly StoredRecord[], first: readonly string[]): StoredRecord[] {
  const wanted = new Set(first);
  const byId = new Map(records.map((record) => [record.id, record]));
  const hot = [...wanted].flatMap((id) => byId.get(id) ?? []);
  return [...hot, ...records.filter(({ id }) => !wanted.has(id))];
}
