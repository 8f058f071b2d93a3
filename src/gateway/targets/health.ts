import type { Clock } from "../../ports/clock.ts";
import {
  EJECTION,
  type EjectionPolicy,
  ejectionMs,
  type Order,
  orderOf,
  type Reason,
  reasonToEject,
  type Seen,
  type Standing,
} from "./ejection.ts";
import {
  type Entries,
  type Entry,
  freshWindow,
  type Half,
  LocalEntries,
  type Measure,
} from "./entry.ts";
import type { Outcomes } from "./memory.ts";

/** The newest requests that the share of failures is of: two halves, the older one dropped whole. */
const HALF_WINDOW_MS = 15_000;
/** Fewer answers than this say nothing about what is normal. */
const LEAST_SAMPLES = 8;
/** A busy one is asked last for this long at most, whatever it said. */
const LONGEST_BUSY_MS = 30_000;

export interface TargetOutcomes extends Outcomes {
  /** `in` use, left `out`, or out with its period over and waiting for one real request (`trial`). */
  readonly standing: Standing;
  /** Why it was last left alone; null when it is in use. */
  readonly ejectedBecause: string | null;
  readonly ejections: number;
  /** Since its first failure without a success behind it, in ms; null while it is well. */
  readonly troubledForMs: number | null;
  readonly busyForMs: number;
  /** 95th percentiles in ms; null while too little is known. */
  readonly p95Ms: Readonly<Record<Measure, number | null>>;
}

/** Leave to ask one, given out by `claim`. */
export interface Claim {
  readonly name: string;
  /** It is the one request by which an ejected one may come back. */
  readonly trial: boolean;
}

/**
 * What this gateway has seen of its targets and of other gateways: a passive health, learnt from
 * real requests, since probing every target from every gateway would itself be a load. It is a
 * reflex and no verdict. The policy is in `ejection.ts`; here is only memory.
 */
export class Health {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #policy: EjectionPolicy;
  readonly #entries: Entries;

  constructor(
    clock: Clock,
    random: () => number,
    entries: Entries = new LocalEntries(() => clock.monotonic()),
    policy: EjectionPolicy = EJECTION,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#entries = entries;
    this.#policy = policy;
  }

  /** Whom of a group to ask, in turn. At most the share `atMost` of it is left out. */
  order(group: readonly string[], atMost: number): Order {
    const now = this.#clock.monotonic();
    const placed = group.map((name) => {
      const entry = this.#entries.of(name);
      entry.peers = group;
      return { name, standing: this.#standing(entry), busy: entry.busyUntil > now };
    });
    return orderOf(placed, atMost);
  }

  /**
   * Before one is asked: null when its one trial is under way, or its time is not over, unless the
   * detector is distrusted. Every claim is handed back to `settled`.
   */
  claim(name: string, distrusted: boolean): Claim | null {
    if (this.#standing(this.#entries.of(name)) === "in") return { name, trial: false };
    return this.#entries.change(name, (entry) => {
      const standing = this.#standing(entry);
      if (standing === "in") return { name, trial: false };
      if (standing === "out" && !distrusted) return null;
      entry.trying = true;
      return { name, trial: true };
    });
  }

  /** The asking is over, whatever came of it, so that another request may be the trial. */
  settled({ name, trial }: Claim): void {
    if (trial) this.#entries.of(name).trying = false;
  }

  /** It answered, or began to: enough for a trial to come back, not yet a success. */
  answered({ name, trial }: Claim, measure: Measure, tookMs: number): void {
    this.#entries.change(name, (entry) => {
      entry.times[measure].add(tookMs);
      entry.busyUntil = 0;
      // Only a trial ends an ejection: answers to requests of before it say nothing new.
      if (trial) {
        entry.ejectedUntil = 0;
        entry.ejectedBecause = null;
      } else this.#judge(entry);
    });
  }

  /** An answer of it is whole. */
  succeeded(name: string): void {
    this.#entries.change(name, (entry) => {
      entry.succeeded += 1;
      entry.failedInARow = 0;
      if (entry.ejectedBecause === null) {
        entry.ejections = 0;
        entry.troubledSince = null;
      }
      this.#window(entry).requests += 1;
    });
  }

  failed({ name, trial }: Claim, because: string): void {
    this.#entries.change(name, (entry) => {
      entry.failed += 1;
      entry.failedInARow += 1;
      entry.lastFailure = because;
      entry.drainFailedAt = this.#clock.monotonic();
      entry.troubledSince ??= entry.drainFailedAt;
      const window = this.#window(entry);
      window.requests += 1;
      window.failures += 1;
      const failedTrial = trial && entry.ejectedBecause !== null;
      this.#judge(
        entry,
        failedTrial ? { slow: false, because: `its trial failed: ${because}` } : null,
      );
    });
  }

  /**
   * It was given up after so long. Counted as a time that it takes, for else a target that became
   * slower for good would be given up for ever; not while it is out, for then it is dead, not slow.
   */
  gaveUp(name: string, measure: Measure, waitedMs: number): void {
    this.#entries.change(name, (entry) => {
      if (this.#standing(entry) === "in") entry.times[measure].add(waitedMs);
    });
  }

  /** The longest pause of a stream that came whole. */
  paused(name: string, longestMs: number): void {
    this.#entries.change(name, ({ times }) => times.stall.add(longestMs));
  }

  /** It asked to be left in peace for so long. */
  busy(name: string, forMs: number): void {
    this.#entries.of(name).busyUntil = this.#clock.monotonic() + Math.min(forMs, LONGEST_BUSY_MS);
  }

  /** Whether the newest thing known of it is a failure. */
  isFailing(name: string): boolean {
    return this.#entries.of(name).failedInARow > 0;
  }

  p95Ms(name: string, measure: Measure): number | null {
    return this.#entries.of(name).times[measure].quantile(0.95, LEAST_SAMPLES);
  }

  /** The slowest of those that it was last asked beside; null while nothing is known of any. */
  peersP95Ms(name: string, measure: Measure): number | null {
    const known = this.#entries
      .of(name)
      .peers.filter((peer) => peer !== name)
      .map((peer) => this.p95Ms(peer, measure))
      .filter((p95Ms) => p95Ms !== null);
    return known.length === 0 ? null : Math.max(...known);
  }

  outcomes(): TargetOutcomes[] {
    return this.#entries
      .names()
      .map((name) => this.#entries.change(name, (entry) => this.#outcome(name, entry)));
  }

  #outcome(name: string, entry: Entry): TargetOutcomes {
    const { succeeded, failed, failedInARow, lastFailure, ejectedBecause, ejections } = entry;
    const standing = this.#standing(entry);
    const p95Ms = {
      firstToken: this.p95Ms(name, "firstToken"),
      wholeAnswer: this.p95Ms(name, "wholeAnswer"),
      stall: this.p95Ms(name, "stall"),
    };
    return {
      name,
      succeeded,
      failed,
      failedInARow,
      ejectedForMs: this.#leftOf(entry.ejectedUntil),
      lastFailure,
      standing,
      ejectedBecause,
      ejections,
      troubledForMs: this.#troubledForMs(entry, standing),
      busyForMs: this.#leftOf(entry.busyUntil),
      p95Ms,
    };
  }

  /** One that nobody has asked since is not said to fail for ever. */
  #troubledForMs(entry: Entry, standing: Standing): number | null {
    const now = this.#clock.monotonic();
    const fails = entry.failedInARow > 0 && now - entry.drainFailedAt <= 2 * HALF_WINDOW_MS;
    if (entry.troubledSince === null || (standing === "in" && !fails)) return null;
    return now - entry.troubledSince;
  }

  #leftOf(until: number): number {
    return Math.max(0, until - this.#clock.monotonic());
  }

  #standing(entry: Entry): Standing {
    if (entry.ejectedBecause === null) return "in";
    return this.#leftOf(entry.ejectedUntil) > 0 || entry.trying ? "out" : "trial";
  }

  #judge(entry: Entry, known: Reason | null = null): void {
    // Requests that were under way together fail together: only the first ejects, or one short
    // break under load would double the period a dozen times.
    if (this.#leftOf(entry.ejectedUntil) > 0) return;
    const reason = known ?? reasonToEject(seenOf(entry), this.#peersTypicalMs(entry), this.#policy);
    if (reason === null) return;
    const period = ejectionMs(entry.ejections, this.#random(), this.#policy);
    entry.ejectedUntil = this.#clock.monotonic() + period;
    entry.ejectedBecause = reason.because;
    entry.ejections += 1;
    entry.troubledSince ??= this.#clock.monotonic();
    // When it comes back it is judged by what it does then, and not by why it went. What is normal
    // for one that failed is kept: its trial shall not wait as for a stranger.
    if (reason.slow) entry.times.firstToken.clear();
    entry.window = freshWindow(this.#clock.monotonic());
  }

  #peersTypicalMs({ peers, times }: Entry): readonly number[] {
    if (peers.length <= 1) return ALONE;
    return peers
      .map((name) => this.#entries.of(name).times)
      .filter((other) => other !== times)
      .map((other) => other.firstToken.quantile(0.5, LEAST_SAMPLES))
      .filter((typical) => typical !== null);
  }

  #window(entry: Entry): Half {
    const now = this.#clock.monotonic();
    const age = now - entry.window[0].at;
    if (age > 2 * HALF_WINDOW_MS) entry.window = freshWindow(now);
    else if (age > HALF_WINDOW_MS)
      entry.window = [{ at: now, requests: 0, failures: 0 }, entry.window[0]];
    return entry.window[0];
  }
}

/** Nobody to be compared with. */
const ALONE: readonly number[] = [];

function seenOf({ failedInARow, window: [newer, older], times }: Entry): Seen {
  return {
    failedInARow,
    requests: newer.requests + older.requests,
    failures: newer.failures + older.failures,
    typicalMs: times.firstToken.quantile(0.5, LEAST_SAMPLES),
  };
}
