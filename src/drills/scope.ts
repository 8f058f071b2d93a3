import type { EstateStatus, WorkflowStatus } from "../api/status.ts";
import { TideoverError } from "../lib/errors.ts";
import { until } from "./wait.ts";
import type { DrillWorld } from "./world.ts";

/** Longest wait for one thing to happen: a drill that hangs tells nobody anything. */
export const MOVE_TIMEOUT_MS = 60_000;

/** What the drill is about: the region that dies, the one that takes over, what moves. */
export interface Scope {
  readonly victim: string;
  readonly survivor: string;
  readonly workflows: readonly string[];
  readonly before: EstateStatus;
}

/**
 * Waits until everything that the drill would move can be moved, and says what that is. Throws
 * DRILL_REFUSED when it does not come to that: a drill without a proven standby is an outage.
 */
export async function chooseScope(world: DrillWorld, wanted: string | null): Promise<Scope> {
  const before = await until(
    "every standby to be proven ready",
    () => settledStatus(world, wanted),
    {
      clock: world.clock,
      timeoutMs: MOVE_TIMEOUT_MS,
      signal: world.signal,
    },
  );
  const victim = wanted ?? before.workflows[0]?.serving[0] ?? "";
  const workflows = before.workflows.filter(({ serving }) => serving.includes(victim));
  const survivor = workflows[0]?.standbys[0]?.region;
  if (!world.spec.regions[victim] || !survivor) {
    throw new TideoverError(`region "${victim}" serves nothing that has a standby`, {
      code: "DRILL_REFUSED",
      next: `Give --region one that serves: ${before.workflows.map(({ serving }) => serving.join(", ")).join("; ")}.`,
    });
  }
  return { victim, survivor, workflows: workflows.map(({ workflow }) => workflow), before };
}

/** The blast-radius guard: null unless everything that the drill would move can be moved. */
async function settledStatus(
  world: DrillWorld,
  wanted: string | null,
): Promise<EstateStatus | null> {
  const status = await world.control.status();
  const victim = wanted ?? status.workflows[0]?.serving[0];
  const unready = status.workflows
    .filter(({ serving }) => victim !== undefined && serving.includes(victim))
    .filter(({ movingBy, standbys }) => movingBy !== null || !standbys.some(({ ready }) => ready));
  const [first] = unready;
  if (first) throw new Error(`${first.workflow}: ${whyUnready(first)}`);
  return status.leader === null ? null : status;
}

function whyUnready({ movingBy, standbys }: WorkflowStatus): string {
  if (movingBy !== null) return `plan ${movingBy} is under way`;
  return standbys.map(({ region, because }) => `${region}: ${because}`).join("; ") || "no standby";
}
