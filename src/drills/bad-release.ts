import type { ReleaseStatus } from "../api/release-status.ts";
import type { EstateStatus } from "../api/status.ts";
import { type ReportContent, reportContent, type TimelineNote } from "../core/evidence/report.ts";
import { TideoverError } from "../lib/errors.ts";
import { DEFAULT_CANARY } from "../model/canary.ts";
import { EVERY_WORKFLOW } from "../model/decision.ts";
import type { OfferedRelease } from "../model/snapshot.ts";
import { badReleaseChecks, badReleaseSplit, firstActivated } from "./bad-release-checks.ts";
import { type Load, type Outcome, startLoad } from "./load.ts";
import { hasEnded, type PlanRun, planAfter, provenAt, refusalOf } from "./recovery-marks.ts";
import { MOVE_TIMEOUT_MS } from "./scope.ts";
import { interrupted, until } from "./wait.ts";
import type { DrillWorld } from "./world.ts";

/** Seconds of real traffic before the release comes, and after it is gone. */
const STEADY_MS = 4_000;
const LOAD_PER_SECOND = 16;
const MAX_REQUESTS = 4_000;
const BY = "drill bad-release";

/**
 * Activates a release that is bad on purpose, under load, and watches the estate find it out and
 * take it back: by a rollback, whole, with nobody moved. It mends itself: what a drill that breaks
 * off leaves behind is rolled back by it, and an activation that nobody proves is taken back anyway.
 *
 * Refuses to begin (DRILL_REFUSED) while anything moves, or without golden questions.
 */
export async function runBadRelease(
  world: DrillWorld,
  { release }: { readonly release: OfferedRelease },
): Promise<ReportContent> {
  const before = await atRest(world, release.digest);
  const notes: TimelineNote[] = [];
  const note = (lane: string, kind: string, text: string): void => {
    notes.push({ at: world.clock.now(), lane, kind, text });
    world.tell(text);
  };
  const startedAt = world.clock.now();
  const load = startTraffic(world, before.status);
  let changed = false;
  try {
    await steady(world, load);
    note("callers", "load", `${LOAD_PER_SECOND} requests a second are answered`);

    const { name, version } = release.body;
    note("operator", "note", `activation of ${name} ${version}, which is bad on purpose`);
    await world.control.makeKnown(release, BY);
    changed = true;
    // Bad on purpose: whatever looks unlikely beside the good one is what shall be tried.
    const asked = await world.control.changeRelease("activate", {
      ...{ release: release.digest, by: BY, acceptChanges: true },
    });
    const rollback = await awaitRollback(world, asked.id, asked.at);
    note("controller", "open", "the release is rolled back");
    changed = false;
    await steady(world, load);

    const outcomes = await load.stop();
    return await report(world, {
      before,
      startedAt,
      askedAt: asked.at,
      rollback,
      outcomes,
      notes,
      release,
    });
  } finally {
    await load.stop();
    if (changed) await world.control.changeRelease("rollback", { release: null, by: BY });
  }
}

interface Before {
  readonly status: EstateStatus;
  readonly release: ReleaseStatus;
}

/** Waits until nothing moves and one release, another than this, serves everywhere. */
function atRest(world: DrillWorld, bad: string): Promise<Before> {
  const judged = Object.values(world.spec.workflows).some(({ golden }) => golden !== undefined);
  if (!judged)
    throw refused("no workflow has golden questions, so that nobody can tell right from wrong");
  return until(
    "the estate to be at rest",
    async () => {
      const [status, release] = await Promise.all([
        world.control.status(),
        world.control.release(),
      ]);
      if (release.lastGood === bad) throw refused(`release ${bad} is the good one already`);
      const moving = status.workflows.find(({ movingBy }) => movingBy !== null);
      if (moving) throw new Error(`plan ${moving.movingBy} is under way`);
      if (release.changing !== null) throw new Error(`plan ${release.changing.plan} is under way`);
      const odd = release.regions.find(({ serves, intended }) => serves?.digest !== intended);
      if (odd) throw new Error(`${odd.region}: ${odd.because}`);
      const unasked = unaskedIn(world, release);
      if (unasked !== null) throw new Error(unasked);
      return status.leader === null ? null : { status, release };
    },
    { clock: world.clock, timeoutMs: MOVE_TIMEOUT_MS, signal: world.signal },
  );
}

/**
 * Which region has not answered its golden questions with the good release yet: without that there
 * is nothing to compare the bad one with. An estate that has just started needs some seconds.
 */
function unaskedIn({ spec, questions }: DrillWorld, { regions }: ReleaseStatus): string | null {
  for (const [workflow, { golden, primary, standbys }] of Object.entries(spec.workflows)) {
    if (golden === undefined) continue;
    const all = questions.filter((one) => one.workflow === workflow && one.expected !== null);
    const least = Math.min(all.length, DEFAULT_CANARY.questions);
    for (const { region, golden: found } of regions) {
      if (![primary, ...standbys].includes(region)) continue;
      const { right = 0, wrong = 0 } = found.find((one) => one.workflow === workflow) ?? {};
      if (right + wrong >= least && right >= golden.minimum * (right + wrong)) {
        continue;
      }
      return `${region} answered ${right} of ${right + wrong} golden questions of ${workflow} rightly so far`;
    }
  }
  return null;
}

function startTraffic(world: DrillWorld, { workflows }: EstateStatus): Load {
  const [serving = ""] = workflows[0]?.serving ?? [];
  return startLoad({
    gateway: `http://${world.spec.regions[serving]?.gateway}`,
    keys: world.keys,
    questions: world.questions,
    perSecond: LOAD_PER_SECOND,
    streamEvery: 2,
    maxRequests: MAX_REQUESTS,
    clock: world.clock,
    signal: world.signal,
  });
}

async function steady(world: DrillWorld, load: Load): Promise<void> {
  const from = world.clock.now();
  const answered = await load.first(
    ({ result, sentAt }) => result === "succeeded" && sentAt >= from,
    MOVE_TIMEOUT_MS,
  );
  if (world.signal.aborted) throw interrupted("answers");
  if (!answered) throw refused("no caller is answered");
  await world.clock.sleep(STEADY_MS, world.signal);
  if (world.signal.aborted) throw interrupted("steady traffic");
}

/** The rollback's plan, ended. An activation that goes through instead is the end of the drill. */
function awaitRollback(world: DrillWorld, requestId: string, after: number): Promise<PlanRun> {
  let told = "";
  return until(
    "the rollback of the bad release",
    async () => {
      const refusal = refusalOf(await world.control.evidence(0), requestId);
      if (refusal !== null) throw refused(refusal);
      const journal = await world.control.plans();
      const activation = planAfter(journal, EVERY_WORKFLOW, ["activate"], after);
      if (activation?.state.status === "completed") {
        throw refused("the bad release was activated everywhere, and nobody found it bad");
      }
      const { because } = await world.control.release();
      if (because !== null && because !== told) world.tell(`  ${because}`);
      told = because ?? told;
      const rollback = planAfter(journal, EVERY_WORKFLOW, ["rollback"], after);
      return rollback !== null && hasEnded(rollback) ? rollback : null;
    },
    { clock: world.clock, timeoutMs: MOVE_TIMEOUT_MS, signal: world.signal },
  );
}

interface Findings {
  readonly before: Before;
  readonly startedAt: number;
  readonly askedAt: number;
  readonly rollback: PlanRun;
  readonly outcomes: readonly Outcome[];
  readonly notes: readonly TimelineNote[];
  readonly release: OfferedRelease;
}

async function report(world: DrillWorld, found: Findings): Promise<ReportContent> {
  const { before, outcomes, release } = found;
  const [evidence, journal, after, status] = await Promise.all([
    world.control.evidence(0),
    world.control.plans(),
    world.control.release(),
    world.control.status(),
  ]);
  const activation = planAfter(journal, EVERY_WORKFLOW, ["activate"], found.askedAt);
  const split = badReleaseSplit({ ...found, activation, evidence, bad: release.digest });
  const rtoMs = Math.min(...Object.values(world.spec.workflows).map(({ rto }) => rto));
  const epochs = before.status.workflows.map(({ workflow, epoch }) => ({
    workflow,
    before: epoch,
    after: status.workflows.find((one) => one.workflow === workflow)?.epoch ?? 0,
  }));
  const having = (...results: Outcome["result"][]): number =>
    outcomes.filter(({ result }) => results.includes(result)).length;
  return reportContent({
    title: `Bad release: ${release.body.name} ${release.body.version} activated under load`,
    estate: world.spec.estate,
    startedAt: found.startedAt,
    rtoMs,
    rpoMs: Math.min(...Object.values(world.spec.workflows).map(({ rpo }) => rpo)),
    rpaMs: 0,
    split,
    requests: {
      sent: outcomes.length,
      succeeded: having("succeeded"),
      failed: having("failed"),
      cut: having("cut", "silently-cut"),
    },
    failback: {
      completed: true,
      to: null,
      tookSeconds: null,
      because: "a rollback moves no traffic, so that none has to come back",
    },
    checks: badReleaseChecks({
      ...{ split, rtoMs, evidence, epochs, outcomes, after },
      bad: release.digest,
      good: before.release.lastGood,
      rollback: found.rollback,
      plans: journal.plans.filter(({ createdAt }) => createdAt >= found.startedAt),
    }),
    notes: [...found.notes, ...faultNotes(found, activation)],
    release: after.lastGood ?? "none",
    epochs,
    evidence,
  });
}

/** On the timeline the time of recovery begins here, and ends when every gateway has the good one. */
function faultNotes(
  { release, rollback }: Findings,
  activation: PlanRun | null,
): readonly TimelineNote[] {
  const fault = firstActivated(activation);
  if (fault === null) return [];
  const { region: lane, at } = fault;
  const text = `${lane} gets ${release.body.name} ${release.body.version}, which is bad`;
  const goodAt = provenAt(rollback, "confirm-acknowledged");
  const back = { lane, kind: "return", text: `${lane} serves the good release again` };
  return [{ at, lane, kind: "fault", text }, ...(goodAt === null ? [] : [{ at: goodAt, ...back }])];
}

function refused(message: string): TideoverError {
  return new TideoverError(message, {
    code: "DRILL_REFUSED",
    next: "`tideover release status` and `tideover status` say what the estate is waiting for.",
  });
}
