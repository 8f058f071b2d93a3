import { Stop, type StopSignal } from "../../lib/stop.ts";
import type { Tools } from "../options.ts";
import type { ServedSnapshot } from "../served-release.ts";
import type { Answer, Call, Facts, Handler, Link, Unanswered, WholeAnswer } from "./call.ts";
import { forget } from "./known.ts";
import { nobodyAnswered } from "./nobody.ts";
import { own } from "./own.ts";

type HoldTools = Pick<Tools, "clock" | "snapshots" | "timeouts" | "random" | "metrics">;

/** Waits between two rounds of a held request, in ms: jittered, or all would return at once. */
const LEAST_WAIT_MS = 250;
const MOST_WAIT_MS = 1_000;

const MOST_DOUBLINGS = 3;

/** For a request whose workflow is unknown: it is answered at once, so any bound does. */
const NO_DEADLINE_MS = 60_000;

/**
 * Holds a request that nobody answers until the snapshot says who does, so that its caller sees a
 * failover as latency and not as an error. Each round runs the rest of the chain anew under the
 * newest snapshot. That is safe for exactly the answers of which nothing was told: a streamed one
 * before its first event, and any whole one, since those are read to the end first.
 */
export function hold(tools: HoldTools): Link {
  return (next) => async (call) => {
    // The newest: reading the body may have taken a while, and `round` watches for newer ones only.
    const snapshot = tools.snapshots.current() ?? call.snapshot;
    const bounded = { ...call, snapshot, signal: withDeadline(tools, call) };
    const first = await round(tools, next, bounded);
    if (first.kind !== "unanswered") return first;
    // Whoever forwarded this holds it already. Two holds would keep it from the newer snapshot.
    // And a proof of readiness wants to know how it is now.
    if (call.forwardedBy !== null || call.readiness) return nobodyIn(call, first.facts);
    const held = await holdOn(tools, next, bounded, first);
    const result = held.kind === "unanswered" ? "unanswered" : "answered";
    tools.metrics.held.inc({ workflow: call.workflow ?? "unknown", result });
    return held.kind === "unanswered" ? nobodyIn(call, held.facts) : held;
  };
}

/** Of what was tried last nothing holds any more but what was asked for. */
function nobodyIn(call: Call, facts: Partial<Facts>): WholeAnswer {
  forget(call.known);
  return nobodyAnswered(call, facts);
}

async function holdOn(
  tools: HoldTools,
  next: Handler,
  call: Call,
  first: Unanswered,
): Promise<Answer> {
  const { clock, snapshots, timeouts } = tools;
  const until = clock.monotonic() + timeouts.holdMs;
  let seen = call.snapshot.number;
  let attempts = first.facts.attempts ?? [];
  let costly = wasCostly(first) ? 1 : 0;
  for (;;) {
    const left = until - clock.monotonic();
    if (left <= 0 || call.signal.aborted) return { kind: "unanswered", facts: { attempts } };
    await snapshots.waitForChange(seen, Math.min(waitMs(tools, costly), left), call.signal);
    const snapshot = snapshots.current() ?? call.snapshot;
    seen = snapshot.number;
    const answer = await round(tools, next, { ...call, snapshot });
    attempts = [...attempts, ...(answer.facts.attempts ?? [])];
    costly = wasCostly(answer) ? costly + 1 : 0;
    if (answer.kind !== "unanswered") return { ...answer, facts: { ...answer.facts, attempts } };
  }
}

/**
 * A refused connection costs nothing and may be tried again soon. A target that took the request
 * and failed may have worked on it, and a request that makes models fail would be paid for dozens
 * of times: each such round doubles the wait. A new snapshot ends any wait at once.
 */
function waitMs(tools: HoldTools, costlyRounds: number): number {
  const wait = LEAST_WAIT_MS + tools.random() * (MOST_WAIT_MS - LEAST_WAIT_MS);
  return wait * 2 ** Math.min(Math.max(0, costlyRounds - 1), MOST_DOUBLINGS);
}

function wasCostly(answer: Answer): boolean {
  return (answer.facts.attempts ?? []).some(({ reached }) => reached);
}

/**
 * One run of the rest of the chain under one snapshot. When a newer one takes the workflow away
 * from every region that this run may be waiting for, it is given up after a short grace: a region
 * that is stopped or cut off keeps its connections open and would be waited for in vain.
 */
async function round(tools: HoldTools, next: Handler, call: Call): Promise<Answer> {
  const moved = Stop.with(call.signal);
  let callOff = (): void => undefined;
  const unsubscribe = tools.snapshots.onChange((snapshot) => {
    if (!movedAway(call, snapshot)) return;
    unsubscribe();
    callOff = tools.clock.after(tools.timeouts.movedGraceMs, () => {
      moved.abort(new Error("the workflow moved to another region"));
    });
  });
  call.known.snapshot = call.snapshot;
  forget(call.known);
  try {
    return await next({ ...call, signal: moved });
  } finally {
    unsubscribe();
    callOff();
  }
}

export function movedAway(call: Call, snapshot: ServedSnapshot): boolean {
  const workflow = call.workflow ?? "";
  const before = own(call.snapshot.workflows, workflow)?.serving ?? [];
  const now = own(snapshot.workflows, workflow)?.serving ?? [];
  return !before.some((region) => now.includes(region));
}

/** Bounds the whole request, its stream included: the workflow's own deadline. */
function withDeadline(tools: HoldTools, call: Call): StopSignal {
  const stop = Stop.with(call.signal);
  if (stop.aborted) return stop;
  const ms = own(call.snapshot.workflows, call.workflow ?? "")?.deadlineMs ?? NO_DEADLINE_MS;
  const left = Math.max(0, call.arrivedAt + ms - tools.clock.monotonic());
  const overdue = (): void => stop.abort(new Error(`its deadline of ${ms} ms was over`));
  // The exchange with the caller ends in any case, and its end stops this.
  stop.addEventListener("abort", tools.clock.after(left, overdue));
  return stop;
}
