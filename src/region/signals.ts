import { targetKey } from "../core/signals/troubles.ts";
import type { ObserverId, RegionName } from "../model/ids.ts";
import type { Signal, Subject } from "../model/signal.ts";

/** What one look at a subject gave. `at`: monotonic ms when it ended. */
export interface Sight {
  readonly subject: Subject;
  readonly at: number;
  readonly ok: boolean;
  readonly detail: string;
  readonly latencyMs: number;
  readonly trouble?: Signal["trouble"];
}

/** The signals of the last while, numbered, oldest first. */
export class SignalRing {
  readonly #observer: ObserverId;
  readonly #region: RegionName;
  #signals: Signal[] = [];
  #seq: number;

  /**
   * `startSeq`: the wall clock in ms. (observer, seq) names one signal for ever, also over a
   * restart of the process, and no agent makes a thousand signals a second.
   */
  constructor(observer: ObserverId, region: RegionName, startSeq: number) {
    this.#observer = observer;
    this.#region = region;
    this.#seq = Math.trunc(startSeq);
  }

  get seq(): number {
    return this.#seq;
  }

  /** Numbers from above `seq`: the wall clock may have been set back since an earlier run. */
  continueAfter(seq: number): void {
    this.#seq = Math.max(this.#seq, seq);
  }

  next(): number {
    this.#seq += 1;
    return this.#seq;
  }

  add(sight: Sight): void {
    const seq = this.next();
    // A target's newest signal says all that the older ones did, and since when.
    const { subject } = sight;
    if (subject.part === "target") {
      const key = targetKey(subject);
      this.#signals = this.#signals.filter(
        ({ subject: other }) => other.part !== "target" || targetKey(other) !== key,
      );
    }
    this.#signals.push({ observer: this.#observer, observerRegion: this.#region, seq, ...sight });
  }

  /** Those not older than `keepMs`; the others are forgotten. */
  recent(now: number, keepMs: number): Signal[] {
    this.#signals = this.#signals.filter(({ at }) => now - at <= keepMs);
    return [...this.#signals];
  }
}
