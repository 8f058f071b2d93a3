import type { ReceivedReport } from "../../core/signals/windows.ts";
import type { Plan, Step, StepKind } from "../../model/plan.ts";
import type { WorkflowSpec } from "../../model/spec.ts";
import type { Verdict } from "../../model/verdict.ts";
import type { ControllerDeps } from "../deps.ts";
import type { Publisher } from "../engine/publish.ts";
import type { Write } from "../engine/record.ts";

/** What the engine knows and a step may ask. */
export interface EngineView {
  readonly publisher: Publisher;
  /** Newest report of each region, whatever its age. */
  readonly reports: () => ReadonlyMap<string, ReceivedReport>;
  /** Regions whose outage is certain now. */
  readonly failed: () => readonly string[];
  /** What is known now of every failure domain. */
  readonly verdicts: () => readonly Verdict[];
}

/** One attempt at one step. */
export interface StepContext {
  readonly plan: Plan;
  readonly step: Step;
  /** null in a plan that is about every workflow, or about an index alone. */
  readonly workflow: WorkflowSpec | null;
  readonly deps: ControllerDeps;
  readonly engine: EngineView;
  /** Ms until the step's deadline, at least 1: the time-out of whatever is asked next. */
  timeLeft(): number;
  /** Ms since this process took the step up. */
  elapsed(): number;
  /**
   * The only way to the store for a step: under the leader's fence, with its evidence. Throws
   * LEASE_LOST, STORE_CONFLICT and STORE_UNAVAILABLE, and refuses once the attempt was given up.
   */
  write(write: Write): Promise<number>;
}

/** What was found, in one sentence, and the figures behind it. */
export interface Proof {
  readonly text: string;
  readonly data: Record<string, unknown>;
}

/**
 * How one kind of step is done. All four may be called again after a crash anywhere in between, by
 * another process: they look at the world, never at their own memory.
 *
 * A step fails with STEP_FAILED or EPOCH_STALE (`never`: at once) or with anything else (tried again
 * until its deadline).
 */
export interface StepRunner {
  readonly kind: StepKind;
  /** Whether the effect is there already, whoever made it. */
  check(ctx: StepContext): Promise<boolean>;
  apply(ctx: StepContext): Promise<void>;
  /** Asks the world, not the answer of `apply`: after a crash only the world is left to ask. */
  prove(ctx: StepContext): Promise<Proof>;
  /** Puts the effect back as far as is safe, and says what it found. */
  undo(ctx: StepContext): Promise<string>;
}
