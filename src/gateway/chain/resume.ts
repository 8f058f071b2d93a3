import {
  type Delivered,
  NOTHING_DELIVERED,
  RESUME_FIELD,
  readDelivered,
} from "../../core/stream/delivered.ts";
import { lengthOf } from "../../core/stream/state.ts";
import { Stop } from "../../lib/stop.ts";
import { HEADERS } from "../../wire/headers.ts";
import type { ChatRequest } from "../../wire/openai.ts";
import type { Tools } from "../options.ts";
import { atOnce, RESTART, waitingFor } from "./at-once.ts";
import {
  type Answer,
  type Call,
  type Facts,
  type Handler,
  type LastPart,
  type Link,
  type Parts,
  passing,
  pour,
  type Resume,
  type Sink,
  type StreamedAnswer,
  type StreamPart,
  withFacts,
} from "./call.ts";
import { cutEvent, firstHalfEnd, type Half, type HalfEnd, tellHalf } from "./halves.ts";
import { apart } from "./known.ts";
import { leaveWhenMoved } from "./moved.ts";
import { own } from "./own.ts";
import { refuse } from "./refuse.ts";

/** Halves that one answer may be put together from, and in a row without a new word. */
const MOST_HALVES = 6;
const MOST_FRUITLESS = 3;

/**
 * Continues a cut answer. It stands outside of `hold`, so that the rest is asked for like any other
 * request: under the newest snapshot, held while nobody answers, forwarded, retrieved for, rendered
 * and routed. A gateway that was forwarded to has no hold and forwards nothing, so it continues
 * among its own targets only; when they fail, the cut reaches the caller's gateway, which goes on
 * from there.
 *
 * Somebody who has a half from elsewhere asks for the rest by `RESUME_FIELD` in the body; the
 * answer then is the rest only, in events of the same answer.
 */
export function resume(tools: Tools): Link {
  return (next) => (call) => {
    const asked = readAsked(call);
    if (asked.kind === "refused") return asked.answer;
    const { call: clean } = asked;
    return clean.request?.stream === true ? streamed(tools, next, asked) : next(clean);
  };
}

async function streamed(tools: Tools, next: Handler, asked: Asked & { kind: "asked" }) {
  const { call, delivered, release } = asked;
  const story: Story = {
    tools,
    next,
    call,
    // Whoever forwarded this is told at once, and decides itself when its caller is.
    complete: isComplete(call) && call.forwardedBy === null,
    given: delivered,
  };
  const begun = await begin(story, delivered === null ? null : { delivered, avoid: [], release });
  if (begun.answer.kind !== "stream") return begun.answer;
  const parts = told(story, { ...begun, answer: begun.answer });
  return { ...begun.answer, parts: story.complete ? atOnce(tools, parts) : parts };
}

/** One caller's request, whatever number of halves its answer takes. */
interface Story {
  readonly tools: Tools;
  readonly next: Handler;
  readonly call: Call;
  readonly complete: boolean;
  /** What the caller had before it asked us. */
  readonly given: Delivered | null;
}

interface Begun {
  readonly answer: Answer;
  readonly stop: Stop;
}

type Asked =
  | {
      readonly kind: "asked";
      readonly call: Call;
      readonly delivered: Delivered | null;
      readonly release: string | null;
    }
  | { readonly kind: "refused"; readonly answer: Answer };

/** Takes the member that is ours out of the request: no model's server shall see it. */
function readAsked(call: Call): Asked {
  const { request } = call;
  if (request === null || !(RESUME_FIELD in request)) {
    return { kind: "asked", call, delivered: null, release: null };
  }
  const { [RESUME_FIELD]: value, ...rest } = request;
  const delivered = readDelivered(value);
  if (delivered === null || delivered.opaque) {
    return { kind: "refused", answer: refuse(NOT_RESUMABLE) };
  }
  const begun = call.headers[HEADERS.release];
  const release = typeof begun === "string" ? begun : null;
  return { kind: "asked", call: { ...call, request: rest as ChatRequest }, delivered, release };
}

const NOT_RESUMABLE = {
  status: 400,
  code: "invalid_value",
  param: RESUME_FIELD,
  message: `Invalid '${RESUME_FIELD}': it does not say what was delivered of an answer that can be continued. Send the request without it.`,
} as const;

function isComplete(call: Call): boolean {
  return own(call.snapshot.workflows, call.workflow ?? "")?.delivery === "complete";
}

/** Asks for the answer, or for the rest of it. */
async function begin(story: Story, asked: Resume | null): Promise<Begun> {
  const { call, next } = story;
  const stop = Stop.with(call.signal);
  // The rest of an answer is no retry of it: its tries are counted anew, and bounded here.
  const ticket = { admitted: call.ticket.admitted };
  if (asked === null) return { answer: await next({ ...call, signal: stop }), stop };
  // The forwarded half of the chain is told the same as the one here.
  const told = { ...call.request, [RESUME_FIELD]: asked.delivered };
  const body = Buffer.from(JSON.stringify(told));
  const rest = { ...call, signal: stop, ticket, body, resume: asked };
  return { answer: await apart(rest, next), stop };
}

/**
 * The parts of one answer, however many halves they come from. Of a cut nothing but an error event
 * is left when nobody can go on; otherwise its reader sees a pause.
 */
function told(
  story: Story,
  begun: Begun & { answer: StreamedAnswer },
): AsyncIterableIterator<StreamPart> {
  const first: Half = { ...begun, had: story.given, ownCuts: 0 };
  const after = (end: HalfEnd) => continuedFrom(story, first, end);
  return first.had === null
    ? new FirstHalf(story, first, after)
    : thenContinued(watched(story, first), after);
}

async function* thenContinued(
  half: AsyncGenerator<StreamPart, HalfEnd>,
  after: (end: HalfEnd) => AsyncGenerator<StreamPart>,
): AsyncGenerator<StreamPart> {
  yield* after(yield* half);
}

/** What follows the end of the first half: the answer's last part, or other halves. */
async function* continuedFrom(
  story: Story,
  first: Half,
  firstEnd: HalfEnd,
): AsyncGenerator<StreamPart> {
  const { tools, call } = story;
  let now = first;
  let end = firstEnd;
  let facts: Partial<Facts> = {};
  let fruitless = 0;
  // What its caller was told. Whoever goes on serves the same, or the cut has to stand.
  const release = first.answer.headers[HEADERS.release] ?? call.known.snapshot.releaseDigest;
  for (let halves = 1; ; halves++) {
    facts = addFacts(facts, now.answer, end);
    const later = halves > 1;
    if (end.whole) {
      if (later)
        tools.metrics.resumed.inc({ workflow: call.workflow ?? "unknown", result: "whole" });
      return yield withLateFacts(end.part, later ? facts : {});
    }
    const had = story.complete ? { ...NOTHING_DELIVERED, cuts: end.had.cuts } : end.had;
    fruitless = end.fruitful ? 0 : fruitless + 1;
    const why = whyNotGoOn(story, end, { halves, fruitless });
    if (why !== null) return yield finalCut(story, end, facts, why);
    if (story.complete) yield RESTART;
    tools.logger.warn(
      { requestId: call.id, target: now.answer.facts.target, because: end.because },
      "an answer was cut and is continued",
    );
    const avoid = addName(now.avoid, now.answer.facts.target);
    const begun = yield* waitingFor(tools, begin(story, { delivered: had, avoid, release }));
    if (begun.answer.kind !== "stream") {
      facts = addFacts(facts, begun.answer, null);
      return yield finalCut(story, end, facts, refusalOf(begun.answer));
    }
    const { answer, stop } = begun;
    now = { answer, stop, had, avoid, ownCuts: had.cuts.length - givenCuts(story) };
    end = yield* watched(story, now);
  }
}

type Result = IteratorResult<StreamPart, unknown>;

/**
 * The half that nearly every answer is all of: its parts are told as they come. It does what
 * `watched` does for later ones, by hand, since each event of each stream passes here.
 */
class FirstHalf implements AsyncIterableIterator<StreamPart>, Parts {
  readonly #half: Half;
  readonly #n: number;
  readonly #parts: AsyncIterator<StreamPart>;
  readonly #watch: ReturnType<typeof leaveWhenMoved>;
  readonly #after: (end: HalfEnd) => AsyncGenerator<StreamPart>;
  /** What follows, once this half is over. */
  #rest: AsyncGenerator<StreamPart> | null = null;

  constructor(story: Story, half: Half, after: (end: HalfEnd) => AsyncGenerator<StreamPart>) {
    this.#half = half;
    this.#n = story.call.request?.n ?? 1;
    this.#parts = half.answer.parts[Symbol.asyncIterator]();
    this.#watch = leaveWhenMoved(story.tools, story.call, half.stop);
    this.#after = after;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Result> {
    if (this.#rest !== null) return this.#rest.next();
    return this.#parts.next().then(
      (result) => this.#told(result),
      (error: unknown) => {
        this.#leave();
        throw error;
      },
    );
  }

  async pour(sink: Sink): Promise<LastPart | null> {
    let last: LastPart | null = null;
    try {
      last = await pour(this.#half.answer.parts, passing(sink, this.#watch.heard));
    } finally {
      if (last === null) this.#leave();
    }
    return last === null ? null : pour(this.#goOn(last), sink);
  }

  async return(): Promise<Result> {
    if (this.#rest !== null) return this.#rest.return(undefined);
    this.#leave();
    await this.#parts.return?.();
    return { done: true, value: undefined };
  }

  #told(result: Result): Result | Promise<Result> {
    this.#watch.heard();
    if (result.done === true) throw new TypeError("a stream of parts ended without a last one");
    const { end, text } = result.value;
    if (end === null) return text === "" ? this.next() : result;
    return this.#goOn({ ...result.value, end }).next();
  }

  /** What comes of the answer once this half is over. */
  #goOn(last: LastPart): AsyncGenerator<StreamPart> {
    this.#watch.end();
    this.#rest = this.#after(firstHalfEnd(last, this.#n));
    return this.#rest;
  }

  /** A half that is left in its middle ends upstream, too. */
  #leave(): void {
    this.#watch.end();
    this.#half.stop.abort(LEFT);
  }
}

const LEFT = new Error("the caller left");

/** One half, left as soon as its region has lost the workflow and says nothing more. */
async function* watched(story: Story, half: Half): AsyncGenerator<StreamPart, HalfEnd> {
  const watch = leaveWhenMoved(story.tools, story.call, half.stop);
  let over = false;
  try {
    const end = yield* tellHalf(half, story.call.request?.n ?? 1, watch.heard);
    over = true;
    return end;
  } finally {
    watch.end();
    // A half that is left in its middle ends upstream, too; one that is over gives its connection back.
    if (!over) half.stop.abort(LEFT);
  }
}

function givenCuts({ given }: Story): number {
  return given?.cuts.length ?? 0;
}

function addName(names: readonly string[] = [], name: string | null | undefined): string[] {
  return typeof name === "string" ? [...names, name] : [...names];
}

/** Why the cut has to stand; null while somebody may go on. */
function whyNotGoOn(
  { tools, call }: Story,
  end: HalfEnd & { whole: false },
  { halves, fruitless }: { readonly halves: number; readonly fruitless: number },
): string | null {
  if (call.signal.aborted) return "its caller is gone";
  if (end.hopeless !== null) return end.hopeless;
  if (halves >= MOST_HALVES) return `it was cut ${halves} times`;
  if (fruitless >= MOST_FRUITLESS) return `${fruitless} tries in a row brought nothing new`;
  const deadlineMs = own(call.snapshot.workflows, call.workflow ?? "")?.deadlineMs ?? 0;
  const left = call.arrivedAt + deadlineMs - tools.clock.monotonic();
  return left <= 0 ? `its deadline of ${deadlineMs} ms is over` : null;
}

/** An answer that is no stream, where the rest of one was asked for: an error, in its own words. */
function refusalOf(answer: Answer): string {
  if (answer.kind !== "whole") return "nobody answers";
  try {
    const message: unknown = JSON.parse(answer.body.toString())?.error?.message;
    if (typeof message === "string") return message;
  } catch {
    // Its status says enough.
  }
  return `status ${answer.status}`;
}

/** Told of the halves before, and of this one: `answered` alone would hide that it was cut. */
function addFacts(before: Partial<Facts>, answer: Answer, end: HalfEnd | null): Partial<Facts> {
  const came = answer.facts.attempts ?? [];
  // Not simply the last one: beside the one that answered, a second may have been asked in vain.
  const answered = came.findLastIndex(({ outcome }) => outcome === "answered");
  const told = came.map((attempt, i) =>
    end !== null && i === answered ? { ...attempt, outcome: outcomeOf(end) } : attempt,
  );
  const attempts = [...(before.attempts ?? []), ...told];
  return { ...withFacts(answer, {}).facts, attempts };
}

function outcomeOf(end: HalfEnd): string {
  const how = { begin: "answered", continue: "went on", regenerate: "said it again" }[end.how];
  return end.whole ? how : `${how}, then cut: ${end.because}`;
}

function withLateFacts(part: LastPart, facts: Partial<Facts>): StreamPart {
  return { ...part, end: { ...part.end, facts: { ...facts, ...part.end.facts } } };
}

function finalCut(
  story: Story,
  end: HalfEnd & { whole: false },
  facts: Partial<Facts>,
  why: string,
): StreamPart {
  const { tools, call } = story;
  tools.metrics.resumed.inc({ workflow: call.workflow ?? "unknown", result: "cut" });
  const characters = end.had.choices.reduce((sum, { texts }) => sum + lengthOf(texts), 0);
  const where = story.complete
    ? "before any of it was told"
    : `after ${characters} characters (${end.had.tokens} tokens)`;
  const text = cutEvent(where, end.because, why);
  return { text, end: { outcome: "cut", because: end.because, usage: end.usage, facts } };
}
