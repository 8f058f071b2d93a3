import { Distribution } from "./distribution.ts";

export type Measure = "firstToken" | "wholeAnswer" | "stall";

/** What is counted of half a window. */
export interface Half {
  readonly at: number;
  requests: number;
  failures: number;
}

/** What is remembered of one target; times are monotonic ms. */
export interface Entry {
  succeeded: number;
  failed: number;
  failedInARow: number;
  /** In a row: each makes the next one longer. */
  ejections: number;
  ejectedUntil: number;
  ejectedBecause: string | null;
  /** One real request is trying it. */
  trying: boolean;
  busyUntil: number;
  lastFailure: string | null;
  drainFailedAt: number;
  /** When it first failed, or was left alone, without a success since. */
  troubledSince: number | null;
  window: readonly [Half, Half];
  readonly times: Readonly<Record<Measure, Distribution>>;
  /** Names that it was last asked beside. */
  peers: readonly string[];
}

/** Where the entries are kept: in this thread alone, or shared by all threads of a gateway. */
export interface Entries {
  /** To read, and to change what no other thread minds. Makes one for a name that is new. */
  of(name: string): Entry;
  /** To change as one step that no other thread comes between. Must not be nested. */
  change<T>(name: string, work: (entry: Entry) => T): T;
  names(): readonly string[];
}

export class LocalEntries implements Entries {
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();

  /** `now`: monotonic ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  of(name: string): Entry {
    const known = this.#entries.get(name);
    if (known !== undefined) return known;
    const fresh = freshEntry(this.#now());
    this.#entries.set(name, fresh);
    return fresh;
  }

  change<T>(name: string, work: (entry: Entry) => T): T {
    return work(this.of(name));
  }

  names(): readonly string[] {
    return [...this.#entries.keys()];
  }
}

export function freshWindow(at: number): readonly [Half, Half] {
  return [
    { at, requests: 0, failures: 0 },
    { at, requests: 0, failures: 0 },
  ];
}

function freshEntry(now: number): Entry {
  return {
    succeeded: 0,
    failed: 0,
    failedInARow: 0,
    ejections: 0,
    ejectedUntil: 0,
    ejectedBecause: null,
    trying: false,
    busyUntil: 0,
    lastFailure: null,
    drainFailedAt: now,
    troubledSince: null,
    window: freshWindow(now),
    times: {
      firstToken: new Distribution(),
      wholeAnswer: new Distribution(),
      stall: new Distribution(),
    },
    peers: [],
  };
}
