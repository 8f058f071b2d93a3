import { createSystemClock } from "../adapters/clock-system/clock.ts";
import type { ControlClient } from "../api/client.ts";
import type { Estate } from "../app/estate.ts";
import { hasEnded, type PlanRun, planAfter, refusalOf } from "../drills/recovery-marks.ts";
import { until } from "../drills/wait.ts";
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
  const before = await control.evidence(0);
  const request = await control.move(wanted.kind, wanted.workflow, {
    to: wanted.to,
    by: wanted.by,
  });
  wanted.onProgress(
    `tideover: asked for ${wanted.kind} of ${wanted.workflow}; waiting for its plan`,
  );
  const lastSeq = before.at(-1)?.seq ?? 0;
  return until(
    `${wanted.kind} of ${wanted.workflow}`,
    () => answered(control, request, lastSeq, wanted.onProgress),
    {
      clock: createSystemClock(),
      timeoutMs: wanted.timeoutMs,
      signal: new AbortController().signal,
    },
  );
}

async function answered(
  control: ControlClient,
  request: OperatorRequest,
  afterSeq: number,
  tell: (line: string) => void,
): Promise<MoveOutcome | null> {
  const run = planAfter(
    await control.plans(),
    request.workflow,
    ["failover", "switchover", "failback"],
    request.at,
  );
  if (run && hasEnded(run)) {
    for (const step of run.state.steps)
      tell(`  ${step.status.padEnd(7)} ${step.id}: ${step.evidence}`);
    return { completed: run.state.status === "completed", because: run.state.because, plan: run };
  }
  const refusal = refusalOf(await control.evidence(afterSeq), request.id);
  return refusal === null ? null : { completed: false, because: refusal, plan: null };
}
