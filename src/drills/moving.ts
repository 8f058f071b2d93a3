import { TideoverError } from "../lib/errors.ts";
import type { Load } from "./load.ts";
import { hasEnded, type PlanRun, planAfter, refusalOf } from "./recovery-marks.ts";
import { awaitReady } from "./returned-region.ts";
import { MOVE_TIMEOUT_MS, type Scope } from "./scope.ts";
import { interrupted, until } from "./wait.ts";
import type { DrillWorld } from "./world.ts";

/** What drills that move workflows have in common: traffic before and after, and the moves. */

/** How long the load runs before the fault, and again after each move: seconds of real traffic. */
const STEADY_MS = 3_000;
const PROGRESS_CHARACTERS = 110;

/** Waits for real answers from a region, and then for some seconds of them. */
export async function steady(world: DrillWorld, load: Load, region: string): Promise<void> {
  const from = world.clock.now();
  const answered = await load.first(
    (outcome) =>
      outcome.result === "succeeded" && outcome.region === region && outcome.sentAt >= from,
    MOVE_TIMEOUT_MS,
  );
  if (world.signal.aborted) throw interrupted(`answers from ${region}`);
  if (!answered) {
    throw new TideoverError(`no answer came from ${region} in ${MOVE_TIMEOUT_MS / 1_000} s`, {
      code: "DRILL_REFUSED",
      next: "`tideover status` and the logs in the data folder say why.",
    });
  }
  await world.clock.sleep(STEADY_MS, world.signal);
  if (world.signal.aborted) throw interrupted("steady traffic");
}

/** The plan of every workflow, ended. Progress is told step by step. */
export async function awaitMoves(
  world: DrillWorld,
  workflows: readonly string[],
  kind: "failover" | "failback",
  after: number,
  requestId?: string,
): Promise<PlanRun[]> {
  const kinds =
    kind === "failover" ? (["failover"] as const) : (["failback", "switchover"] as const);
  const told = new Set<string>();
  return until(
    `${kind} of ${workflows.join(", ")}`,
    async () => {
      if (requestId !== undefined) await throwIfRefused(world, requestId);
      const journal = await world.control.plans();
      const runs = workflows.flatMap(
        (workflow) => planAfter(journal, workflow, kinds, after) ?? [],
      );
      for (const run of runs) tellSteps(world, run, told);
      return runs.length === workflows.length && runs.every(hasEnded) ? runs : null;
    },
    { clock: world.clock, timeoutMs: MOVE_TIMEOUT_MS, signal: world.signal },
  );
}

async function throwIfRefused(world: DrillWorld, requestId: string): Promise<void> {
  const refusal = refusalOf(await world.control.evidence(0), requestId);
  if (refusal !== null) throw new TideoverError(refusal, { code: "DRILL_REFUSED" });
}

function tellSteps(world: DrillWorld, { plan, state }: PlanRun, told: Set<string>): void {
  for (const step of state.steps) {
    const key = `${plan.id}/${step.id}/${step.status}`;
    if (told.has(key) || (step.status !== "done" && step.status !== "failed")) continue;
    told.add(key);
    world.tell(`  ${plan.workflow}: ${step.id} ${step.status}: ${shortened(step.evidence)}`);
  }
}

/** One after the other, as a careful person would: each move is proven before the next begins. */
export async function failBack(
  world: DrillWorld,
  scope: Pick<Scope, "victim" | "workflows">,
  after: number,
  by: string,
): Promise<PlanRun[]> {
  const runs: PlanRun[] = [];
  for (const workflow of scope.workflows) {
    await awaitReady(world, { victim: scope.victim, workflows: [workflow] }, 0);
    world.tell(`asking for failback of ${workflow} to ${scope.victim}`);
    const wanted = { to: scope.victim, by };
    const { id } = await world.control.move("failback", workflow, wanted);
    runs.push(...(await awaitMoves(world, [workflow], "failback", after, id)));
  }
  return runs;
}

/** For a line of progress; the whole sentence is in the report. */
function shortened(text: string): string {
  return text.length <= PROGRESS_CHARACTERS ? text : `${text.slice(0, PROGRESS_CHARACTERS - 1)}…`;
}
