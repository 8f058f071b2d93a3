import { DEFAULT_SLOW, type SlowPolicy } from "../../model/reflex.ts";
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
  type Claim,
  type Entries,
  type Entry,
  type FirstMeasure,
  freshWindow,
  type Half,
  LocalEntries,
  type Measure,
} from "./entry.ts";
import type { Outcomes } from "./memory.ts";
import { judgeTrial, judgeWindow, peersOf } from "./slow.ts";
import { type Run, type SlowMeasure, slowFromMs, slowWords } from "./slowness.ts";
import { Vigil } from "./vigil.ts";

/** The newest requests that the share of failures is of: two halves, the older one dropped whole. */
const HALF_WINDOW_MS = 15_000;
/** Fewer answers than this say nothing about what is normal. */
const LEAST_SAMPLES = 8;
/** A busy one is asked last for this long at most, whatever it said. */
const LONGEST_BUSY_MS = 30_000;

/** What a target takes in the long run, and what it took lately, in ms; null while unknown. */
export interface Usual {
  readonly normalMs: number | null;
  readonly nowMs: number | null;
}

export interface TargetOutcomes extends Outcomes {
  /**
   * `in` use, asked last because it is `slow`, left `out`, or either with its period over and
   * waiting for one real request (`trial`).
   */
  readonly standing: Standing;
  /** Why it was last left alone; null when it is in use. */
  readonly ejectedBecause: string | null;
  readonly ejections: number;
  /** In what it is slower than is normal for it, also when nobody does better; null: in nothing. */
  readonly slow: string | null;
  readonly usual: Readonly<Record<SlowMeasure, Usual>>;
  /** How often it was asked for a sign of life, apart from all requests. */
  readonly probes: number;
  /** How long such an answer takes, in ms; null before the first one. */
  readonly probeMs: number | null;
  /** Since its first failure without a success behind it, in ms; null while it is well. */
  readonly troubledForMs: number | null;
  /** Since its newest failure, in ms; null when it never failed. */
  readonly failedAgoMs: number | null;
  readonly busyForMs: number;
  /** 95th percentiles in ms; null while too little is known. */
  readonly p95Ms: Readonly<Record<Measure, number | null>>;
}

/**
 * What this gateway has seen of its targets and of other gateways: a passive health, learnt from
 * real requests, since probing every target from every gateway would itself be a load. It is a
 * reflex and no verdict. The policy is in `ejection.ts` and `slowness.ts`; here is only memory. Only
 * a target in doubt is probed (`vigil`), and a probe changes nothing here.
 */
export class Health {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #policy: EjectionPolicy;
  readonly #entries: Entries;
  #slow: SlowPolicy = DEFAULT_SLOW;
  /** Over the requests that wait for a target. */
  readonly vigil: Vigil;

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
    this.vigil = new Vigil(clock, random, this);
  }

  /**
   * Whom of a group to ask, in turn. At most the share `atMost` of it is left out. `slow`: what is
   * slow, as the newest snapshot has it.
   */
  order(group: readonly string[], atMost: number, slow: SlowPolicy = DEFAULT_SLOW): Order {
    this.#slow = slow;
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
    if (isUsed(this.#standing(this.#entries.of(name)))) return { name, trial: false };
    return this.#entries.change(name, (entry) => {
      const standing = this.#standing(entry);
      if (isUsed(standing)) return { name, trial: false };
      if (standing === "out" && !distrusted) return null;
      entry.trying = true;
      return { name, trial: true };
    });
  }

  /** The asking is over, whatever came of it, so that another request may be the trial. */
  settled({ name, trial }: Claim): void {
    if (trial) this.#entries.of(name).trying = false;
  }

  /**
   * It answered, or began to: enough for a trial to come back, not yet a success. `counted`: its
   * slowness was counted already while it was waited for.
   */
  answered(claim: Claim, measure: FirstMeasure, tookMs: number, counted = false): void {
    this.#entries.change(claim.name, (entry) => {
      entry.busyUntil = 0;
      this.#took(entry, claim, measure, tookMs, counted);
      if (!claim.trial) this.#judge(entry);
    });
  }

  /** So many ms lay between two events of a stream of it lately. */
  paced(claim: Claim, ms: number): void {
    this.#entries.change(claim.name, (entry) => this.#took(entry, claim, "pace", ms, false));
  }

  /** It is waited for still, and has taken longer already than it should. */
  late(name: string, measure: FirstMeasure, waitedMs: number): void {
    const claim = { name, trial: false };
    this.#entries.change(name, (entry) => this.#took(entry, claim, measure, waitedMs, false));
  }

  /** From here on one request of it is late, in ms; null while too little is known. */
  lateFromMs(name: string, measure: FirstMeasure): number | null {
    const { normalMs } = this.#entries.of(name).runs[measure];
    return normalMs === 0 ? null : slowFromMs(normalMs, measure, this.#slow);
  }

  /** An answer of it is whole. */
  succeeded(name: string): void {
    this.#entries.change(name, (entry) => {
      entry.succeeded += 1;
      entry.failedInARow = 0;
      if (entry.ejectedBecause === null && entry.slowBy === null) {
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
      entry.lastFailedAt = this.#clock.monotonic();
      entry.troubledSince ??= entry.lastFailedAt;
      const window = this.#window(entry);
      window.requests += 1;
      window.failures += 1;
      const failedTrial = trial && entry.ejectedBecause !== null;
      this.#judge(
        entry,
        failedTrial ? { slow: null, because: `its trial failed: ${because}` } : null,
      );
    });
  }

  /**
   * It was given up after so long. Counted as a time that it takes, for else a target that became
   * slower for good would be given up for ever; not while it is out, for then it is dead, not slow.
   */
  gaveUp(name: string, measure: FirstMeasure, waitedMs: number): void {
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

  /** What is remembered of one, for whoever watches over it. */
  entry(name: string): Entry {
    return this.#entries.of(name);
  }

  /** To change it as one step. */
  change<T>(name: string, work: (entry: Entry) => T): T {
    return this.#entries.change(name, work);
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
      pace: this.p95Ms(name, "pace"),
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
      slow: this.#slowNow(entry),
      usual: {
        firstToken: usualOf(entry.runs.firstToken),
        wholeAnswer: usualOf(entry.runs.wholeAnswer),
        pace: usualOf(entry.runs.pace),
      },
      probes: entry.probes,
      probeMs: entry.probeMs || null,
      troubledForMs: this.#troubledForMs(entry, standing),
      failedAgoMs: failed === 0 ? null : this.#clock.monotonic() - entry.lastFailedAt,
      busyForMs: this.#leftOf(entry.busyUntil),
      p95Ms,
    };
  }

  /** One that nobody has asked since is not said to fail for ever. */
  #troubledForMs(entry: Entry, standing: Standing): number | null {
    const now = this.#clock.monotonic();
    const fails = entry.failedInARow > 0 && now - entry.lastFailedAt <= 2 * HALF_WINDOW_MS;
    const well = standing === "in" && !fails && this.#slowNow(entry) === null;
    return entry.troubledSince === null || well ? null : now - entry.troubledSince;
  }

  #slowNow({ slowBy, runs, ejectedBecause }: Entry): string | null {
    if (slowBy === null) return null;
    const { nowMs, normalMs, nowAt } = runs[slowBy];
    const seen = this.#clock.monotonic() - nowAt <= 2 * HALF_WINDOW_MS;
    return seen || ejectedBecause !== null ? slowWords(nowMs, normalMs, slowBy) : null;
  }

  #leftOf(until: number): number {
    return Math.max(0, until - this.#clock.monotonic());
  }

  #standing(entry: Entry): Standing {
    if (entry.ejectedBecause === null) return "in";
    if (this.#leftOf(entry.ejectedUntil) <= 0 && !entry.trying) return "trial";
    return entry.slowBy === null ? "out" : "slow";
  }

  /** One value of how long it takes, and what follows from it. */
  #took(entry: Entry, { trial }: Claim, measure: SlowMeasure, ms: number, counted: boolean): void {
    const now = this.#clock.monotonic();
    entry.times[measure].add(ms);
    // The pace of a stream that once was a trial says nothing of why it is out since.
    const tries = trial && (measure !== "pace" || entry.slowBy !== null);
    if (tries && entry.ejectedBecause !== null) this.#trialTook(entry, measure, ms);
    if (counted || entry.ejectedBecause !== null) return;
    const because = judgeWindow(entry, this.#peers(entry), measure, this.#slow, now);
    if (entry.slowBy !== null) entry.troubledSince ??= now;
    if (because !== null) this.#eject(entry, { slow: measure, because });
  }

  /** Only a trial ends an ejection: answers to requests of before it say nothing new. */
  #trialTook(entry: Entry, measure: SlowMeasure, ms: number): void {
    const now = this.#clock.monotonic();
    const verdict = judgeTrial(entry, this.#peers(entry), measure, ms, this.#slow, now);
    if (verdict === "back") {
      entry.ejectedUntil = 0;
      entry.ejectedBecause = null;
      // Until more is known it is not tried by ever more requests.
    } else if (verdict === "undecided") entry.ejectedUntil = now + this.#policy.firstMs;
    else if (this.#leftOf(entry.ejectedUntil) <= this.#policy.firstMs)
      this.#eject(entry, { slow: entry.slowBy, because: verdict.because });
  }

  #peers(entry: Entry): readonly Entry[] {
    return peersOf(entry, (name) => {
      const peer = this.#entries.of(name);
      return this.#standing(peer) === "in" ? peer : null;
    });
  }

  #judge(entry: Entry, known: Reason | null = null): void {
    // Requests that were under way together fail together: only the first ejects, or one short
    // break under load would double the period a dozen times.
    const isOut = this.#leftOf(entry.ejectedUntil) > 0;
    if (isOut && entry.slowBy === null) return;
    const reason = known ?? reasonToEject(seenOf(entry), this.#peersTypicalMs(entry), this.#policy);
    // One that is asked last because it is slow may still turn out to be dead.
    if (reason === null || (isOut && reason.slow !== null)) return;
    this.#eject(entry, reason);
  }

  #eject(entry: Entry, { slow, because }: Reason): void {
    const period = ejectionMs(entry.ejections, this.#random(), this.#policy);
    entry.ejectedUntil = this.#clock.monotonic() + period;
    entry.ejectedBecause = because;
    entry.ejections += 1;
    entry.troubledSince ??= this.#clock.monotonic();
    entry.slowBy = slow;
    // When it comes back it is judged by what it does then, and not by why it went. What is normal
    // for one that failed is kept: its trial shall not wait as for a stranger.
    if (slow === "firstToken") entry.times.firstToken.clear();
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

/** Asked without being tried. */
function isUsed(standing: Standing): boolean {
  return standing === "in" || standing === "slow";
}

function usualOf({ normalMs, nowMs }: Run): Usual {
  return { normalMs: normalMs || null, nowMs: nowMs || null };
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
