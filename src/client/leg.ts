import type { Delivered } from "../core/stream/delivered.ts";
import { type Hearing, hearChat, hearResponse } from "../core/stream/hearing.ts";
import { SseParser } from "../wire/sse.ts";
import type { Line } from "./line.ts";
import { inWords, moved, type Verdict } from "./reach.ts";
import type { StreamedBody } from "./request.ts";
import type { Tools } from "./tools.ts";

/** One gateway's part of a streamed answer, as far as it was heard. */
export interface Leg {
  readonly line: Line;
  readonly parser: SseParser;
  readonly hearing: Hearing;
}

export interface Heard {
  readonly leg: Leg;
  /** SSE text of the events that may be told now, in order. */
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

/** For an answer of which the caller has this much; null for nothing. */
export function hearingOf({ api, n }: StreamedBody, had: Delivered | null): Hearing {
  return api === "responses" ? hearResponse(had) : hearChat(n, had);
}

/**
 * Reads a stream up to its first sound event. Before that nothing was told to the caller, so any
 * fault means another gateway.
 */
export async function judgeStream(
  tools: Tools,
  line: Line,
  hearing: Hearing,
): Promise<Verdict<Heard>> {
  const heard = await firstOf({ line, parser: new SseParser(), hearing });
  if (heard.end?.kind === "cut") {
    line.hangUp(new Error("it is asked elsewhere"));
    return moved(heard.end.because, { blamed: heard.end.broken });
  }
  tools.memory.learn(line.base, tools.world.now() - line.since);
  return { kind: "take", value: heard };
}

async function firstOf(leg: Leg): Promise<Heard> {
  let heard = await hear(leg);
  while (heard.end === null && heard.leg.hearing.events === 0) heard = await hear(heard.leg);
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
  return { leg, tell: [], end: { kind: "cut", because: leg.hearing.lacks(), broken: true } };
}

function take(leg: Leg, piece: Uint8Array): Heard {
  let { hearing } = leg;
  const tell: string[] = [];
  for (const item of leg.parser.push(piece)) {
    const step = hearing.hear(item);
    hearing = step.hearing;
    tell.push(...step.tell);
    if (hearing.end !== null) break;
  }
  return { leg: { ...leg, hearing }, tell, end: endOf(hearing) };
}

function endOf({ end }: Hearing): Heard["end"] {
  return end?.kind === "cut" ? { ...end, broken: false } : end;
}
