import { FRESH_RELAY, type Relay, relay } from "../core/stream/relay.ts";
import { judge } from "../core/stream/state.ts";
import { SseParser } from "../wire/sse.ts";
import type { Line } from "./line.ts";
import { inWords, moved, type Verdict } from "./reach.ts";
import type { Tools } from "./tools.ts";

/** One gateway's part of a streamed answer, as far as it was heard. */
export interface Leg {
  readonly line: Line;
  readonly parser: SseParser;
  readonly relay: Relay;
}

export interface Heard {
  readonly leg: Leg;
  /** Data of the events that may be told now, in order. */
  readonly tell: readonly string[];
  readonly end:
    | null
    | { readonly kind: "whole" }
    | {
        readonly kind: "cut";
        readonly because: string;
        /** The connection broke: the gateway is gone, and did not say why it cannot go on. */
        readonly broken: boolean;
      };
}

/**
 * Reads a stream up to its first sound event. Before that nothing was told to the caller, so any
 * fault means another gateway.
 */
export async function judgeStream(tools: Tools, line: Line): Promise<Verdict<Heard>> {
  const heard = await firstOf(line);
  if (heard.end?.kind === "cut") {
    line.hangUp(new Error("it is asked elsewhere"));
    return moved(heard.end.because, { blamed: heard.end.broken });
  }
  tools.memory.learn(line.base, tools.world.now() - line.since);
  return { kind: "take", value: heard };
}

async function firstOf(line: Line): Promise<Heard> {
  let heard = await hear({ line, parser: new SseParser(), relay: FRESH_RELAY });
  while (heard.end === null && heard.leg.relay.state.events === 0) heard = await hear(heard.leg);
  return heard;
}

/** Hears the next piece of a gateway's stream. Never rejects. */
export async function hear(leg: Leg): Promise<Heard> {
  let piece: Uint8Array | null;
  try {
    piece = await leg.line.read();
  } catch (error) {
    return { leg, tell: [], end: { kind: "cut", because: inWords(error), broken: true } };
  }
  if (piece !== null) return take(leg, piece);
  const wholeness = judge(leg.relay.state);
  const because = wholeness.whole ? "it ended twice" : wholeness.because;
  return { leg, tell: [], end: { kind: "cut", because, broken: true } };
}

function take(leg: Leg, piece: Uint8Array): Heard {
  let now = leg.relay;
  const tell: string[] = [];
  for (const item of leg.parser.push(piece)) {
    const step = relay(now, item);
    now = step.relay;
    tell.push(...step.tell);
    if (now.state.done || now.state.fault !== null) break;
  }
  return { leg: { ...leg, relay: now }, tell, end: endOf(now) };
}

function endOf({ state }: Relay): Heard["end"] {
  if (!state.done && state.fault === null) return null;
  const wholeness = judge(state);
  if (wholeness.whole) return { kind: "whole" };
  return { kind: "cut", because: wholeness.because, broken: false };
}
