import type { Delivered } from "../../core/stream/delivered.ts";
import type { TokenCount } from "../../core/stream/frame.ts";
import type { Relay } from "../../core/stream/relay.ts";
import type { StopSignal } from "../../lib/stop.ts";
import type { DegradedMode } from "../../model/domain.ts";
import type { WorkflowRoute } from "../../model/snapshot.ts";
import type { IndexHit } from "../../ports/index.ts";
import type { ChatRequest, EmbeddingsRequest } from "../../wire/openai.ts";
import type { RequestFault } from "../../wire/parse-request.ts";
import type { Body } from "../http/inbound.ts";
import type { Headers } from "../http/message.ts";
import type { ServedSnapshot } from "../served-release.ts";
import type { Fault, Refused } from "../targets/fault.ts";

/**
 * The one seam of the request path. A link wraps the next handler and may change the call on its
 * way in and the answer on its way out; it knows nothing of its neighbours. One that leaves the
 * answer as it is gives back what `next` gave: to await it would cost every request for nothing.
 */
export type Handler = (call: Call) => Promise<Answer> | Answer;
export type Link = (next: Handler) => Handler;

/** The first link is the outermost. */
export function compose(links: readonly Link[], last: Handler): Handler {
  return links.reduceRight((next, link) => link(next), last);
}

/** One request. Links hand on a changed copy; only `ticket` and `known` are shared by all copies. */
export interface Call {
  readonly id: string;
  /** Which of the two answers that the chain can give; also the path that it is forwarded to. */
  readonly api: "chat" | "embeddings";
  /** For a body of another API's shape: its chat request. Null when it is one already. */
  readonly toChat: ToChat | null;
  /** Names in lower case. */
  readonly headers: Headers;
  /** Reads the caller's body once. */
  readonly readBody: (limitBytes: number) => Promise<Body> | Body;
  /** Monotonic ms. */
  readonly arrivedAt: number;
  /** Aborts when the exchange with the caller is over, whichever way: nothing may outlive it. */
  readonly signal: StopSignal;
  readonly snapshot: ServedSnapshot;
  /** The gateway that forwarded this; null when the caller sent it to us. */
  readonly forwardedBy: string | null;
  /** The agent proves this region: it answers itself or not at all, whoever serves. */
  readonly readiness: boolean;
  /** An agent proves that callers are answered; stale documents are no reason to refuse it. */
  readonly canary?: boolean;
  /** What must happen once a request, although a held request runs through the links again. */
  readonly ticket: Ticket;
  /** What the links found out of it. */
  readonly known: Known;
  readonly tenant: string | null;
  /** What is forwarded: as it came, or as it was translated. */
  readonly body: Buffer;
  /** Which workflow it is for, by the caller's word; not yet known to exist. */
  readonly workflow: string | null;
  readonly request: ChatRequest | null;
  /** Instead of `request`, as it came, when vectors are asked for. */
  readonly embeddings: EmbeddingsRequest | null;
  readonly route: WorkflowRoute | null;
  readonly mode: DegradedMode | null;
  readonly documents: readonly IndexHit[];
  /** The rest of a cut answer is asked for (`resume`, and `continued` beside `route`). */
  readonly resume?: Resume | null;
}

export interface Resume {
  readonly delivered: Delivered;
  /** Targets that cut this answer, and `gateway:<region>`: others are asked first. */
  readonly avoid: readonly string[];
  /** Digest of the release that began the answer; null when nobody said: an older client. */
  readonly release: string | null;
}

/** Total: whatever JSON a caller sends becomes a chat body, or the fault in the caller's own terms. */
export type ToChat = (
  body: unknown,
) => { readonly ok: true; readonly chat: Readonly<Record<string, unknown>> } | RequestFault;

export interface Ticket {
  admitted: boolean;
  /** Tries that may have cost a model's work, under one snapshot; absent before the first. */
  spent?: { readonly snapshot: number; readonly tries: number };
}

/** What became of a request so far: gathered on the way out, for headers, metrics and audit. */
export interface Facts {
  readonly tenant: string | null;
  readonly workflow: string | null;
  readonly epoch: number | null;
  readonly mode: string | null;
  readonly promptVersion: string | null;
  readonly watermark: string | null;
  /** Of the index that the documents came from: as the header says it. */
  readonly position: string | null;
  /** How old the documents are, where that is older than promised: as the header says it. */
  readonly stale: string | null;
  readonly sources: readonly string[];
  readonly forwardedTo: string | null;
  readonly target: string | null;
  readonly attempts: readonly Attempt[];
  readonly usage: TokenCount | null;
}

/**
 * What the links find out of a request on its way in, for the headers, metrics and record of
 * whatever comes of it. All copies of a call share one, as they share the ticket: told on the way
 * out instead, each link would wait for the answer only to copy it.
 *
 * It holds for one try at a time. Who tries again elsewhere begins with `forget`, and who tries two
 * things at once gives each its own (`apart`, both in `known.ts`).
 */
export interface Known {
  tenant: string | null;
  workflow: string | null;
  epoch: number | null;
  mode: string | null;
  promptVersion: string | null;
  watermark: string | null;
  position: string | null;
  stale: string | null;
  sources: readonly string[];
  /** The caller's limits, as headers; null where there are none. */
  limits: Readonly<Record<string, string>> | null;
  /** The snapshot that the newest try was made under. */
  snapshot: ServedSnapshot;
}

/** One try to get an answer from somebody. */
export interface Attempt {
  readonly target: string;
  /** `answered`, or in an operator's words why not. */
  readonly outcome: string;
  readonly tookMs: number;
  /** Whether the target may have worked on it: a model's work is not free. */
  readonly reached: boolean;
  /** Where the target is; absent for one that has no region of its own. */
  readonly region?: string;
  /** What went wrong; absent for an answer. */
  readonly fault?: Fault;
  /** The answer is that the request itself is wrong. */
  readonly refused?: Refused;
}

export type Answer = WholeAnswer | StreamedAnswer | Unanswered;

export interface WholeAnswer {
  readonly kind: "whole";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | string;
  readonly facts: Partial<Facts>;
}

export interface StreamedAnswer {
  readonly kind: "stream";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The first part is there already: nobody is told a status before an upstream has answered. */
  readonly parts: Parts;
  readonly facts: Partial<Facts>;
}

/** Nobody answered and nothing was told to the caller: safe to try again, anywhere. */
export interface Unanswered {
  readonly kind: "unanswered";
  readonly facts: Partial<Facts>;
}

export interface StreamPart {
  /** SSE text. */
  readonly text: string;
  /** On the last part only. A stream without one was abandoned by its caller. */
  readonly end: StreamEnd | null;
  /** On the parts of a rest: how its model was asked for it. */
  readonly how?: "continue" | "regenerate";
}

export interface StreamEnd {
  readonly outcome: "complete" | "cut";
  readonly because: string;
  readonly usage: TokenCount | null;
  /** Of a cut: the stream as far as it was followed. The part's text is nothing but the error event. */
  readonly cut?: Relay;
  /** What became known after the answer had begun. */
  readonly facts?: Partial<Facts>;
}

/** Of a stream, in order; read by one reader, either way. */
export interface Parts extends AsyncIterable<StreamPart> {
  /** As `pour` does it, without a turn of the queue for each part. */
  pour?(sink: Sink): Promise<LastPart | null>;
}

export type LastPart = StreamPart & { readonly end: StreamEnd };

/** Takes what is told as it comes. */
export interface Sink {
  /** Nobody listens any more. */
  readonly isOver: boolean;
  /** False when that is slower than what it is told: `writable` tells when it is not any more. */
  write(text: string): boolean;
  writable(): Promise<void>;
}

/** Tells all parts but the last one, which is given back; null when nobody listens any more. */
export async function pour(parts: Parts, sink: Sink): Promise<LastPart | null> {
  if (parts.pour !== undefined) return parts.pour(sink);
  for await (const part of parts) {
    // Leaving the loop closes the parts, and with them the upstream.
    if (sink.isOver) return null;
    if (isLast(part)) return part;
    if (!sink.write(part.text)) await sink.writable();
  }
  return null;
}

/** A sink to which nothing is told that `see` was not told before. */
export function passing(sink: Sink, see: (text: string) => void): Sink {
  return {
    get isOver() {
      return sink.isOver;
    },
    write: (text) => {
      see(text);
      return sink.write(text);
    },
    writable: () => sink.writable(),
  };
}

function isLast(part: StreamPart): part is LastPart {
  return part.end !== null;
}

/** The answer with facts that an outer link knows. What an inner link said of itself stays. */
export function withFacts<A extends Answer>(answer: A, facts: Partial<Facts>): A {
  return { ...answer, facts: { ...facts, ...answer.facts } };
}

/** The same for headers. Most often an outer link finds that all it knows stands there already. */
export function withHeaders<A extends Answer>(
  answer: A,
  headers: Readonly<Record<string, string>>,
): A {
  if (answer.kind === "unanswered") return answer;
  for (const name in headers) {
    if (answer.headers[name] === undefined)
      return { ...answer, headers: { ...headers, ...answer.headers } };
  }
  return answer;
}

/** Who asks for what, for links behind `locate`. */
export function placed(call: Call): {
  readonly workflow: string;
  readonly route: WorkflowRoute;
  readonly tenant: string;
} {
  const { workflow, route, tenant } = call;
  if (workflow === null || route === null || tenant === null) throw new TypeError(OUT_OF_ORDER);
  return { workflow, route, tenant };
}

/** The same with the chat request, for links that only chat requests pass. */
export function located(call: Call): {
  readonly request: ChatRequest;
  readonly route: WorkflowRoute;
  readonly tenant: string;
} {
  const { request, route, tenant } = call;
  if (request === null || route === null || tenant === null) throw new TypeError(OUT_OF_ORDER);
  return { request, route, tenant };
}

const OUT_OF_ORDER = "the chain is out of order: this link needs authenticate, parse and locate";
