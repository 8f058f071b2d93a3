import { refuseForeignQuery } from "../core/reconcile/compatible.ts";
import { addDigest, recordDigest, removeDigest } from "../core/reconcile/digest.ts";
import { floatsOf, judgeChange } from "../core/reconcile/entry.ts";
import { TideoverError } from "../lib/errors.ts";
import type { LogEntry } from "../model/change.ts";
import type { Epoch } from "../model/ids.ts";
import { EMPTY_POSITION, type Position } from "../model/position.ts";
import type { EmbeddedChange, IndexHit, IndexQuery, IndexStore } from "../ports/index.ts";

interface LiveRecord {
  readonly entry: LogEntry;
  readonly floats: Float32Array;
  readonly digest: string;
}

/** All that an index is. A write makes a new one and puts it in place whole, or not at all. */
interface State {
  readonly log: LogEntry[];
  readonly live: Map<string, LiveRecord>;
  readonly orphans: LogEntry[];
  position: Position;
  epoch: Epoch;
}

/** An index of the simulated world. Passes the same contract as the real ones. */
export class MemoryIndex implements IndexStore {
  #state: State = emptyState();
  #fault: string | null = null;

  /** Makes every call throw INDEX_UNAVAILABLE for this reason, until `mend`. */
  spoil(reason: string): void {
    this.#fault = reason;
  }

  /** The contents are those from before the fault. */
  mend(): void {
    this.#fault = null;
  }

  async position(): Promise<Position> {
    return { ...this.#read().position };
  }

  async epoch(): Promise<Epoch> {
    return this.#read().epoch;
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
        settle(state, { ...change, seq, epoch, digestAfter: "" });
      }
      return { ...state.position };
    });
  }

  async apply(entries: readonly LogEntry[]): Promise<Position> {
    return this.#write((state) => {
      for (const entry of entries) take(state, entry);
      return { ...state.position };
    });
  }

  async entriesAfter(after: number, limit: number): Promise<LogEntry[]> {
    const from = Math.max(0, after);
    return structuredClone(this.#read().log.slice(from, from + limit));
  }

  async entryAt(seq: number): Promise<LogEntry | null> {
    return structuredClone(this.#read().log[seq - 1] ?? null);
  }

  async rewindTo(seq: number): Promise<number> {
    return this.#write((state) => {
      const tail = state.log.splice(Math.max(0, seq));
      state.orphans.push(...tail);
      if (tail.length > 0) rebuild(state);
      return tail.length;
    });
  }

  async orphans(): Promise<LogEntry[]> {
    return structuredClone(this.#read().orphans);
  }

  async search(query: IndexQuery): Promise<IndexHit[]> {
    const records = [...this.#read().live.values()];
    refuseForeignQuery(heldVectors(records), query);
    return records
      .filter(({ entry }) => query.audiences.includes(entry.audience))
      .map((record) => hit(record, query.vector))
      .sort((a, b) => b.score - a.score || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)))
      .slice(0, Math.max(0, query.k));
  }

  async close(): Promise<void> {
    this.#fault ??= "closed";
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
    const { log, live, orphans, position, epoch } = this.#read();
    const next = { log: [...log], live: new Map(live), orphans: [...orphans], position, epoch };
    const result = work(next);
    this.#state = next;
    return result;
  }
}

function emptyState(): State {
  return { log: [], live: new Map(), orphans: [], position: EMPTY_POSITION, epoch: 0 };
}

function see(state: State, epoch: Epoch): void {
  state.epoch = Math.max(state.epoch, epoch);
}

function refuseStale(state: State, epoch: Epoch): void {
  if (epoch >= Math.max(1, state.epoch)) return;
  throw new TideoverError(`append under epoch ${epoch}, but this index has seen ${state.epoch}`, {
    code: "EPOCH_STALE",
    next: "Stop writing: another region owns this index now.",
  });
}

function take(state: State, entry: LogEntry): void {
  see(state, entry.epoch);
  const { seq } = state.position;
  const held = state.log[entry.seq - 1];
  if (entry.seq <= seq) {
    if (held?.digestAfter !== entry.digestAfter) {
      throw diverged(`entry ${entry.seq} is another one here`);
    }
    return;
  }
  if (entry.seq !== seq + 1) {
    throw diverged(`entry ${entry.seq} does not follow on from seq ${seq}`);
  }
  const before = state.log.at(-1)?.epoch ?? 0;
  if (entry.epoch < before) {
    throw diverged(`entry ${entry.seq} of epoch ${entry.epoch} comes after epoch ${before}`);
  }
  settle(state, entry);
  if (state.position.digest !== entry.digestAfter) {
    throw diverged(`entry ${entry.seq} gives another digest here than at its source`);
  }
}

function diverged(fault: string): TideoverError {
  return new TideoverError(`index has diverged: ${fault}`, {
    code: "INDEX_DIVERGED",
    next: "Rewind to the last entry in common with the owner, then pull from there.",
  });
}

/** Carries out one entry, and logs it with the digest that it led to. */
function settle(state: State, entry: LogEntry): void {
  change(state, entry);
  state.log.push({ ...entry, digestAfter: state.position.digest });
}

function change(state: State, entry: LogEntry): void {
  const vector = judgeChange(entry, dimensionsOf(state, entry.embedding));
  const old = state.live.get(entry.id);
  let { digest } = state.position;
  if (old !== undefined) digest = removeDigest(digest, old.digest);
  state.live.delete(entry.id);
  if (entry.op === "upsert") {
    const own = recordDigest({ ...entry, vector });
    state.live.set(entry.id, { entry, floats: floatsOf(vector), digest: own });
    digest = addDigest(digest, own);
  }
  const { seq, sourceTime } = entry;
  state.position = { seq, digest, sourceTime, count: state.live.size };
}

function rebuild(state: State): void {
  state.live.clear();
  state.position = EMPTY_POSITION;
  for (const entry of state.log) change(state, entry);
}

function heldVectors(records: readonly LiveRecord[]) {
  const held = new Map(records.map(({ entry, floats }) => [entry.embedding, floats.length]));
  return [...held].sort().map(([embedding, dimensions]) => ({ embedding, dimensions }));
}

function dimensionsOf(state: State, embedding: string): number | null {
  const same = [...state.live.values()].find(({ entry }) => entry.embedding === embedding);
  return same?.floats.length ?? null;
}

function hit({ entry, floats }: LiveRecord, query: Float32Array): IndexHit {
  const { id, title, text, audience } = entry;
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
