import type { Dispatcher } from "undici";
import type { Clock } from "../../ports/clock.ts";
import type { StreamPart } from "../chain/call.ts";
import type { FaultKind } from "./fault.ts";
import type { Pools } from "./pools.ts";
import { openStream, type StreamHooks } from "./stream.ts";
import { Watch, watched } from "./watch.ts";
import { faultOfError } from "./words.ts";

/** One request to one upstream: a model target or another region's gateway. */
export interface Upstream {
  readonly url: URL;
  readonly method?: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** Aborts the exchange, also while its stream is read; its reason is an Error that says why. */
  readonly signal: AbortSignal;
  /** Time to the first event of a stream, or to the last byte of a whole answer. */
  readonly firstMs: number;
  /** Longest silence once it has begun to answer, in ms; `firstMs` unless given. */
  readonly stallMs?: number;
  /** How a stream that began ended. Not called when its reader left it, or aborted it. */
  readonly onEnd?: (end: StreamEnding) => void;
}

export type StreamEnding =
  | { readonly whole: true; readonly longestPauseMs: number }
  | { readonly whole: false; readonly because: string };

export type Exchanged =
  | {
      readonly kind: "whole";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Buffer;
    }
  /** 200 and at least one sound event. */
  | {
      readonly kind: "stream";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly parts: AsyncIterable<StreamPart>;
    }
  /** No answer, in an operator's words; nothing of it was told to anybody. */
  | {
      readonly kind: "failed";
      readonly fault: FaultKind;
      readonly because: string;
      /** What it said of the failure in its stream, as it came. */
      readonly event?: string | null;
      /** Whether the upstream may have worked on it: asking again may cost as much again. */
      readonly reached: boolean;
    };

/** Largest whole answer that is kept in memory. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/**
 * Mechanism only: sends, waits for the first byte that counts, and says what came. Whose fault it
 * was and whether to try elsewhere is the policy of the links that call this.
 */
export async function exchange(pools: Pools, clock: Clock, upstream: Upstream): Promise<Exchanged> {
  const cut = new AbortController();
  const unlink = linkAbort(upstream.signal, cut);
  const inTime = new AbortController();
  void clock.sleep(upstream.firstMs, inTime.signal).then(() => {
    if (inTime.signal.aborted) return;
    cut.abort(new Error(`no answer in ${Math.round(upstream.firstMs)} ms`));
  });
  try {
    const response = await pools.of(upstream.url).request({
      path: upstream.url.pathname + upstream.url.search,
      method: upstream.method ?? "POST",
      headers: upstream.headers,
      body: upstream.body ?? null,
      signal: cut.signal,
    });
    return await receive(clock, upstream, response, cut, unlink);
  } catch (error) {
    const { kind, because, reached } = faultOfError(error, cut.signal);
    return { kind: "failed", fault: kind, because, reached };
  } finally {
    // Also ends the timer of a stream that has begun: it may take as long as its deadline allows.
    inTime.abort();
  }
}

/** Hands an abort on until the returned function is called. */
function linkAbort(from: AbortSignal, to: AbortController): () => void {
  const abort = (): void => to.abort(from.reason);
  if (from.aborted) abort();
  else from.addEventListener("abort", abort, { once: true });
  return () => from.removeEventListener("abort", abort);
}

/** `unlink` is called once the answer is whole: the caller's going must not cost the connection. */
async function receive(
  clock: Clock,
  upstream: Upstream,
  response: Dispatcher.ResponseData,
  cut: AbortController,
  unlink: () => void,
): Promise<Exchanged> {
  const status = response.statusCode;
  const headers = flatHeaders(response.headers);
  const type = headers["content-type"] ?? "";
  const watch = new Watch(clock, cut, upstream.stallMs ?? upstream.firstMs);
  const pieces = watched(response.body, watch);
  if (status === 200 && type.startsWith("text/event-stream")) {
    const opened = await openStream(pieces, hooksOf(upstream, watch, unlink));
    if (opened.kind === "failed") return { ...opened, fault: "nonsense", reached: true };
    return { kind: "stream", status, headers, parts: opened.parts };
  }
  watch.begin();
  const body = await wholeBody(pieces, watch);
  unlink();
  return { kind: "whole", status, headers, body };
}

function hooksOf(upstream: Upstream, watch: Watch, unlink: () => void): StreamHooks {
  return {
    onEvent() {
      watch.progress();
      watch.begin();
    },
    onWhole() {
      watch.end();
      unlink();
      upstream.onEnd?.({ whole: true, longestPauseMs: watch.longestMs });
    },
    onCut(because) {
      if (!upstream.signal.aborted) upstream.onEnd?.({ whole: false, because });
    },
  };
}

async function wholeBody(body: AsyncIterable<Uint8Array>, watch: Watch): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of body) {
    watch.progress();
    length += piece.length;
    if (length > MAX_ANSWER_BYTES) throw new Error("an answer larger than 64 MiB");
    pieces.push(piece);
  }
  return Buffer.concat(pieces, length);
}

function flatHeaders(headers: Dispatcher.ResponseData["headers"]): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined)
      flat[name.toLowerCase()] = Array.isArray(value) ? value.join(", ") : value;
  }
  return flat;
}
