import type { CanaryThresholds } from "../../model/canary.ts";
import type { FreshnessSpec } from "../../model/freshness.ts";
import type { GoldenScore, OutcomeWindow } from "../../model/outcomes.ts";
import type { IndexState, Signal, Subject } from "../../model/signal.ts";
import type { DetectionSpec } from "../../model/spec.ts";

/**
 * What one observer saw of one subject lately, newest first. Said here structurally, since the
 * rooms of the core meet in the model only; core/signals makes values of this shape.
 */
export interface ObservedWindow {
  readonly observer: string;
  readonly observerRegion: string | null;
  readonly subject: Subject;
  readonly signals: readonly Signal[];
}

export interface JudgeInput {
  readonly windows: readonly ObservedWindow[];
  /** Every region of the estate, in the spec's order. */
  readonly regions: readonly string[];
  readonly detection: DetectionSpec;
  /** The reader's monotonic clock, in ms: the clock that the windows' signals are dated by. */
  readonly now: number;
  /** By region: the names of its model targets. Absent where nobody judges them. */
  readonly models?: ReadonlyMap<string, readonly string[]>;
  /** Absent where no release can be on trial. */
  readonly releases?: ReleasesInput;
  /** Absent where there are no indexes. */
  readonly indexes?: IndexesInput;
}

/** What is known of the copies of indexes. */
export interface IndexesInput {
  readonly copies: readonly CopySeen[];
  /** By index: the region whose pipeline writes it. */
  readonly owners: ReadonlyMap<string, string>;
  /** By index: how late its pipeline may be; none that nobody judges. */
  readonly freshness: ReadonlyMap<string, FreshnessSpec>;
  /** Of the estate. */
  readonly tenants: readonly string[];
  /** What each observer's wall clock shows now, the reader's among them. */
  readonly clocks: readonly {
    readonly observer: string;
    readonly observerRegion: string | null;
    readonly wallNow: number;
  }[];
}

/** One region's copy of one index, as its own agent reported it lately. */
export interface CopySeen {
  readonly region: string;
  readonly observer: string;
  readonly index: string;
  /** Newest first; `agoMs` since the reader received it. */
  readonly seen: readonly { readonly agoMs: number; readonly state: IndexState }[];
}

/** What is known of releases, and which of them are on trial where. */
export interface ReleasesInput {
  readonly trials: readonly ReleaseTrial[];
  readonly windows: readonly OutcomeWindow[];
  readonly golden: readonly {
    readonly region: string;
    readonly workflow: string;
    readonly scores: readonly GoldenScore[];
  }[];
}

/** A region that runs a release which is newer than the last good one, or has just become it. */
export interface ReleaseTrial {
  readonly region: string;
  /** Digest of the release on trial, and of the one that it is compared with. */
  readonly release: string;
  readonly old: string;
  /** How long the region has run it, in ms. */
  readonly sinceMs: number;
  readonly workflows: readonly TrialWorkflow[];
  readonly thresholds: CanaryThresholds;
}

export interface TrialWorkflow {
  readonly workflow: string;
  /** Callers' requests come to this region. */
  readonly serves: boolean;
  /** The workflow has golden questions. */
  readonly golden: boolean;
}
