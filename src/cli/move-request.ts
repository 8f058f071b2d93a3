import { createSystemClock } from "../adapters/clock-system/clock.ts";
import type { ControlClient } from "../api/client.ts";
import type { Estate } from "../app/estate.ts";
import { hasEnded, type PlanRun, planAfter, refusalOf } from "../drills/recovery-marks.ts";
import { until } from "../drills/wait.ts";
import type { DecisionKind } from "../model/decision.ts";
import type { OperatorRequest } from "../model/request.ts";
import { connect } from "./connect.ts";

export interface MoveRequest {
  readonly kind: OperatorRequest["kind"];
  readonly workflow: string;
  readonly to: string | null;
  readonly by: string;
  readonly timeoutMs: number;
  readonly onProgress: (line: string) => void;
}

export interface MoveOutcome {
  readonly completed: boolean;
  /** One sentence: what was done, or why nothing was. */
  readonly because: string;
  readonly plan: PlanRun | null;
}

/** Asks the controllers for a move, and follows the plan or the refusal that answers it. */
export async function requestMove(estate: Estate, wanted: MoveRequest): Promise<MoveOutcome> {
  const control = connect(estate);
  const afterSeq = await newestSeq(control);
  const { kind, workflow, to, by, timeoutMs, onProgress } = wanted;
  const request = await control.move(kind, workflow, { to, by });
  onProgress(`tideover: asked for ${kind} of ${workflow}; waiting for its plan`);
  return followPlan(control, {
    what: `${kind} of ${workflow}`,
    subject: workflow,
    kinds: ["failover", "switchover", "failback"],
    request,
    afterSeq,
    timeoutMs,
    onProgress,
  });
}

/** Number of the record's newest entry: what answers a request comes after it. */
export async function newestSeq(control: ControlClient): Promise<number> {
  return (await control.evidence(0)).at(-1)?.seq ?? 0;
}

interface Following {
  readonly what: string;
  /** The plan's `workflow`, and the kinds of decisions that may answer. */
  readonly subject: string;
  readonly kinds: readonly DecisionKind[];
  readonly request: { readonly id: string; readonly at: number };
  readonly afterSeq: number;
  readonly timeoutMs: number;
  readonly onProgress: (line: string) => void;
}

/** Waits for the end of the plan, or the refusal, that answers a request. */
export function followPlan(control: ControlClient, about: Following): Promise<MoveOutcome> {
  return until(about.what, () => answered(control, about), {
    clock: createSystemClock(),
    timeoutMs: about.timeoutMs,
    signal: new AbortController().signal,
  });
}

async function answered(
  control: ControlClient,
  { subject, kinds, request, afterSeq, onProgress }: Following,
): Promise<MoveOutcome | null> {
  const run = planAfter(await control.plans(), subject, kinds, request.at);
  if (run && hasEnded(run)) {
    for (const step of run.state.steps)
      onProgress(`  ${step.status.padEnd(7)} ${step.id}: ${step.evidence}`);
    return { completed: run.state.status === "completed", because: run.state.because, plan: run };
  }
  const refusal = refusalOf(await control.evidence(afterSeq), request.id);
  return refusal === null ? null : { completed: false, because: refusal, plan: null };
}
