import { Distribution, NEWEST } from "../targets/distribution.ts";
import {
  type Entries,
  type Entry,
  type Half,
  LocalEntries,
  type Measure,
} from "../targets/entry.ts";
import { locked, release } from "./lock.ts";
import { SharedNames } from "./names.ts";
import { SharedText } from "./text.ts";

/** Targets of a region and gateways of all others, each for chat and for vectors: 4 MiB. */
const SLOTS = 1_024;
const WORD = 8;
const TEXT = 256;
const MEASURES: readonly Measure[] = ["firstToken", "wholeAnswer", "stall"];

/** Where each part of a slot begins, in bytes. Locks are 4 bytes, numbers 8. */
const AT = { lock: 0, trying: 4, numbers: WORD, times: 24 * WORD } as const;
const TIMES = (1 + NEWEST) * WORD;
const TEXTS_AT = AT.times + MEASURES.length * TIMES;
const SLOT = TEXTS_AT + 3 * TEXT;

/** Which of a slot's numbers is which. */
const N = {
  succeeded: 0,
  failed: 1,
  failedInARow: 2,
  ejections: 3,
  ejectedUntil: 4,
  busyUntil: 5,
  drainFailedAt: 6,
  /** 0 for null: no clock of ours is at 0 when a target fails. */
  troubledSince: 7,
  /** Twice: when the half began, requests, failures. */
  window: 8,
} as const;
const NUMBERS = 14;

export function sharedEntriesMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(SLOTS * (WORD + SLOT));
}

/** Frees what a thread that ended still holds: its locks, and the trials that it was in. */
export function releaseEntries(memory: SharedArrayBuffer, ended: number): void {
  for (let slot = 0; slot < SLOTS; slot++) {
    const words = new Int32Array(memory, baseOf(slot), 2);
    release(words, AT.lock / 4, ended);
    release(words, AT.trying / 4, ended);
  }
}

/**
 * What all threads of a gateway have seen of its targets, as one memory: an ejection by one is an
 * ejection for all, from the next request on; a returning target is tried by one thread; and a
 * thread that is started anew knows what the others know.
 */
export class SharedEntries implements Entries {
  readonly #memory: SharedArrayBuffer;
  readonly #me: number;
  readonly #names: SharedNames;
  readonly #known = new Map<string, SharedEntry | null>();
  /** For names beyond the slots: this thread remembers them alone. */
  readonly #others: LocalEntries;

  /** `me`: this thread's number, above 0. `now`: monotonic ms, of a clock that all threads share. */
  constructor(memory: SharedArrayBuffer, me: number, now: () => number) {
    this.#memory = memory;
    this.#me = me;
    this.#names = new SharedNames(new BigInt64Array(memory, 0, SLOTS));
    this.#others = new LocalEntries(now);
  }

  of(name: string): Entry {
    return this.#shared(name) ?? this.#others.of(name);
  }

  change<T>(name: string, work: (entry: Entry) => T): T {
    const entry = this.#shared(name);
    return entry === null ? this.#others.change(name, work) : entry.locked(() => work(entry));
  }

  names(): readonly string[] {
    const shared = this.#names.claimed().map((slot) => this.#entryAt(slot).name.get());
    return [...shared.filter((name) => name !== null), ...this.#others.names()];
  }

  #shared(name: string): SharedEntry | null {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const slot = this.#names.slotOf(name);
    const entry = slot === null ? null : this.#entryAt(slot);
    // All who come first write the same.
    if (entry?.name.isNull) entry.locked(() => entry.name.set(name));
    this.#known.set(name, entry);
    return entry;
  }

  #entryAt(slot: number): SharedEntry {
    return new SharedEntry(this.#memory, baseOf(slot), this.#me);
  }
}

function baseOf(slot: number): number {
  return SLOTS * WORD + slot * SLOT;
}

class SharedEntry implements Entry {
  peers: readonly string[] = [];
  readonly name: SharedText;
  readonly times: Readonly<Record<Measure, Distribution>>;
  readonly #me: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #numbers: Float64Array<SharedArrayBuffer>;
  readonly #ejectedBecause: SharedText;
  readonly #lastFailure: SharedText;
  readonly #halves: readonly [SharedHalf, SharedHalf];

  constructor(memory: SharedArrayBuffer, base: number, me: number) {
    this.#me = me;
    this.#words = new Int32Array(memory, base, 2);
    this.#numbers = new Float64Array(memory, base + AT.numbers, NUMBERS);
    const text = (nth: number) => new SharedText(memory, base + TEXTS_AT + nth * TEXT, TEXT);
    this.name = text(0);
    this.#ejectedBecause = text(1);
    this.#lastFailure = text(2);
    this.#halves = [
      new SharedHalf(this.#numbers, N.window),
      new SharedHalf(this.#numbers, N.window + 3),
    ];
    const times = (measure: Measure) =>
      timesAt(memory, base + AT.times + MEASURES.indexOf(measure) * TIMES);
    this.times = {
      firstToken: times("firstToken"),
      wholeAnswer: times("wholeAnswer"),
      stall: times("stall"),
    };
  }

  locked<T>(work: () => T): T {
    return locked(this.#words, AT.lock / 4, this.#me, work);
  }

  get succeeded(): number {
    return this.#get(N.succeeded);
  }
  set succeeded(value: number) {
    this.#numbers[N.succeeded] = value;
  }
  get failed(): number {
    return this.#get(N.failed);
  }
  set failed(value: number) {
    this.#numbers[N.failed] = value;
  }
  get failedInARow(): number {
    return this.#get(N.failedInARow);
  }
  set failedInARow(value: number) {
    this.#numbers[N.failedInARow] = value;
  }
  get ejections(): number {
    return this.#get(N.ejections);
  }
  set ejections(value: number) {
    this.#numbers[N.ejections] = value;
  }
  get ejectedUntil(): number {
    return this.#get(N.ejectedUntil);
  }
  set ejectedUntil(value: number) {
    this.#numbers[N.ejectedUntil] = value;
  }
  get busyUntil(): number {
    return this.#get(N.busyUntil);
  }
  set busyUntil(value: number) {
    this.#numbers[N.busyUntil] = value;
  }
  get drainFailedAt(): number {
    return this.#get(N.drainFailedAt);
  }
  set drainFailedAt(value: number) {
    this.#numbers[N.drainFailedAt] = value;
  }
  get troubledSince(): number | null {
    return this.#get(N.troubledSince) || null;
  }
  set troubledSince(value: number | null) {
    this.#numbers[N.troubledSince] = value ?? 0;
  }
  get ejectedBecause(): string | null {
    return this.#ejectedBecause.get();
  }
  set ejectedBecause(value: string | null) {
    this.#ejectedBecause.set(value);
  }
  get lastFailure(): string | null {
    return this.#lastFailure.get();
  }
  set lastFailure(value: string | null) {
    this.#lastFailure.set(value);
  }

  get trying(): boolean {
    return Atomics.load(this.#words, 1) !== 0;
  }
  /** With the thread's number, so that its trial ends with it. */
  set trying(value: boolean) {
    if (value) Atomics.store(this.#words, 1, this.#me);
    else release(this.#words, 1, this.#me);
  }

  get window(): readonly [Half, Half] {
    return this.#halves;
  }
  set window([newer, older]: readonly [Half, Half]) {
    // The older one first: it may be the half that the newer one now replaces.
    this.#halves[1].become(older);
    this.#halves[0].become(newer);
  }

  #get(at: number): number {
    return this.#numbers[at] ?? 0;
  }
}

class SharedHalf implements Half {
  readonly #numbers: Float64Array<SharedArrayBuffer>;
  readonly #from: number;

  constructor(numbers: Float64Array<SharedArrayBuffer>, from: number) {
    this.#numbers = numbers;
    this.#from = from;
  }

  get at(): number {
    return this.#numbers[this.#from] ?? 0;
  }
  get requests(): number {
    return this.#numbers[this.#from + 1] ?? 0;
  }
  set requests(value: number) {
    this.#numbers[this.#from + 1] = value;
  }
  get failures(): number {
    return this.#numbers[this.#from + 2] ?? 0;
  }
  set failures(value: number) {
    this.#numbers[this.#from + 2] = value;
  }

  become({ at, requests, failures }: Half): void {
    this.#numbers.set([at, requests, failures], this.#from);
  }
}

function timesAt(memory: SharedArrayBuffer, at: number): Distribution {
  const count = new Float64Array(memory, at, 1);
  return new Distribution(new Float64Array(memory, at + WORD, NEWEST), count);
}
