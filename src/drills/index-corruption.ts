import type { ReportContent, TimelineNote } from "../core/evidence/report.ts";
import { TideoverError } from "../lib/errors.ts";
import { indexCorruptionChecks, type RepairedCopy } from "./index-corruption-checks.ts";
import { type Load, startLoad } from "./load.ts";
import { type MovesFound, movedReport } from "./moved-report.ts";
import { awaitMoves, failBack, steady } from "./moving.ts";
import { chooseScope, MOVE_TIMEOUT_MS, type Scope } from "./scope.ts";
import { until } from "./wait.ts";
import type { DrillWorld, IndexFaults } from "./world.ts";

const LOAD_PER_SECOND = 16;
const MAX_REQUESTS = 4_000;
/** The falsified records are put back after this, when the drill is gone. */
const DEAD_MAN_MS = 120_000;
const BY = "drill index-corruption";

/** What the drill is about: the copy that is damaged, and the workflows that cannot do without. */
interface Damage extends Scope {
  readonly index: string;
}

/**
 * Falsifies records of the copy that is served from, behind its back, under load, and watches the
 * estate recover: nobody is told a falsified record, the workflows that need the index move to the
 * good copy, the bad one is repaired from it, and takes the traffic back when it is proven.
 *
 * Refuses to begin (DRILL_REFUSED) unless some workflow may move for this reason, and every one that
 * would has a proven standby.
 */
export async function runIndexCorruption(
  world: DrillWorld & { readonly indexFaults: IndexFaults },
  options: { readonly region: string | null },
): Promise<ReportContent> {
  const scope = damageOf(world, await chooseScope(world, options.region));
  const { victim, survivor, index } = scope;
  const notes: TimelineNote[] = [];
  const note = (lane: string, kind: string, text: string): void => {
    notes.push({ at: world.clock.now(), lane, kind, text });
    world.tell(text);
  };
  const startedAt = world.clock.now();
  const load = startTraffic(world, scope);
  let broken = false;
  try {
    await steady(world, load, victim);
    note("callers", "load", `${LOAD_PER_SECOND} requests a second are answered by ${victim}`);

    broken = true;
    const faultAt = world.clock.now();
    const records = await world.indexFaults.damageIndex(victim, index, DEAD_MAN_MS);
    note(victim, "fault", `${records} records of ${index} are falsified behind its back`);
    const failovers = await awaitMoves(world, scope.workflows, "failover", faultAt);
    await steady(world, load, survivor);
    note(survivor, "open", `${survivor} answers from its good copy`);

    const repaired = await awaitRepair(world, scope);
    // What is whole is not touched: this only calls off the dead-man timer.
    await world.indexFaults.mendIndex(victim, index);
    broken = false;
    note(victim, "return", `${victim}'s copy of ${index} is repaired: ${repaired.because}`);

    const failbackAt = world.clock.now();
    const failbacks = await failBack(world, scope, failbackAt, BY);
    await steady(world, load, victim);
    note(victim, "open", `${victim} serves again`);

    const outcomes = await load.stop();
    const found = { startedAt, faultAt, failbackAt, records, failovers, failbacks, outcomes };
    return await report(world, scope, { ...found, repaired, notes });
  } finally {
    await load.stop();
    // Whatever went wrong in between, a drill leaves nothing falsified behind.
    if (broken) await world.indexFaults.mendIndex(victim, index);
  }
}

/** Of what the victim serves, the workflows that must leave when the index that it owns is bad. */
function damageOf({ spec }: DrillWorld, scope: Scope): Damage {
  const owned = scope.before.ownerships.filter(({ region }) => region === scope.victim);
  for (const { index } of owned) {
    const workflows = scope.workflows.filter((name) => {
      const workflow = spec.workflows[name];
      const needs = workflow?.retrieval?.index === index && workflow.retrieval.required;
      const { by, signals } = workflow?.declare ?? { by: "person", signals: [] };
      return needs && by === "automatic" && signals.includes("index-corruption");
    });
    if (workflows.length > 0) return { ...scope, workflows, index };
  }
  throw new TideoverError(`nothing would leave ${scope.victim} because of a bad index`, {
    code: "DRILL_REFUSED",
    next: "A workflow must require an index that this region owns, and list index-corruption in declare.signals.",
  });
}

function startTraffic(world: DrillWorld, { survivor, workflows }: Damage): Load {
  return startLoad({
    gateway: `http://${world.spec.regions[survivor]?.gateway}`,
    keys: world.keys,
    questions: world.questions.filter(({ workflow }) => workflows.includes(workflow)),
    perSecond: LOAD_PER_SECOND,
    streamEvery: 2,
    maxRequests: MAX_REQUESTS,
    clock: world.clock,
    signal: world.signal,
  });
}

/** Waits until the damaged copy holds what its new owner does, and answers again. */
function awaitRepair(
  world: DrillWorld,
  { victim, survivor, index }: Damage,
): Promise<RepairedCopy> {
  return until(
    `${victim}'s copy of ${index} to be repaired`,
    async () => {
      const { regions } = await world.control.status();
      const copyIn = (name: string) =>
        regions.find(({ region }) => region === name)?.indexes.find((one) => one.index === index);
      const [own, owner] = [copyIn(victim), copyIn(survivor)];
      if (own === undefined || owner === undefined || own.standing?.kind !== "whole") return null;
      if (own.fault || own.position.digest !== owner.position.digest) return null;
      const because = own.scrub?.cure ?? "it is whole";
      return { because, own: own.position, owner: owner.position };
    },
    { clock: world.clock, timeoutMs: MOVE_TIMEOUT_MS, signal: world.signal },
  );
}

interface Findings extends MovesFound {
  readonly records: number;
  readonly repaired: RepairedCopy;
}

function report(world: DrillWorld, scope: Damage, found: Findings): Promise<ReportContent> {
  return movedReport(world, scope, found, {
    title: `Index corruption: ${scope.victim}'s copy of ${scope.index} falsified under load`,
    // The damaged region lives, and nothing was written while it owned the index.
    rpaMs: 0,
    checks: (measured) => indexCorruptionChecks({ ...found, ...measured, scope }),
  });
}
