import type { IncomingHttpHeaders } from "node:http";
import type { TokenCount } from "../../core/stream/frame.ts";
import type { DegradedMode } from "../../model/domain.ts";
import type { Snapshot, WorkflowRoute } from "../../model/snapshot.ts";
import type { IndexHit } from "../../ports/index.ts";
import type { ChatRequest } from "../../wire/openai.ts";

/**
 * The one seam of the request path. A link wraps the next handler and may change the call on its
 * way in and the answer on its way out; it knows nothing of its neighbours.
 */
export type Handler = (call: Call) => Promise<Answer>;
export type Link = (next: Handler) => Handler;

/** The first link is the outermost. */
export function compose(links: readonly Link[], last: Handler): Handler {
  return links.reduceRight((next, link) => link(next), last);
}

/** One request. Links hand on a changed copy; only `ticket` is shared by all copies. */
export interface Call {
  readonly id: string;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** Reads the caller's body once. */
  readonly readBody: (limitBytes: number) => Promise<Body>;
  /** Monotonic ms. */
  readonly arrivedAt: number;
  /** Aborts when the exchange with the caller is over, whichever way: nothing may outlive it. */
  readonly signal: AbortSignal;
  readonly snapshot: Snapshot;
  /** The gateway that forwarded this; null when the caller sent it to us. */
  readonly forwardedBy: string | null;
  /** The agent proves this region: it answers itself or not at all, whoever serves. */
  readonly readiness: boolean;
  /** What must happen once a request, although a held request runs through the links again. */
  readonly ticket: { admitted: boolean };
  readonly tenant: string | null;
  /** As it came, for forwarding. */
  readonly body: Buffer;
  readonly request: ChatRequest | null;
  readonly route: WorkflowRoute | null;
  readonly mode: DegradedMode | null;
  readonly documents: readonly IndexHit[];
}

export type Body =
  | { readonly kind: "whole"; readonly bytes: Buffer }
  | { readonly kind: "too-large" }
  /** The caller went before all of it was here. */
  | { readonly kind: "gone" };

/** What became of a request so far: gathered on the way out, for headers, metrics and audit. */
export interface Facts {
  readonly tenant: string | null;
  readonly workflow: string | null;
  readonly epoch: number | null;
  readonly mode: string | null;
  readonly promptVersion: string | null;
  readonly watermark: string | null;
  readonly sources: readonly string[];
  readonly forwardedTo: string | null;
  readonly target: string | null;
  readonly attempts: readonly Attempt[];
  readonly usage: TokenCount | null;
}

/** One try to get an answer from somebody. */
export interface Attempt {
  readonly target: string;
  /** `answered`, or in an operator's words why not. */
  readonly outcome: string;
  readonly tookMs: number;
  /** Whether the target may have worked on it: a model's work is not free. */
  readonly reached: boolean;
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
  readonly parts: AsyncIterable<StreamPart>;
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
}

export interface StreamEnd {
  readonly outcome: "complete" | "cut";
  readonly because: string;
  readonly usage: TokenCount | null;
}

/** The answer with facts that an outer link knows. What an inner link said of itself stays. */
export function withFacts<A extends Answer>(answer: A, facts: Partial<Facts>): A {
  return { ...answer, facts: { ...facts, ...answer.facts } };
}

export function withHeaders(answer: Answer, headers: Readonly<Record<string, string>>): Answer {
  if (answer.kind === "unanswered") return answer;
  return { ...answer, headers: { ...headers, ...answer.headers } };
}

/** The request and its route, for links behind `locate`. */
export function located(call: Call): {
  readonly request: ChatRequest;
  readonly route: WorkflowRoute;
  readonly tenant: string;
} {
  const { request, route, tenant } = call;
  if (request === null || route === null || tenant === null) {
    throw new TypeError(
      "the chain is out of order: this link needs authenticate, parse and locate",
    );
  }
  return { request, route, tenant };
}
