import { readBases } from "./bases.ts";
import { hearingOf, judgeStream } from "./leg.ts";
import type { Line } from "./line.ts";
import { createLives } from "./lives.ts";
import { Memory } from "./memory.ts";
import { type Reached, reach, type Verdict } from "./reach.ts";
import { type Asked, readRequest } from "./request.ts";
import { judgeOther, tellStream } from "./stream.ts";
import type { ClientEvent, Fetch, Tools } from "./tools.ts";
import { copyOf, judgeWhole } from "./whole.ts";
import { realWorld, type World } from "./world.ts";

export interface ClientOptions {
  /** Base URLs of the regions' gateways, without /v1, the preferred one first. */
  readonly gateways: readonly string[];
  /** What requests are sent with; the global fetch when absent. */
  readonly fetch?: Fetch;
  /** Longest time for a whole logical request, its stream included, in ms. Default 600,000. */
  readonly budgetMs?: number;
  /**
   * Longest time to the first byte of any answer, in ms. Default: none. A whole answer comes with
   * its last token, so a bound that is right for streams cuts those.
   */
  readonly headersMs?: number;
  /**
   * Silence after which a gateway is asked whether it lives, in ms. Default: what is normal for
   * that gateway, between 1,000 and 10,000.
   */
  readonly silenceMs?: number;
  /** Hears of every failed try, cut and resumption, for logs and metrics. */
  readonly onEvent?: (event: ClientEvent) => void;
  /** Clock, dice and timers; only tests give others. */
  readonly world?: World;
}

const BUDGET_MS = 600_000;

/**
 * A drop-in `fetch` that answers from whichever gateway can. Requests to one of the gateways move to
 * the next one before the first byte, and streamed answers also after it; requests to
 * anybody else go to the given fetch untouched. Throws USAGE when the gateways are no different http
 * URLs. The fetch itself rejects as any other does: with the caller's own reason when that aborts,
 * and with a TypeError when no gateway answered at all.
 */
export function createFetch(options: ClientOptions): Fetch {
  const tools = toolsOf(options);
  return async (input, init) => {
    const asked = await readRequest(tools, input, init);
    if (asked === null) return tools.fetch(input, init);
    const sent = { body: asked.body, headers: {} };
    const judge = (line: Line) => judgeAnswer(tools, asked, line);
    return handOn(asked, await reach(tools, { asked, sent, last: null, judge }));
  };
}

function toolsOf(options: ClientOptions): Tools {
  const world = options.world ?? realWorld();
  // Looked up anew each time, as callers do: tests and tracers replace the global one.
  const send: Fetch = options.fetch ?? ((input, init) => fetch(input, init));
  const bases = readBases(options.gateways);
  return {
    bases,
    fetch: send,
    world,
    memory: new Memory(bases, world),
    lives: createLives(send, world),
    limits: {
      budgetMs: options.budgetMs ?? BUDGET_MS,
      headersMs: options.headersMs ?? null,
      silenceMs: options.silenceMs ?? null,
    },
    tell: (event) => tellSafely(options.onEvent, event),
  };
}

/** A log that fails must not fail an answer. */
function tellSafely(onEvent: ClientOptions["onEvent"], event: ClientEvent): void {
  try {
    onEvent?.(event);
  } catch {
    // Whoever listens is told of it by nobody better than by its own tests.
  }
}

async function judgeAnswer(tools: Tools, asked: Asked, line: Line): Promise<Verdict<Response>> {
  const { status, headers } = line.response;
  const isStream = (headers.get("content-type") ?? "").startsWith("text/event-stream");
  if (status !== 200 || !isStream) return judgeWhole(tools, asked, line);
  if (asked.streamed === null) {
    const other = await judgeOther(tools, asked, line);
    return other.kind === "move" ? other : streamed(line, other.value);
  }
  const opened = await judgeStream(tools, line, hearingOf(asked.streamed, null));
  if (opened.kind === "move") return opened;
  return streamed(line, tellStream(tools, asked, asked.streamed, opened.value));
}

function streamed(line: Line, body: ReadableStream<Uint8Array>): Verdict<Response> {
  return { kind: "take", value: copyOf(line.response, body) };
}

function handOn(asked: Asked, reached: Reached<Response>): Response {
  if (reached.kind === "taken") return reached.value;
  if (reached.refusal !== null) return reached.refusal;
  // What fetch throws when it reaches nobody; SDKs know it and say "connection error".
  throw new TypeError(`no gateway answered request ${asked.id}: ${reached.because}`);
}
