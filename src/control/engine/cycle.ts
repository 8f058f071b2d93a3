import { messageOf } from "../../lib/errors.ts";
import type { Decision } from "../../model/decision.ts";
import type { Verdict } from "../../model/verdict.ts";
import type { ControllerDeps } from "../deps.ts";
import { bootstrap } from "./bootstrap.ts";
import { type Changes, createChanges } from "./changes.ts";
import {
  type CommitTools,
  commitPlan,
  type Resolved,
  refuseRequest,
  resolve,
  unlessOvertaken,
} from "./commit.ts";
import { hasCode } from "./errors.ts";
import { actOnIndexes } from "./index-moves.ts";
import { createLanes, type Lanes } from "./lanes.ts";
import { createLeadership, type Leadership, type Standing, type Term } from "./leadership.ts";
import { createMoves, type Moves } from "./moves.ts";
import { horizonOf, type Observation, observe } from "./observe.ts";
import { createProbing, type Probing } from "./probing.ts";
import { createPublisher, nextSnapshot, type Publisher, snapshotDrift } from "./publish.ts";
import { createRecorder, type Recorder } from "./record.ts";
import { actOnRelease } from "./release.ts";
import { createReportLog, type ReportLog } from "./reports.ts";
import { sentenceOf, sentenceWithoutStore } from "./sentence.ts";
import { readReleases } from "./state.ts";
import { createTargetNews, type TargetNews } from "./target-news.ts";
import { type Thought, think } from "./think.ts";

/** What the last turn found; replaced whole. */
export interface Turn {
  readonly because: string;
  readonly standing: Standing | null;
  readonly storeAnswers: boolean;
  readonly verdicts: readonly Verdict[];
  readonly decisions: readonly Decision[];
  readonly failed: readonly string[];
}

export interface Engine {
  /** One turn. Never throws: what went wrong is the turn's sentence. */
  cycle(): Promise<Turn>;
  turn(): Turn;
  running(): readonly string[];
  /** Lets every lane finish the step it is in, then gives the leadership back. */
  close(): Promise<void>;
}

interface Parts {
  readonly deps: ControllerDeps;
  readonly recorder: Recorder;
  readonly leadership: Leadership;
  readonly probing: Probing;
  readonly reports: ReportLog;
  readonly moves: Moves;
  readonly changes: Changes;
  readonly targetNews: TargetNews;
  readonly publisher: Publisher;
  readonly lanes: Lanes;
  readonly stop: AbortController;
  readonly driftSeen: { revisions: string };
  turn: Turn;
}

const FIRST_TURN: Turn = {
  because: "no turn has ended yet",
  standing: null,
  storeAnswers: true,
  verdicts: [],
  decisions: [],
  failed: [],
};

export function createEngine(deps: ControllerDeps): Engine {
  const parts = assemble(deps);
  return {
    async cycle() {
      parts.turn = await oneTurn(parts).catch((error) => turnWithout(parts, error));
      return parts.turn;
    },
    turn: () => parts.turn,
    running: () => parts.lanes.running(),
    async close() {
      parts.stop.abort();
      await parts.lanes.ended();
      await parts.leadership.resign();
    },
  };
}

/**
 * lead -> observe -> think -> commit -> run -> record. A turn waits for the store and for nothing
 * else: probes, plans and offers run beside it, so that a dead region cannot slow down the eyes.
 */
async function oneTurn(parts: Parts): Promise<Turn> {
  const { deps, leadership, moves } = parts;
  parts.probing.tick();
  const standing = await leadership.turn();
  if (standing.leads && standing.justElected) await beginTerm(parts, standing.term);
  const seen = await observe({ ...deps, probing: parts.probing, reports: parts.reports });
  const thought = think(deps.spec, seen, moves.restOf);
  // Who does not lead thinks all the same: at its election it knows the world already.
  const resolved = standing.leads
    ? await act(parts, standing.term, thought, seen)
    : thought.workflows.map((one) => ({ thought: one, decision: one.decision, plan: null }));
  return turnOf(deps.id, standing, thought, resolved);
}

async function beginTerm(parts: Parts, term: Term): Promise<void> {
  try {
    parts.changes.forget();
    parts.targetNews.forget();
    parts.driftSeen.revisions = "";
    await bootstrap(parts.deps, parts.recorder, term);
    await parts.moves.load(parts.deps.store);
  } catch (error) {
    // A term that did not begin whole must not act: what earlier leaders did is not known.
    parts.leadership.stepDown(`its term could not begin: ${messageOf(error)}`);
    throw error;
  }
}

/** The hands: only the leader has them, and every write below is fenced by its term. */
async function act(
  parts: Parts,
  term: Term,
  thought: Thought,
  seen: Observation,
): Promise<Resolved[]> {
  const { deps, recorder, moves } = parts;
  const tools: CommitTools = { deps, recorder, term, moves };
  const resolved = resolve(tools, thought, seen);
  await recordChanges(parts, term, thought, resolved);
  const planIds = await commitAll(tools, resolved);
  const moving = resolved.flatMap(({ plan }) => (plan === null ? [] : [plan]));
  const indexPlans = await actOnIndexes(tools, thought, seen, moving);
  // After the moves: where both are wanted in one turn, the failover is there first.
  const releasePlan = await actOnRelease(tools, thought, seen);
  runLanes(parts, term, [...planIds, ...indexPlans, ...releasePlan, ...heldBy(seen)]);
  // Behind the plans: a sentence that nothing follows from must not hold up a move.
  await recordTargets(parts, term, thought, seen.now);
  await refuseUnknown(parts, tools, seen);
  await publish(parts, term, seen);
  return resolved;
}

/** Before the plans, so that the record tells verdict, decision and plan in the order of cause. */
async function recordChanges(
  { changes, recorder }: Parts,
  term: Term,
  { verdicts, release, indexes }: Thought,
  resolved: readonly Resolved[],
): Promise<void> {
  // Of the release only while it changes: what a person may have to decide about stands there.
  const ofRelease = release?.intent.value.heldBy ? [release.decision] : [];
  const ofIndexes = indexes.map(({ decision }) => decision);
  const decisions = [...resolved.map(({ decision }) => decision), ...ofIndexes, ...ofRelease];
  const write = changes.since(verdicts, decisions);
  if (write === null) return;
  await recorder.commit(term.fence, write);
  changes.written(verdicts, decisions);
}

async function recordTargets(
  { targetNews, recorder }: Parts,
  term: Term,
  { targets }: Thought,
  now: number,
): Promise<void> {
  const facts = targetNews.since(targets, now);
  if (facts.length === 0) return;
  await recorder.commit(term.fence, { operations: [], facts });
  targetNews.written(targets, now);
}

/** A move becomes a plan; a request that no move answers is refused, unless it may only wait. */
async function commitAll(tools: CommitTools, resolved: readonly Resolved[]): Promise<string[]> {
  const committed: string[] = [];
  for (const one of resolved) {
    const { plan, decision } = one;
    const { request, requestWaits } = one.thought;
    if (plan !== null) {
      await unlessOvertaken(commitPlan(tools, one, plan).then(() => void committed.push(plan.id)));
    } else if (request !== null && !requestWaits) {
      await refuseRequest(tools, request, decision);
    }
  }
  return committed;
}

/** Plans of earlier turns and earlier leaders: whoever leads runs what an intent is held by. */
function heldBy({ intents, indexHolds, releaseIntent }: Observation): string[] {
  const moves = intents.flatMap(({ value: { movingBy } }) => movingBy ?? []);
  const ofIndexes = indexHolds.map(({ value }) => value.plan);
  return [
    ...moves,
    ...ofIndexes,
    ...(releaseIntent?.value.heldBy ? [releaseIntent.value.heldBy.plan] : []),
  ];
}

function runLanes(parts: Parts, term: Term, planIds: readonly string[]): void {
  const { deps, recorder, moves, publisher, reports, lanes, stop } = parts;
  if (stop.signal.aborted) return;
  lanes.ensure(planIds, {
    deps,
    recorder,
    term,
    moves,
    halt: AbortSignal.any([term.over, stop.signal]),
    engine: {
      publisher,
      reports: () => reports.newest(),
      failed: () => parts.turn.failed,
      verdicts: () => parts.turn.verdicts,
    },
  });
}

/** Requests for workflows that this spec does not have would wait for ever. */
async function refuseUnknown(parts: Parts, tools: CommitTools, seen: Observation): Promise<void> {
  const { workflows } = parts.deps.spec;
  for (const request of seen.requests.filter(({ workflow }) => !workflows[workflow])) {
    await refuseRequest(tools, request, {
      kind: "hold",
      workflow: request.workflow,
      domain: null,
      from: [],
      to: [],
      because: `there is no workflow ${request.workflow} in the spec`,
      refused: [],
    });
  }
}

/** Offers the newest snapshot to whoever has an older one, and makes a new one when it must. */
async function publish(parts: Parts, term: Term, seen: Observation): Promise<void> {
  const { deps, recorder, publisher } = parts;
  const drift = await driftOf(parts, seen);
  if (drift !== null) {
    const next = nextSnapshot(deps, seen.snapshot, drift);
    await unlessOvertaken(recorder.commit(term.fence, next.write).then(() => undefined));
    return;
  }
  if (seen.snapshot !== null) publisher.remind(seen.snapshot.value, seen.gateways);
}

/** What a new snapshot would say and why it is needed; null while the published one is right. */
async function driftOf({ deps, driftSeen }: Parts, seen: Observation) {
  const intents = seen.intents.map(({ value }) => value);
  const floor = Math.max(0, ...[...seen.gateways.values()].map(({ number }) => number ?? 0));
  // A release that was signed again has new papers, which the snapshot carries.
  const read = [seen.snapshot, seen.releaseIntent, ...seen.releases, ...seen.intents];
  const revisions = JSON.stringify([read.map((one) => one?.revision ?? 0), floor]);
  const changing = intents.some(({ movingBy }) => movingBy) || seen.releaseIntent?.value.heldBy;
  if (driftSeen.revisions === revisions || changing) return null;
  const releases = await readReleases(deps.store);
  const because = snapshotDrift(deps, seen.snapshot?.value ?? null, { intents, releases }, floor);
  // Compared once for each state of the store: it serializes the whole snapshot.
  if (because === null) driftSeen.revisions = revisions;
  return because === null ? null : { intents, releases, because, floor };
}

function turnOf(
  id: string,
  standing: Standing,
  thought: Thought,
  resolved: readonly Resolved[],
): Turn {
  return {
    because: sentenceOf(id, standing, { resolved, ...thought }),
    standing,
    storeAnswers: true,
    verdicts: thought.verdicts,
    decisions: [...resolved, ...thought.indexes].map(({ decision }) => decision),
    failed: thought.failed,
  };
}

/** A turn that could not end. What was known stays; nothing was done after the point it broke. */
function turnWithout(parts: Parts, error: unknown): Turn {
  const { deps, leadership } = parts;
  if (hasCode(error, "LEASE_LOST")) {
    leadership.stepDown(messageOf(error));
    const because = `${deps.id} leads no more: ${messageOf(error)}`;
    return { ...parts.turn, standing: null, because };
  }
  const leads = leadership.term() !== null;
  if (hasCode(error, "STORE_UNAVAILABLE")) {
    const because = sentenceWithoutStore(deps.id, leads, messageOf(error));
    return { ...parts.turn, storeAnswers: false, because };
  }
  const because = `${deps.id} did nothing in this turn: ${messageOf(error)}`;
  if (because !== parts.turn.because) deps.logger.error({ error: messageOf(error) }, because);
  return { ...parts.turn, because };
}

function assemble(deps: ControllerDeps): Parts {
  const { id, spec, store, clock, probe, traffic, logger } = deps;
  const horizonMs = horizonOf(spec.detection);
  const recorder = createRecorder({ store, clock, kept: deps.evidenceKept });
  const leadership = createLeadership({ id, store, clock, recorder, logger });
  return {
    deps,
    recorder,
    leadership,
    probing: createProbing({ id, spec, probe, clock, horizonMs }),
    reports: createReportLog(horizonMs),
    moves: createMoves(clock, spec.detection.cooldown),
    changes: createChanges(),
    targetNews: createTargetNews(),
    publisher: createPublisher({ traffic, clock, regions: Object.keys(spec.regions) }),
    lanes: createLanes({ clock, logger, onLeaseLost: (because) => leadership.stepDown(because) }),
    stop: new AbortController(),
    driftSeen: { revisions: "" },
    turn: FIRST_TURN,
  };
}
