import type { StopSignal } from "../../lib/stop.ts";
import type { Answer, Attempt, Call } from "../chain/call.ts";
import type { Tools } from "../options.ts";
import type { Order } from "./ejection.ts";
import type { Claim, FirstMeasure } from "./entry.ts";
import type { Exchanged, StreamEnding } from "./exchange.ts";
import { afterFailure, type Fault, type Refused } from "./fault.ts";
import { hedged } from "./hedge.ts";
import { boundMs, relaySpan, spansOf, usualBoundMs } from "./patience.ts";
import type { Attendance, Probe, Wait } from "./vigil.ts";

/** Somebody who can be asked: a model target, or another region's gateway. */
export interface Party {
  /** As health and audit know it. */
  readonly name: string;
  readonly region: string;
  readonly ask: (asking: Asking) => Promise<Exchanged> | Exchanged;
  readonly judge: (exchanged: Exchanged) => Judged;
  /** It goes on to others itself (a gateway), and needs the time for that. */
  readonly relays?: boolean;
  /** How it is asked for a sign of life; null: not at all. */
  readonly probe: Probe | null;
}

/** The bounds of one try. */
export interface Asking {
  readonly signal: StopSignal;
  readonly firstMs: number;
  readonly stallMs: number;
  readonly attendance: Attendance;
  readonly onPace: (ms: number) => void;
  readonly onEnd: (end: StreamEnding) => void;
}

export type Judged =
  | {
      readonly kind: "answer";
      readonly answer: Answer;
      readonly outcome: string;
      /** The answer is that the request itself is wrong. */
      readonly refused?: Refused;
    }
  | {
      readonly kind: "failed";
      readonly fault: Fault;
      /** It failed, but works: nothing is held against it. */
      readonly lives?: boolean;
      /** What the caller is told if nobody does better. */
      readonly meant?: Answer;
    };

export interface Turns {
  readonly parties: readonly Party[];
  readonly streamed: boolean;
  /** Tries of this go that came before, with others. */
  readonly before: readonly Attempt[];
  /** Whether there is somebody beyond these parties. */
  readonly othersBeyond: boolean;
  /** Until the request's deadline, monotonic ms. */
  readonly deadlineAt: number;
  /** Ask a second one when the first is slow. */
  readonly hedge?: boolean;
}

/** A held request goes around many times: in all it may try so many times what one go may. */
const ALL_GOES = 4;

/**
 * Asks one after the other until one answers: the mechanism of every policy in this room. Whom to
 * ask and in which order is `ejection.ts`, how long to wait `patience.ts`, whether to ask the same
 * one again `fault.ts`, whether at all `budget.ts`.
 */
export function takeTurns(tools: Tools, call: Call, turns: Turns): Promise<Answer> {
  const names = turns.parties.map(({ name }) => name);
  const { ejectAtMost, slow } = call.snapshot.reflex;
  const order = tools.targets.order(names, ejectAtMost, slow);
  const [head, ...rest] = order.names;
  if (turns.hedge !== true || head === undefined || rest.length === 0) {
    return askEach(tools, call, turns, order);
  }
  const first = { ...turns, othersBeyond: true };
  const second = { ...turns, before: [] };
  return hedged(tools, call, {
    afterMs: tools.targets.p95Ms(head, measureOf(turns)),
    first: (run) => askEach(tools, run, first, { ...order, names: [head] }),
    second: (run) => askEach(tools, run, second, { ...order, names: rest }),
  });
}

async function askEach(
  tools: Tools,
  call: Call,
  turns: Turns,
  { names, distrusted }: Order,
): Promise<Answer> {
  const attempts: Attempt[] = [...turns.before];
  let meant: Answer | null = null;
  for (const [at, name] of names.entries()) {
    const party = turns.parties.find((one) => one.name === name);
    const claim = tools.targets.claim(name, distrusted);
    if (party === undefined || claim === null) continue;
    const others = turns.othersBeyond || at < names.length - 1;
    const visit = { party, claim, others, distrusted, attempts, turns };
    let judged: Judged | null;
    try {
      judged = await visited(tools, call, visit);
    } finally {
      tools.targets.settled(claim);
    }
    if (judged === null) break;
    if (judged.kind === "answer") {
      return { ...judged.answer, facts: { ...judged.answer.facts, attempts } };
    }
    if (judged.meant !== undefined) meant = judged.meant;
  }
  if (meant !== null) return { ...meant, facts: { ...meant.facts, attempts } };
  return { kind: "unanswered", facts: { attempts } };
}

function measureOf({ streamed }: Turns): FirstMeasure {
  return streamed ? "firstToken" : "wholeAnswer";
}

interface Visit {
  readonly party: Party;
  readonly claim: Claim;
  readonly others: boolean;
  readonly distrusted: boolean;
  /** Grows. */
  readonly attempts: Attempt[];
  readonly turns: Turns;
}

/** Asks one party, and again where that is wise. Null: the whole request is to be given up. */
async function visited(tools: Tools, call: Call, visit: Visit): Promise<Judged | null> {
  const { party, others, attempts, turns } = visit;
  const lasting = tools.targets.isFailing(party.name);
  for (let triedAgain = false; ; triedAgain = true) {
    // Nothing is sent for a caller that has gone, or for a request whose time is over.
    if (call.signal.aborted) return null;
    const refused = whyNotAsk(tools, call, party, attempts);
    if (refused !== null) {
      attempts.push(unasked(party, refused));
      return null;
    }
    const judged = await tried(tools, call, visit);
    if (judged === null || judged.kind === "answer" || judged.lives === true) return judged;
    const leftMs = turns.deadlineAt - tools.clock.monotonic();
    const random = tools.random();
    const next = afterFailure({
      fault: judged.fault,
      triedAgain,
      lasting,
      others,
      leftMs,
      random,
    });
    if (!next.again) return judged;
    await tools.clock.sleep(next.afterMs, call.signal);
  }
}

/** One try, remembered. Null when it was aborted from outside: then nobody is to blame. */
async function tried(tools: Tools, call: Call, visit: Visit): Promise<Judged | null> {
  const { party, claim, others, attempts, turns } = visit;
  const measure = measureOf(turns);
  const wait = tools.targets.vigil.over({ claim, measure, probe: party.probe, others });
  const startedAt = tools.clock.monotonic();
  const exchanged = await party.ask(askingOf(tools, call, visit, wait));
  const tookMs = tools.clock.monotonic() - startedAt;
  const judged = party.judge(exchanged);
  const reached = exchanged.kind !== "failed" || exchanged.reached;
  attempts.push(attemptOf(judged, party, tookMs, reached));
  if (reached) spend(call);
  if (judged.kind === "failed" && call.signal.aborted) return null;
  remember(tools, wait, tookMs, exchanged, judged);
  return judged;
}

function attemptOf(judged: Judged, party: Party, tookMs: number, reached: boolean): Attempt {
  const { name: target, region } = party;
  if (judged.kind === "failed") {
    const { fault } = judged;
    return { target, region, outcome: fault.because, fault, tookMs, reached };
  }
  const { outcome, refused } = judged;
  const attempt = { target, region, outcome, tookMs, reached };
  return refused === undefined ? attempt : { ...attempt, refused };
}

function nameOf({ name, region }: Party) {
  return { target: name, region };
}

function askingOf(tools: Tools, call: Call, visit: Visit, wait: Wait): Asking {
  const { party, claim, others, distrusted, turns } = visit;
  const { measure } = wait.watched;
  const { reflex } = call.snapshot;
  const spans = spansOf(reflex, tools.timeouts);
  const factor = reflex.patience;
  const leftMs = turns.deadlineAt - tools.clock.monotonic();
  const p95Ms = tools.targets.p95Ms(party.name, measure);
  const peersP95Ms = p95Ms === null ? tools.targets.peersP95Ms(party.name, measure) : null;
  const stallP95Ms = tools.targets.p95Ms(party.name, "stall");
  const span = party.relays === true ? relaySpan(spans[measure], others) : spans[measure];
  return {
    signal: call.signal,
    firstMs: boundMs({ p95Ms, peersP95Ms, span, factor, leftMs, others, distrusted }),
    stallMs: usualBoundMs({ p95Ms: stallP95Ms, span: spans.stall, factor }),
    attendance: wait,
    onPace: (ms) => tools.targets.paced(claim, ms),
    onEnd: (end) => ended(tools, claim, end),
  };
}

function remember(
  tools: Tools,
  { watched: { claim, measure }, isLate }: Wait,
  tookMs: number,
  exchanged: Exchanged,
  judged: Judged,
): void {
  if (judged.kind === "answer" || judged.lives === true) {
    tools.targets.answered(claim, measure, tookMs, isLate);
    // A stream has only begun: what comes of it is known when it ends.
    if (exchanged.kind !== "stream") tools.targets.succeeded(claim.name);
    return;
  }
  const { kind, because, retryAfterMs } = judged.fault;
  if (kind === "unasked") return;
  if (kind === "silent") tools.targets.gaveUp(claim.name, measure, tookMs);
  if (kind === "busy" && retryAfterMs !== null) tools.targets.busy(claim.name, retryAfterMs);
  tools.targets.failed(claim, because);
}

function ended(tools: Tools, { name }: Claim, end: StreamEnding): void {
  if (end.whole) {
    tools.targets.paused(name, end.longestPauseMs);
    tools.targets.succeeded(name);
  } else tools.targets.failed({ name, trial: false }, end.because);
}

/**
 * Why the request must not be sent (again) now; null when it may. Only tries that may have cost a
 * model's work count: a refused connection is free, and a dead region must be passed by any number.
 */
function whyNotAsk(
  tools: Tools,
  call: Call,
  { name }: Party,
  attempts: readonly Attempt[],
): string | null {
  const { reflex, number } = call.snapshot;
  if (call.ticket.spent === undefined) {
    call.ticket.spent = { snapshot: number, tries: 0 };
    tools.retries.earned();
  }
  // Under a new snapshot others serve: what was spent on the old ones says nothing of them.
  if (call.ticket.spent.snapshot !== number) call.ticket.spent = { snapshot: number, tries: 0 };
  const { tries } = call.ticket.spent;
  if (tries === 0) return null;
  const thisGo = attempts.filter(({ reached }) => reached).length;
  if (thisGo >= reflex.attempts || tries >= reflex.attempts * ALL_GOES) {
    return `not asked: ${tries} tries of this request are used up`;
  }
  // Retries multiply a load only where they fail again. Going to one that answers is what its share
  // of the traffic would have been, and rationing it would turn a dead region into errors.
  if (!tools.targets.isFailing(name)) return null;
  if (tools.retries.take(reflex.retryShare)) return null;
  return `not asked: the gateway's retries are used up (${reflex.retryShare * 100} % of its requests)`;
}

function spend({ ticket }: Call): void {
  if (ticket.spent !== undefined) {
    ticket.spent = { ...ticket.spent, tries: ticket.spent.tries + 1 };
  }
}

function unasked(party: Party, because: string): Attempt {
  const fault: Fault = { kind: "unasked", because, retryAfterMs: null };
  return { ...nameOf(party), outcome: because, tookMs: 0, reached: false, fault };
}
