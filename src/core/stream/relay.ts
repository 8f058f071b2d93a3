import type { SseItem } from "../../wire/sse.ts";
import { type Frame, readFrame } from "./frame.ts";
import { EMPTY_STREAM, follow, judge, type StreamState } from "./state.ts";

/**
 * Which events of a stream may be told to the caller, and when.
 *
 * Safety argument: a caller takes an answer for finished when it sees a finish reason or `[DONE]`.
 * So an event with a finish reason is held back until the stream is known to be whole, and only
 * then told, followed by `[DONE]`. A stream that is cut at any byte has therefore told neither.
 *
 * Pieces of tool calls are held until then, too. Half a call can neither be continued (no server
 * takes one) nor taken back, and a caller may not act on it before it is whole; so a cut inside one
 * has told nothing of it. Text is never held back, except the events of a choice that come after
 * one of these.
 */
export interface Relay {
  readonly state: StreamState;
  /** In order. */
  readonly held: readonly ChunkFrame[];
  readonly heldChoices: ReadonlySet<number>;
  /** UTF-16 units of `held`. */
  readonly heldLength: number;
}

export interface Relayed {
  readonly relay: Relay;
  /** Data of the events to tell now, `[DONE]` included. */
  readonly tell: readonly string[];
}

type ChunkFrame = Frame & { readonly kind: "chunk" };

/** What is held stands in memory: a call of this length is no answer but an attack or a loop. */
const MAX_HELD_LENGTH = 16 * 1024 * 1024;

export const FRESH_RELAY: Relay = {
  state: EMPTY_STREAM,
  held: [],
  heldChoices: new Set(),
  heldLength: 0,
};

export function relay(before: Relay, item: SseItem): Relayed {
  const frame = readFrame(item);
  const { held, heldChoices, heldLength } = before;
  const after: Relay = { state: follow(before.state, frame), held, heldChoices, heldLength };
  if (after.state.fault !== null) return { relay: after, tell: [] };
  if (frame.kind === "done") return atDone(after);
  if (frame.kind === "chunk" && mustHold(after, frame)) return hold(after, frame);
  return { relay: after, tell: frame.kind === "chunk" ? [frame.data] : [] };
}

function atDone(after: Relay): Relayed {
  if (!judge(after.state).whole) return { relay: after, tell: [] };
  return { relay: { ...after, held: [] }, tell: [...after.held.map(({ data }) => data), "[DONE]"] };
}

/**
 * What ends the answer for the caller, for a stream of `n` choices that ended without its `[DONE]`:
 * each choice had its finish reason, which is the last that a model says of one, so no text can be
 * missing. Asking a model to go on behind that would add words to a finished answer. Null when the
 * answer may lack something, or when the stream said a thing that cannot be trusted.
 */
export function conclude({ state, held }: Relay, n: number): readonly string[] | null {
  const choices = [...state.choices.values()];
  const finished = choices.length === n && choices.every(({ finish }) => finish !== null);
  if (!finished || state.fault !== null) return null;
  return [...held.map(({ data }) => data), "[DONE]"];
}

/**
 * An event that finishes a choice or has a piece of a tool call; one that says more of a choice that
 * has a held event, or the order within that choice would change; and an event of no choice (the
 * usage) behind held ones.
 */
function mustHold(now: Relay, { chunk }: ChunkFrame): boolean {
  if (chunk.choices.length === 0) return now.held.length > 0;
  return chunk.choices.some(
    ({ index, finish, toolCalls }) =>
      finish !== null || toolCalls.length > 0 || now.heldChoices.has(index),
  );
}

function hold(now: Relay, frame: ChunkFrame): Relayed {
  const heldLength = now.heldLength + frame.data.length;
  if (heldLength > MAX_HELD_LENGTH) {
    const fault = { kind: "fault", because: "a tool call larger than 16 MiB" } as const;
    return { relay: { ...now, state: follow(now.state, fault) }, tell: [] };
  }
  const indexes = frame.chunk.choices.map((choice) => choice.index);
  return {
    relay: {
      ...now,
      held: [...now.held, frame],
      heldChoices: new Set([...now.heldChoices, ...indexes]),
      heldLength,
    },
    tell: [],
  };
}
