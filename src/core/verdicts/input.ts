import type { Signal, Subject } from "../../model/signal.ts";
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
}
