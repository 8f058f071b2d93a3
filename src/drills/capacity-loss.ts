import type { ReportContent, TimelineNote } from "../core/evidence/report.ts";
import { TideoverError } from "../lib/errors.ts";
import { capacityLossChecks } from "./capacity-loss-checks.ts";
import { type MovesFound, movedReport } from "./moved-report.ts";
import { awaitMoves, failBack, steady } from "./moving.ts";
import type { FencingFindings, LostPoint } from "./region-outage-checks.ts";
import { awaitReady } from "./returned-region.ts";
import { chooseScope, type Scope } from "./scope.ts";
import { LOAD_PER_SECOND, lostPoint, startTraffic } from "./traffic.ts";
import type { DrillWorld } from "./world.ts";

/** The models come back by themselves after this, when the drill is gone. */
const DEAD_MAN_MS = 120_000;
const BY = "drill capacity-loss";

/**
 * Kills every model of a region under load, and nothing else of it, and watches the estate recover:
 * callers at that region's own gateway are held and answered by the standby, the index is given away
 * whole, and the region takes the traffic back when its models are proven again.
 *
 * Refuses to begin (DRILL_REFUSED) unless every workflow of the region may move for this reason by
 * itself, and has a proven standby.
 */
export async function runCapacityLoss(
  world: DrillWorld,
  options: { readonly region: string | null },
): Promise<ReportContent> {
  const scope = await chooseScope(world, options.region);
  requireMoves(world, scope);
  const { victim, survivor } = scope;
  const notes: TimelineNote[] = [];
  const note = (lane: string, kind: string, text: string): void => {
    notes.push({ at: world.clock.now(), lane, kind, text });
    world.tell(text);
  };
  const startedAt = world.clock.now();
  const traffic = startTraffic(world, scope, victim);
  let broken = false;
  try {
    await steady(world, traffic.load, victim);
    note(
      "callers",
      "load",
      `${LOAD_PER_SECOND} requests a second are answered by ${victim}, through its own gateway`,
    );

    const faultAt = world.clock.now();
    note(victim, "fault", `kill -9 of every model of ${victim}, and of nothing else there`);
    broken = true;
    await world.faults.killModels(victim, DEAD_MAN_MS);
    const failovers = await awaitMoves(world, scope.workflows, "failover", faultAt);
    await steady(world, traffic.load, survivor);
    note(survivor, "open", `${survivor} answers every workflow, also at the gateway of ${victim}`);
    const lost = await lostPoint(world, scope, traffic);
    traffic.writeTo(survivor);

    const backAt = world.clock.now();
    await world.faults.restore(victim);
    broken = false;
    note(victim, "return", `the models of ${victim} start again`);
    // What was proven before they were back says nothing of them.
    const readiness = await awaitReady(world, scope, backAt);
    note(victim, "return", `${victim} is proven again`);

    const failbackAt = world.clock.now();
    const failbacks = await failBack(world, scope, failbackAt, BY);
    traffic.writeTo(victim);
    await steady(world, traffic.load, victim);
    note(victim, "open", `${victim} serves again`);

    const outcomes = await traffic.stop();
    const found = { startedAt, faultAt, failbackAt, failovers, failbacks, outcomes, notes };
    return await report(world, scope, { ...found, lost, readiness });
  } finally {
    await traffic.stop();
    // Whatever went wrong in between, a drill leaves nothing broken behind.
    if (broken) await world.faults.restore(victim);
  }
}

/** The blast-radius guard: what does not move would be refused for as long as the drill lasts. */
function requireMoves({ spec }: DrillWorld, { victim, workflows }: Scope): void {
  const staying = workflows.filter((name) => {
    const { by, signals } = spec.workflows[name]?.declare ?? { by: "person", signals: [] };
    return by !== "automatic" || !signals.includes("capacity-loss");
  });
  if (staying.length === 0) return;
  throw new TideoverError(`${staying.join(", ")} would not leave ${victim} without its models`, {
    code: "DRILL_REFUSED",
    next: "Each workflow that it serves must be declared automatically, with capacity-loss in declare.signals.",
  });
}

interface Findings extends MovesFound {
  readonly lost: LostPoint;
  readonly readiness: FencingFindings["readiness"];
}

function report(world: DrillWorld, scope: Scope, found: Findings): Promise<ReportContent> {
  return movedReport(world, scope, found, {
    title: `Capacity loss: every model of ${scope.victim} killed under load`,
    rpaMs: found.lost.rpaMs,
    checks: (measured) => capacityLossChecks({ ...found, ...measured, scope }),
  });
}
