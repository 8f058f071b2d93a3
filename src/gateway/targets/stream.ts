import { FRESH_RELAY, type Relay, relay } from "../../core/stream/relay.ts";
import { howFar, judge } from "../../core/stream/state.ts";
import { errorBody } from "../../wire/errors.ts";
import { formatSse, SseParser } from "../../wire/sse.ts";
import type { StreamPart } from "../chain/call.ts";
import { inWords } from "./words.ts";

export type OpenedStream =
  | { readonly kind: "stream"; readonly parts: AsyncIterable<StreamPart> }
  | {
      readonly kind: "failed";
      readonly because: string;
      /** Data of the event that ended it, as it came: an error event may be meant for the caller. */
      readonly event: string | null;
    };

export interface StreamHooks {
  /** More of the answer is here. */
  readonly onEvent: () => void;
  /** At a sound [DONE]. */
  readonly onWhole: () => void;
  /** It began, and cannot be finished. */
  readonly onCut: (because: string) => void;
}

/**
 * Reads an upstream's stream up to its first sound event. Before that, nothing was told to the
 * caller and any fault means another upstream; after it, a fault is a cut that the caller must see.
 * Throws what the body throws before the first event.
 */
export async function openStream(
  body: AsyncIterable<Uint8Array>,
  hooks: StreamHooks,
): Promise<OpenedStream> {
  const rounds = follow(body, hooks);
  for (;;) {
    const { value: round } = await rounds.next();
    const failed = round === undefined ? "it ended before any answer" : faultOf(round);
    if (failed !== null) {
      await rounds.return(undefined);
      return { kind: "failed", because: failed, event: round?.last ?? null };
    }
    // A first event that is held back (it finishes the answer at once) is an answer begun, too.
    if (round !== undefined && round.relay.state.events > 0) {
      return { kind: "stream", parts: toParts(round, rounds, hooks) };
    }
  }
}

/** What one piece of the body brought. */
interface Round {
  readonly relay: Relay;
  /** SSE text that may be told now. */
  readonly text: string;
  /** Data of the newest event. */
  readonly last: string | null;
}

type Rounds = AsyncGenerator<Round, undefined>;

/** Ends at the first [DONE] or fault, or with the body. Leaving it early closes the body. */
async function* follow(body: AsyncIterable<Uint8Array>, hooks: StreamHooks): Rounds {
  const pieces = body[Symbol.asyncIterator]();
  const parser = new SseParser();
  let round: Round = { relay: FRESH_RELAY, text: "", last: null };
  let settled = false;
  try {
    while (!settled && !isOver(round)) {
      const piece = await pieces.next();
      settled = piece.done === true;
      if (piece.done === true) return undefined;
      const before = round.relay.state.events;
      round = take(round.relay, parser, piece.value);
      if (round.relay.state.events > before) hooks.onEvent();
      yield round;
    }
    settled = judge(round.relay.state).whole;
    if (settled) {
      hooks.onWhole();
      void drain(pieces);
    }
    return undefined;
  } finally {
    if (!settled) await pieces.return?.();
  }
}

function take(before: Relay, parser: SseParser, piece: Uint8Array): Round {
  let now = before;
  let text = "";
  let last: string | null = null;
  for (const item of parser.push(piece)) {
    const { relay: next, tell } = relay(now, item);
    now = next;
    text += tell.map((data) => formatSse(data)).join("");
    last = item.kind === "event" ? item.data : null;
    if (isOver({ relay: now, text, last })) break;
  }
  return { relay: now, text, last };
}

/**
 * Reads what is behind [DONE], which is normally nothing but the end of the body. Closing the body
 * instead would close the connection, and every streamed request would need a new one.
 */
async function drain(pieces: AsyncIterator<Uint8Array>): Promise<void> {
  try {
    for (let count = 0; count < 4; count++) {
      if ((await pieces.next()).done === true) return;
    }
    await pieces.return?.();
  } catch {
    // The answer is whole and told; how its connection ends matters to nobody.
  }
}

function isOver({ relay: { state } }: Round): boolean {
  return state.done || state.fault !== null;
}

function faultOf(round: Round): string | null {
  const wholeness = judge(round.relay.state);
  return isOver(round) && !wholeness.whole ? wholeness.because : null;
}

async function* toParts(
  first: Round,
  rounds: Rounds,
  hooks: StreamHooks,
): AsyncGenerator<StreamPart> {
  let last = first;
  let broken: string | null = null;
  try {
    // The round that ends the stream is told with the last part, after its judgement.
    if (!isOver(first) && first.text !== "") yield { text: first.text, end: null };
    for await (const round of rounds) {
      last = round;
      if (!isOver(round) && round.text !== "") yield { text: round.text, end: null };
    }
  } catch (error) {
    broken = inWords(error);
  } finally {
    await rounds.return(undefined);
  }
  const { state } = last.relay;
  const wholeness = judge(state);
  const untold = isOver(last) ? last.text : "";
  if (wholeness.whole) {
    yield { text: untold, end: { outcome: "complete", because: "whole", usage: state.usage } };
    return;
  }
  const because = broken ?? wholeness.because;
  hooks.onCut(because);
  // Apart: whoever continues the answer tells the one and drops the other.
  if (untold !== "") yield { text: untold, end: null };
  const text = cutEvent(`after ${howFar(state)}`, because);
  yield { text, end: { outcome: "cut", because, usage: state.usage, cut: last.relay } };
}

/**
 * How a stream that began and cannot be finished ends: an error event that every OpenAI client
 * throws on, and neither a finish reason nor [DONE], so that no client takes it for finished.
 */
function cutEvent(where: string, because: string): string {
  const message = `The answer was cut ${where}: ${because}. What came is not the whole answer; send the request again.`;
  return formatSse(JSON.stringify(errorBody({ message, type: "api_error", code: "stream_cut" })));
}
