import type { Delivered } from "../core/stream/delivered.ts";
import { lengthOf } from "../core/stream/state.ts";
import { errorBody } from "../wire/errors.ts";
import { HEADERS } from "../wire/headers.ts";
import { formatSse } from "../wire/sse.ts";
import { type Heard, hear, type Leg } from "./leg.ts";
import type { Line } from "./line.ts";
import { moved, type Verdict } from "./reach.ts";
import type { Asked, StreamedBody } from "./request.ts";
import { askForRest, type Cut } from "./resume.ts";
import type { Tools } from "./tools.ts";

/** Gateways' parts that one answer may be put together from, and in a row without a new word. */
const MOST_LEGS = 6;
const MOST_FRUITLESS = 3;

/** An answer as one seamless stream of bytes, whichever gateways its parts come from. */
export function tellStream(
  tools: Tools,
  asked: Asked,
  streamed: StreamedBody,
  first: Heard,
): ReadableStream<Uint8Array> {
  return streamOf(asked, told(tools, asked, streamed, first));
}

/**
 * Any other stream of events, byte for byte: what is whole of it, only its reader can tell. Its
 * first piece is here before it is taken for an answer.
 */
export async function judgeOther(
  tools: Tools,
  asked: Asked,
  line: Line,
): Promise<Verdict<ReadableStream<Uint8Array>>> {
  const first = await line.read();
  if (first === null) return moved("an empty stream");
  return { kind: "take", value: streamOf(asked, piecesOf(tools, asked, line, first)) };
}

async function* piecesOf(
  tools: Tools,
  asked: Asked,
  line: Line,
  first: Uint8Array,
): AsyncGenerator<Uint8Array> {
  try {
    for (let piece: Uint8Array | null = first; piece !== null; piece = await line.read()) {
      yield piece;
    }
  } catch (error) {
    if (!asked.signal.aborted) tools.memory.failed(line.base, line.since);
    throw error;
  }
}

function streamOf(asked: Asked, pieces: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      pull: async (controller) => {
        const { done, value } = await pieces.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => asked.leave(reason),
    },
    // Nothing is read ahead: a slow reader slows the gateway instead of filling the memory.
    { highWaterMark: 0 },
  );
}

/**
 * The answer's events, however often it is cut. What was told is remembered as meaning, not as
 * bytes: the next gateway is told what the caller has, and says only what follows. Ends by itself
 * only behind an end that was earned; otherwise it throws, behind an error event.
 */
async function* told(
  tools: Tools,
  asked: Asked,
  streamed: StreamedBody,
  first: Heard,
): AsyncGenerator<Uint8Array> {
  let heard = first;
  let had: Delivered | null = null;
  let fruitless = 0;
  const release = first.leg.line.response.headers.get(HEADERS.release);
  for (let legs = 1; ; legs++) {
    const cut: CutLeg | null = yield* tellLeg(heard);
    if (cut === null) return;
    asked.signal.throwIfAborted();
    leave(tools, asked, cut);
    fruitless = cut.leg.hearing.fruitful ? 0 : fruitless + 1;
    had = cut.leg.hearing.had();
    const why = whyNotGoOn(legs, fruitless);
    const last = cut.leg.line.base;
    const next = why ?? (await goOn(tools, { asked, streamed, had, release, last }));
    if (typeof next === "string") {
      const message = inVain(had, cut, next);
      yield encoded([errorEvent(message)]);
      throw new TypeError(message);
    }
    heard = next;
  }
}

interface CutLeg {
  readonly leg: Leg;
  readonly because: string;
  readonly broken: boolean;
}

/** Tells one gateway's part; how it was cut, or null when the answer is whole behind it. */
async function* tellLeg(first: Heard): AsyncGenerator<Uint8Array, CutLeg | null> {
  for (let heard = first; ; heard = await hear(heard.leg)) {
    const { leg, tell, end } = heard;
    // Begun before the last events are told: a reader that has `[DONE]` may never ask again.
    const finished = end?.kind === "whole" ? leg.line.finish() : null;
    if (tell.length > 0) yield encoded(tell);
    if (end === null) continue;
    if (end.kind === "whole") {
      await finished;
      return null;
    }
    const rest = leg.hearing.conclude();
    if (rest === null) return { leg, because: end.because, broken: end.broken };
    leg.line.hangUp(new Error("only its [DONE] was missing"));
    yield encoded(rest);
    return null;
  }
}

function leave(tools: Tools, asked: Asked, { leg, because, broken }: CutLeg): void {
  const { line } = leg;
  line.hangUp(new Error(because));
  // A gateway that says itself that it cannot go on lives.
  if (broken) tools.memory.failed(line.base, line.since);
  tools.tell({ kind: "cut", requestId: asked.id, gateway: line.base, because });
}

/** An answer that makes every model fail at the same word must not be paid for without end. */
function whyNotGoOn(legs: number, fruitless: number): string | null {
  if (legs >= MOST_LEGS) return `it was cut ${legs} times`;
  return fruitless >= MOST_FRUITLESS ? `${fruitless} tries in a row brought nothing new` : null;
}

/** The rest of the answer, or why there is none. */
async function goOn(tools: Tools, cut: Cut): Promise<Heard | string> {
  const next = await askForRest(tools, cut);
  if (next.kind === "nobody") return next.because;
  const gateway = next.value.leg.line.base;
  tools.tell({ kind: "resumed", requestId: cut.asked.id, gateway });
  return next.value;
}

function inVain(had: Delivered | null, { because }: CutLeg, why: string): string {
  const characters = (had?.choices ?? []).reduce((sum, { texts }) => sum + lengthOf(texts), 0);
  return `The answer was cut after ${characters} characters: ${because}. No gateway could go on with it: ${why}. What came is not the whole answer; send the request again.`;
}

/** What every OpenAI client throws on, for readers that overlook a broken transfer. */
function errorEvent(message: string): string {
  return formatSse(JSON.stringify(errorBody({ message, type: "api_error", code: "stream_cut" })));
}

function encoded(events: readonly string[]): Uint8Array {
  return new TextEncoder().encode(events.join(""));
}
