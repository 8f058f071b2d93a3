import { createSystemClock } from "../adapters/clock-system/clock.ts";
import type { ControlClient } from "../api/client.ts";
import { hasEnded, type PlanRun, planAfter, refusalOf } from "../drills/recovery-marks.ts";
import { until } from "../drills/wait.ts";
import { TideoverError } from "../lib/errors.ts";
import { EVERY_WORKFLOW } from "../model/decision.ts";
import type { ReleaseRequest } from "../model/request.ts";
import { print, printJson, progress } from "./output.ts";

export interface ChangeFlags {
  readonly json: boolean;
  readonly by?: string;
  readonly timeout: string;
}

export interface ReleaseOutcome {
  readonly completed: boolean;
  /** One sentence: what was done, or why nothing was. */
  readonly because: string;
  readonly plan: PlanRun | null;
}

/** Asks the controllers for another release, and follows the plan or the refusal that answers. */
export async function changeRelease(
  control: ControlClient,
  wanted: {
    readonly kind: "activate" | "rollback";
    readonly release: string | null;
    readonly acceptChanges?: boolean;
  },
  flags: ChangeFlags,
): Promise<void> {
  const timeoutMs = secondsOf(flags.timeout) * 1_000;
  const lastSeq = (await control.evidence(0)).at(-1)?.seq ?? 0;
  const { kind, ...about } = wanted;
  const request = await control.changeRelease(kind, { ...about, by: flags.by ?? "operator" });
  progress(`tideover: asked for ${kind} of the release; waiting for its plan`);
  const outcome = await until(
    `${kind} of the release`,
    () => answered(control, request, kind, lastSeq),
    {
      clock: createSystemClock(),
      timeoutMs,
      signal: new AbortController().signal,
    },
  );
  if (flags.json) printJson(outcome);
  else tell(outcome, kind);
  if (!outcome.completed) process.exitCode = 1;
}

async function answered(
  control: ControlClient,
  request: ReleaseRequest,
  kind: "activate" | "rollback",
  afterSeq: number,
): Promise<ReleaseOutcome | null> {
  const plans = await control.plans();
  const run = planAfter(plans, EVERY_WORKFLOW, [kind], request.at);
  if (run !== null && hasEnded(run)) {
    const { status, because } = run.state;
    return { completed: status === "completed", because, plan: run };
  }
  const refusal = refusalOf(await control.evidence(afterSeq), request.id);
  return refusal === null ? null : { completed: false, because: refusal, plan: null };
}

/** A refusal says what it refuses; of a plan people want to hear first how it ended. */
function tell({ plan, completed, because }: ReleaseOutcome, kind: string): void {
  if (plan === null) {
    print(because);
    return;
  }
  for (const { status, id, evidence } of plan.state.steps) {
    progress(`  ${status.padEnd(7)} ${id}: ${evidence}`);
  }
  const ended = completed ? "completed" : "FAILED";
  const { release, epoch } = plan.plan;
  print(`${kind} of release ${release} ${ended} under epoch ${epoch}: ${because}`);
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds > 0) return seconds;
  throw new TideoverError(`--timeout "${text}" is no number of seconds`, {
    code: "USAGE",
    next: "Give a number above 0, such as --timeout 60.",
  });
}
