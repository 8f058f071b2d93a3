import type { SseItem } from "../../wire/sse.ts";
import { type Frame, readFrame } from "./frame.ts";
import { EMPTY_STREAM, follow, judge, type StreamState } from "./state.ts";

/**
 * Which events of a stream may be told to the caller, and when.
 *
 * Safety argument: a caller takes an answer for finished when it sees a finish reason or `[DONE]`.
 * So an event with a finish reason is held back until the stream is known to be whole, and only
 * then told, followed by `[DONE]`. A stream that is cut at any byte has therefore told neither.
 * Text is never held back, except the few events of a choice that come after its finish reason.
 */
export interface Relay {
  readonly state: StreamState;
  /** Data of held events, in order. */
  readonly held: readonly string[];
  readonly heldChoices: ReadonlySet<number>;
}

export interface Relayed {
  readonly relay: Relay;
  /** Data of the events to tell now, `[DONE]` included. */
  readonly tell: readonly string[];
}

export const FRESH_RELAY: Relay = { state: EMPTY_STREAM, held: [], heldChoices: new Set() };

export function relay(before: Relay, item: SseItem): Relayed {
  const frame = readFrame(item);
  const after: Relay = { ...before, state: follow(before.state, frame) };
  if (after.state.fault !== null) return { relay: after, tell: [] };
  if (frame.kind === "done") return atDone(after);
  if (frame.kind === "chunk" && mustHold(after, frame)) return hold(after, frame);
  return { relay: after, tell: frame.kind === "chunk" ? [frame.data] : [] };
}

function atDone(after: Relay): Relayed {
  if (!judge(after.state).whole) return { relay: after, tell: [] };
  return { relay: { ...after, held: [] }, tell: [...after.held, "[DONE]"] };
}

/**
 * An event that finishes a choice; one that says more of a choice that has a held event, or the
 * order within that choice would change; and an event of no choice (the usage) behind held ones.
 */
function mustHold(now: Relay, { chunk }: Frame & { kind: "chunk" }): boolean {
  if (chunk.choices.length === 0) return now.held.length > 0;
  return chunk.choices.some(
    (choice) => choice.finish !== null || now.heldChoices.has(choice.index),
  );
}

function hold(now: Relay, frame: Frame & { kind: "chunk" }): Relayed {
  const indexes = frame.chunk.choices.map((choice) => choice.index);
  return {
    relay: {
      ...now,
      held: [...now.held, frame.data],
      heldChoices: new Set([...now.heldChoices, ...indexes]),
    },
    tell: [],
  };
}
