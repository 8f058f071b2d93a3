import { NOTHING_TOLD } from "../../wire/responses-told.ts";
import { formatSse, type SseItem } from "../../wire/sse.ts";
import {
  addDelivered,
  type Delivered,
  deliveredOf,
  hasText,
  NOTHING_DELIVERED,
} from "./delivered.ts";
import { textsOfTold } from "./dialects.ts";
import { conclude, FRESH_RELAY, type Relay, relay } from "./relay.ts";
import { type FollowedResponse, followResponse, responseStep } from "./responses.ts";
import { judge } from "./state.ts";

/** The streamed APIs whose answers can be gone on with. */
export type StreamedApi = "chat" | "completions" | "responses";

/**
 * One gateway's part of a streamed answer, as far as it was heard, in whichever API: which of its
 * events may be told, and what its caller has then. A value; hearing more gives another one.
 */
export interface Hearing {
  /** Sound events heard. */
  readonly events: number;
  /** Null while it goes on. */
  readonly end: HearingEnd | null;
  /** Whether it goes on with what the caller had, and does not begin another answer. */
  readonly isRest: boolean;
  /** Whether it told the caller any new text. */
  readonly fruitful: boolean;
  /** What the caller has now, with all that it had before; null when nothing was begun. */
  readonly had: () => Delivered | null;
  /** SSE text that ends an answer of which only the end is missing; null when more may be. */
  readonly conclude: () => readonly string[] | null;
  /** Why it is no whole answer, if it ends here. */
  readonly lacks: () => string;
  readonly hear: (item: SseItem) => { readonly hearing: Hearing; readonly tell: readonly string[] };
}

export type HearingEnd =
  | { readonly kind: "whole" }
  | { readonly kind: "cut"; readonly because: string };

/** Hears a stream of chat, or of `/v1/completions`, whose events only name their text otherwise. */
export function hearChat(n: number, before: Delivered | null, now: Relay = FRESH_RELAY): Hearing {
  const { state } = now;
  return {
    events: state.events,
    end: endOf(now),
    isRest: before === null || before.id === null || state.id === before.id,
    get fruitful() {
      return hasText(deliveredOf(now));
    },
    had: () => {
      if (state.events === 0) return before;
      return addDelivered(before ?? NOTHING_DELIVERED, deliveredOf(now));
    },
    conclude: () => conclude(now, n)?.map((data) => formatSse(data)) ?? null,
    lacks: () => {
      const wholeness = judge(state);
      return wholeness.whole ? "it ended twice" : wholeness.because;
    },
    hear: (item) => {
      const step = relay(now, item);
      const tell = step.tell.map((data) => formatSse(data));
      return { hearing: hearChat(n, before, step.relay), tell };
    },
  };
}

function endOf({ state }: Relay): HearingEnd | null {
  if (!state.done && state.fault === null) return null;
  const wholeness = judge(state);
  return wholeness.whole ? { kind: "whole" } : { kind: "cut", because: wholeness.because };
}

/**
 * Hears a stream of `/v1/responses`. Its end is one event, so an answer never lacks only that: what
 * comes before it says that a text is over, and not that no call follows.
 */
export function hearResponse(
  before: Delivered | null,
  now: FollowedResponse = followResponse(before?.response),
): Hearing {
  const expected = (before?.response ?? NOTHING_TOLD).sequence;
  return {
    events: now.events,
    end: responseEnd(now.end),
    isRest: before === null || now.first === null || now.first === expected,
    fruitful: now.toldPieces > 0,
    had: () => (now.events === 0 ? before : deliveredResponse(before, now)),
    conclude: () => null,
    lacks: () =>
      now.events === 0 ? "it ended before any answer" : "it ended before its last event",
    hear: (item) => {
      const { after, tell } = responseStep(now, item);
      return { hearing: hearResponse(before, after), tell };
    },
  };
}

function responseEnd(end: FollowedResponse["end"]): HearingEnd | null {
  if (end === null) return null;
  return end === "whole" ? { kind: "whole" } : { kind: "cut", because: end.because };
}

function deliveredResponse(had: Delivered | null, now: FollowedResponse): Delivered {
  const before = had ?? NOTHING_DELIVERED;
  const { told, inCall, closed, toldPieces, pieces } = now;
  return {
    id: before.id ?? now.id,
    created: before.created ?? now.created,
    choices: told.items.length === 0 ? [] : [{ index: 0, texts: textsOfTold(told) }],
    tokens: before.tokens + toldPieces,
    // Neither a call nor what is behind a text that is over can be had by going on with that text.
    inToolCall: inCall || closed,
    opaque: before.opaque || now.opaque,
    cuts: [...before.cuts, { read: before.tokens, generated: pieces }],
    response: told,
  };
}
