import type { ReportContent, TimelineNote } from "../core/evidence/report.ts";
import { type MovesFound, movedReport } from "./moved-report.ts";
import { awaitMoves, failBack, steady } from "./moving.ts";
import {
  type FencingFindings,
  failoverChecks,
  fencingChecks,
  type LostPoint,
} from "./region-outage-checks.ts";
import { examineReturned } from "./returned-region.ts";
import { chooseScope, type Scope } from "./scope.ts";
import { LOAD_PER_SECOND, lostPoint, startTraffic } from "./traffic.ts";
import type { DrillWorld } from "./world.ts";

/** The dead region comes back by itself after this, when the drill is gone. */
const DEAD_MAN_MS = 120_000;

/**
 * Kills a region under load and watches the estate recover: the standby is proven and opened, the
 * dead region comes back fenced, catches up, is proven, and takes the traffic again. Everything that
 * the report says is measured from outside (what callers got) or read from the record.
 *
 * Refuses to begin (DRILL_REFUSED) unless every workflow of the victim has a proven standby.
 */
export async function runRegionOutage(
  world: DrillWorld,
  options: { readonly region: string | null },
): Promise<ReportContent> {
  const scope = await chooseScope(world, options.region);
  const notes: TimelineNote[] = [];
  const note = (lane: string, kind: string, text: string): void => {
    notes.push({ at: world.clock.now(), lane, kind, text });
    world.tell(text);
  };
  const startedAt = world.clock.now();
  const traffic = startTraffic(world, scope, scope.survivor);
  let broken = false;
  try {
    await steady(world, traffic.load, scope.victim);
    note(
      "callers",
      "load",
      `${LOAD_PER_SECOND} requests a second are answered by ${scope.victim}, through the gateway of ${scope.survivor}`,
    );

    const faultAt = world.clock.now();
    note(scope.victim, "fault", `kill -9 of every process of ${scope.victim}`);
    broken = true;
    await world.faults.killRegion(scope.victim, DEAD_MAN_MS);
    const failovers = await awaitMoves(world, scope.workflows, "failover", faultAt);
    await steady(world, traffic.load, scope.survivor);
    note(scope.survivor, "open", `${scope.survivor} answers every workflow`);
    const lost = await lostPoint(world, scope, traffic);
    traffic.writeTo(scope.survivor);

    note(scope.victim, "return", `${scope.victim} starts again`);
    await world.faults.restore(scope.victim);
    broken = false;
    const fencing = await examineReturned(world, scope);
    note(scope.victim, "return", `${scope.victim} is back, fenced and level again`);

    const failbackAt = world.clock.now();
    const failbacks = await failBack(world, scope, failbackAt, "drill region-outage");
    traffic.writeTo(scope.victim);
    await steady(world, traffic.load, scope.victim);
    note(scope.victim, "open", `${scope.victim} serves again`);

    const outcomes = await traffic.stop();
    return await report(world, scope, {
      startedAt,
      faultAt,
      failbackAt,
      failovers,
      failbacks,
      outcomes,
      lost,
      fencing,
      notes,
    });
  } finally {
    await traffic.stop();
    // Whatever went wrong in between, a drill leaves nothing broken behind.
    if (broken) await world.faults.restore(scope.victim);
  }
}

interface Findings extends MovesFound {
  readonly lost: LostPoint;
  readonly fencing: FencingFindings;
}

function report(world: DrillWorld, scope: Scope, found: Findings): Promise<ReportContent> {
  return movedReport(world, scope, found, {
    title: `Region outage: ${scope.victim} killed under load`,
    rpaMs: found.lost.rpaMs,
    checks: (measured) => [
      ...failoverChecks({ ...found, ...measured, scope }),
      ...fencingChecks(found.fencing),
    ],
  });
}
