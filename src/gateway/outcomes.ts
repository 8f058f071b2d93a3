import {
  bucketOf,
  type Histogram,
  mergedHistogram,
  type OutcomeWindow,
} from "../model/outcomes.ts";
import type { Clock } from "../ports/clock.ts";

/** How one request ended, as far as its release may be the reason. */
export interface Ended {
  readonly workflow: string;
  readonly region: string;
  readonly release: string;
  readonly kind: "answered" | "error" | "refused";
  readonly tookMs: number;
  /** Tokens of the answer, or what comes nearest; null when nobody counted. */
  readonly length: number | null;
  /** Tokens of prompt and answer; null when nobody counted. */
  readonly cost: number | null;
}

/** So long, and so many of them with traffic, is what a window looks back on. */
const SLOT_MS = 10_000;
const SLOTS = 90;
const RECENT_MS = 30_000;
/** A release and its predecessor, for each workflow; the rest is bounded memory. */
const MOST_WINDOWS = 128;
const RELEASES_KEPT = 2;

interface Slot {
  readonly from: number;
  to: number;
  requests: number;
  errors: number;
  refusals: number;
  readonly latency: Histogram;
  readonly length: Histogram;
  readonly cost: Histogram;
}

interface Kept {
  readonly workflow: string;
  readonly region: string;
  readonly release: string;
  readonly slots: Slot[];
}

/**
 * What became of this gateway's requests, apart for each release, so that a new one can be compared
 * with the one before it. A release that gets no more traffic keeps its last minutes: they are what
 * its successor is compared with.
 */
export class ReleaseOutcomes {
  readonly #clock: Clock;
  /** In the order of the newest request. */
  readonly #kept = new Map<string, Kept>();
  /** The one that stands last there: nearly every request is for the same as the one before. */
  #newest: Kept | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(ended: Ended): void {
    const now = this.#clock.monotonic();
    const slot = currentSlot(this.#keptFor(ended), now);
    slot.to = now;
    slot.requests += 1;
    if (ended.kind === "error") slot.errors += 1;
    if (ended.kind === "refused") slot.refusals += 1;
    if (ended.kind !== "answered") return;
    count(slot.latency, ended.tookMs);
    if (ended.length !== null) count(slot.length, ended.length);
    if (ended.cost !== null) count(slot.cost, ended.cost);
  }

  /** For the status: of each workflow the two releases that answered last. */
  windows(): OutcomeWindow[] {
    const now = this.#clock.monotonic();
    const newestFirst = [...this.#kept.values()].toReversed();
    const seen = new Map<string, number>();
    return newestFirst.flatMap((kept) => {
      const key = JSON.stringify([kept.workflow, kept.region]);
      const before = seen.get(key) ?? 0;
      seen.set(key, before + 1);
      return before < RELEASES_KEPT ? [windowOf(kept, now)] : [];
    });
  }

  #keptFor(ended: Ended): Kept {
    const newest = this.#newest;
    const same =
      newest?.workflow === ended.workflow &&
      newest.region === ended.region &&
      newest.release === ended.release;
    this.#newest = same ? newest : this.#moved(ended);
    return this.#newest;
  }

  #moved({ workflow, region, release }: Ended): Kept {
    const key = JSON.stringify([workflow, region, release]);
    const kept = this.#kept.get(key) ?? { workflow, region, release, slots: [] };
    // Moved to the end: what goes first, when there are too many, is what is unused for longest.
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST_WINDOWS && oldest !== undefined) this.#kept.delete(oldest);
    return kept;
  }
}

function currentSlot({ slots }: Kept, now: number): Slot {
  const newest = slots.at(-1);
  if (newest !== undefined && now - newest.from < SLOT_MS) return newest;
  const slot: Slot = {
    from: now,
    to: now,
    requests: 0,
    errors: 0,
    refusals: 0,
    latency: {},
    length: {},
    cost: {},
  };
  slots.push(slot);
  if (slots.length > SLOTS) slots.shift();
  return slot;
}

function windowOf({ slots, ...named }: Kept, now: number): OutcomeWindow {
  const recent = slots.filter(({ to }) => now - to <= RECENT_MS);
  return {
    ...named,
    fromMsAgo: Math.round(now - (slots[0]?.from ?? now)),
    toMsAgo: Math.round(now - (slots.at(-1)?.to ?? now)),
    requests: sum(slots, ({ requests }) => requests),
    errors: sum(slots, ({ errors }) => errors),
    refusals: sum(slots, ({ refusals }) => refusals),
    latency: mergedHistogram(slots.map(({ latency }) => latency)),
    recent: {
      requests: sum(recent, ({ requests }) => requests),
      errors: sum(recent, ({ errors }) => errors),
      latency: mergedHistogram(recent.map(({ latency }) => latency)),
    },
    length: mergedHistogram(slots.map(({ length }) => length)),
    cost: mergedHistogram(slots.map(({ cost }) => cost)),
  };
}

function sum(slots: readonly Slot[], of: (slot: Slot) => number): number {
  return slots.reduce((total, slot) => total + of(slot), 0);
}

function count(histogram: Histogram, amount: number): void {
  const bucket = String(bucketOf(amount));
  histogram[bucket] = (histogram[bucket] ?? 0) + 1;
}
