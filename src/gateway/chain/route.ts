import { tokenCount } from "../../core/stream/frame.ts";
import type { Target } from "../../model/snapshot.ts";
import type { Tools } from "../options.ts";
import { type Exchanged, exchange } from "../targets/exchange.ts";
import { targetUrl, upstreamHeaders } from "../targets/target.ts";
import { type Answer, type Attempt, type Call, type Handler, located } from "./call.ts";
import { own } from "./own.ts";

/** Targets that one run through the chain may try. */
const ATTEMPT_BUDGET = 3;

/**
 * Statuses that say something of the target and nothing of the request: its key is refused or out
 * of money, its path or model is missing, it is too busy. The caller wrote none of these.
 */
const OF_THE_TARGET: readonly number[] = [401, 402, 403, 404, 405, 408, 421, 425, 429];

type Judged =
  | { readonly kind: "answer"; readonly answer: Answer; readonly outcome: string }
  /** No byte of it was told, so another target may try. */
  | { readonly kind: "next"; readonly because: string };

/** The last of the chain: asks this region's targets, in order, until one answers. */
export function route(tools: Tools): Handler {
  return async (call) => {
    const targets = own(call.snapshot.regions, tools.region)?.targets ?? [];
    const attempts: Attempt[] = [];
    for (const target of tools.targets.usable(targets, nameOf).slice(0, ATTEMPT_BUDGET)) {
      const startedAt = tools.clock.monotonic();
      const exchanged = await send(tools, call, target);
      const judged = judge(call, target, exchanged);
      const outcome = judged.kind === "answer" ? judged.outcome : judged.because;
      const tookMs = tools.clock.monotonic() - startedAt;
      const reached = exchanged.kind !== "failed" || exchanged.reached;
      attempts.push({ target: target.name, outcome, tookMs, reached });
      if (judged.kind === "answer") {
        tools.targets.succeeded(target.name);
        return { ...judged.answer, facts: { ...judged.answer.facts, attempts } };
      }
      // Whoever aborted it (the caller, the deadline, a move), the target is not to blame.
      if (call.signal.aborted) break;
      tools.targets.failed(target.name, judged.because);
    }
    return { kind: "unanswered", facts: { attempts } };
  };
}

function nameOf(target: Target): string {
  return target.name;
}

async function send(tools: Tools, call: Call, target: Target): Promise<Exchanged> {
  const { request, route: workflow } = located(call);
  const url = targetUrl(target, "/v1/chat/completions");
  if (url === null)
    return { kind: "failed", because: `${target.url} is not a URL`, reached: false };
  const headers = upstreamHeaders(tools, call, target);
  if (!headers.ok) return { kind: "failed", because: headers.because, reached: false };
  return exchange(tools.pools, tools.clock, {
    url,
    headers: headers.headers,
    body: JSON.stringify({ ...request, model: target.model }),
    signal: call.signal,
    // A whole answer comes with its last token, so only the deadline can bound it.
    firstMs: request.stream === true ? tools.timeouts.firstEventMs : workflow.deadlineMs,
  });
}

/** Every way of not answering counts: a refusal to connect as much as a page of HTML with 200. */
function judge(call: Call, target: Target, exchanged: Exchanged): Judged {
  if (exchanged.kind === "failed") return { kind: "next", because: exchanged.because };
  const { status } = exchanged;
  const streamed = located(call).request.stream === true;
  const facts = { target: target.name };
  if (exchanged.kind === "stream") {
    if (!streamed)
      return { kind: "next", because: "a stream, though a whole answer was asked for" };
    const headers = {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
    };
    const answer: Answer = { kind: "stream", status, headers, parts: exchanged.parts, facts };
    return { kind: "answer", answer, outcome: "answered" };
  }
  if (status >= 500 || OF_THE_TARGET.includes(status)) {
    return { kind: "next", because: `status ${status}` };
  }
  const headers = { "content-type": "application/json" };
  const body = parse(exchanged.body);
  if (status >= 400 && body !== null && typeof body.error === "object") {
    const answer: Answer = { kind: "whole", status, headers, body: exchanged.body, facts };
    return { kind: "answer", answer, outcome: `refused with ${status}` };
  }
  if (status !== 200 || streamed || body === null || !isWhole(body.choices)) {
    return { kind: "next", because: `status ${status} without a chat completion` };
  }
  const usage = tokenCount(body.usage);
  const answer: Answer = {
    kind: "whole",
    status,
    headers,
    body: exchanged.body,
    facts: { ...facts, usage },
  };
  return { kind: "answer", answer, outcome: "answered" };
}

function parse(body: Buffer): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return typeof value === "object" && value !== null ? { ...value } : null;
  } catch {
    return null;
  }
}

function isWhole(choices: unknown): boolean {
  if (!Array.isArray(choices) || choices.length === 0) return false;
  return choices.every((choice) => typeof choice?.finish_reason === "string");
}
