import type { Decision } from "../../model/decision.ts";
import type { ReleaseIntent } from "../../model/release-intent.ts";
import type { DetectionSpec } from "../../model/spec.ts";

export interface ReleasePlanInput {
  /** An `activate` or a `rollback`; `to` is the order of the regions. */
  readonly decision: Decision;
  readonly intent: ReleaseIntent;
  readonly detection: DetectionSpec;
  /** How long a region runs a new release before the next one gets it, in ms. */
  readonly bakeMs: number;
  /**
   * How long a bake that proves nothing waits for a person before the activation is taken back, in
   * ms; an hour when left out.
   */
  readonly pauseMs?: number | undefined;
  readonly id: string;
  /** Plan that last changed the release; null for the first. */
  readonly parent: string | null;
  /** Wall clock, for people. */
  readonly now: number;
}
