import { HEADERS } from "../../wire/headers.ts";
import type { Tools } from "../options.ts";
import { type Exchanged, exchange } from "../targets/exchange.ts";
import { type Answer, type Attempt, type Call, type Facts, type Link, located } from "./call.ts";
import { own } from "./own.ts";
import { refuse } from "./refuse.ts";

/** Facts of one connection, not of the answer: they are made anew for our caller. */
const OF_THE_CONNECTION: readonly string[] = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "content-length",
  "date",
];

/** An error that another region's gateway means, and that a third region may do better. */
const MEANT_FAILURE = "retrieval_unavailable";

/**
 * Lets the regions answer that serve the workflow: this one first when it is among them, then the
 * others' gateways in the snapshot's order. A request is forwarded once at most. Two gateways with
 * different beliefs would otherwise pass it to and fro until both ran out of sockets.
 */
export function forward(tools: Tools): Link {
  return (next) => async (call) => {
    // Answered elsewhere, it would prove the other region's readiness and be taken for this one's.
    if (call.readiness) return next(call);
    const { serving } = located(call).route;
    const servesHere = serving.includes(tools.region);
    const local = servesHere ? await next(call) : null;
    if (local !== null && local.kind !== "unanswered") return local;
    if (call.forwardedBy !== null) return local ?? notServing(tools, call, serving);
    const others = serving.filter((region) => region !== tools.region);
    return forwardToFirst(tools, call, others, local?.facts.attempts ?? []);
  };
}

function notServing(tools: Tools, call: Call, serving: readonly string[]): Answer {
  return refuse({
    status: 421,
    code: "not_serving",
    message: `${tools.region} does not serve this workflow under snapshot ${call.snapshot.number}; ${serving.join(", ")} does. A forwarded request is not forwarded again.`,
  });
}

async function forwardToFirst(
  tools: Tools,
  call: Call,
  regions: readonly string[],
  before: readonly Attempt[],
): Promise<Answer> {
  const attempts = [...before];
  let meant: Answer | null = null;
  for (const region of tools.targets.usable(regions, gatewayName)) {
    const startedAt = tools.clock.monotonic();
    const exchanged = await send(tools, call, region);
    const failure = failureOf(exchanged);
    const tookMs = tools.clock.monotonic() - startedAt;
    const outcome = failure ?? "answered";
    attempts.push({ target: gatewayName(region), outcome, tookMs, reached: reached(exchanged) });
    if (call.signal.aborted && failure !== null) break;
    learn(tools, region, exchanged);
    remember(tools, region, failure);
    if (exchanged.kind === "failed") continue;
    const answer = toAnswer(exchanged, region, attempts);
    if (failure === null) return answer;
    if (failure === MEANT_FAILURE) meant = answer;
  }
  return meant ?? { kind: "unanswered", facts: { attempts } };
}

function gatewayName(region: string): string {
  return `gateway:${region}`;
}

function send(tools: Tools, call: Call, region: string): Promise<Exchanged> {
  const base = own(call.snapshot.regions, region)?.gateway;
  const url = base === undefined ? null : URL.parse("/v1/chat/completions", base);
  if (url === null) {
    return Promise.resolve({
      kind: "failed",
      because: "the snapshot has no address for it",
      reached: false,
    });
  }
  const { authorization } = call.headers;
  return exchange(tools.pools, tools.clock, {
    url,
    headers: {
      "content-type": "application/json",
      accept: call.headers.accept ?? "*/*",
      ...(authorization === undefined ? {} : { authorization }),
      [HEADERS.requestId]: call.id,
      [HEADERS.forwardedBy]: tools.region,
    },
    body: call.body,
    signal: call.signal,
    // The other gateway bounds its own targets; here only the request's deadline counts.
    firstMs: located(call).route.deadlineMs,
  });
}

/** Why this was no answer; null when it is one, good or bad, that the caller shall have. */
function failureOf(exchanged: Exchanged): string | null {
  if (exchanged.kind === "failed") return exchanged.because;
  if (exchanged.kind === "stream") return null;
  if (exchanged.status === 421) return "it does not serve the workflow";
  if (exchanged.status < 500) return null;
  const code = errorCode(exchanged.body);
  return code === MEANT_FAILURE
    ? code
    : `status ${exchanged.status}${code === null ? "" : `, ${code}`}`;
}

/** A gateway that refuses for want of a belief has asked no model. */
function reached(exchanged: Exchanged): boolean {
  if (exchanged.kind === "failed") return exchanged.reached;
  if (exchanged.kind === "stream") return true;
  return exchanged.status !== 421 && errorCode(exchanged.body) !== "no_snapshot";
}

function errorCode(body: Buffer): string | null {
  try {
    const code: unknown = JSON.parse(body.toString("utf8"))?.error?.code;
    return typeof code === "string" ? code : null;
  } catch {
    return null;
  }
}

/**
 * An answer made under a newer snapshot tells that there is one. Nobody waits for it here: when it
 * is adopted, it wakes every held request.
 */
function learn(tools: Tools, region: string, exchanged: Exchanged): void {
  if (exchanged.kind === "failed") return;
  void tools.peers.noticed(region, Number(exchanged.headers[HEADERS.snapshot] ?? 0));
}

/** 421 and meant errors come from a gateway that lives. */
function remember(tools: Tools, region: string, failure: string | null): void {
  const lives = failure === null || failure === MEANT_FAILURE || failure.startsWith("it does not");
  if (lives) tools.targets.succeeded(gatewayName(region));
  else tools.targets.failed(gatewayName(region), failure);
}

function toAnswer(
  exchanged: Exclude<Exchanged, { kind: "failed" }>,
  region: string,
  attempts: readonly Attempt[],
): Answer {
  const kept = Object.entries(exchanged.headers).filter(
    ([name]) => !OF_THE_CONNECTION.includes(name),
  );
  const headers = Object.fromEntries(kept);
  const facts: Partial<Facts> = {
    forwardedTo: region,
    target: gatewayName(region),
    attempts: [...attempts],
    mode: headers[HEADERS.mode] ?? null,
    promptVersion: headers[HEADERS.prompt] ?? null,
    watermark: headers[HEADERS.watermark] ?? null,
  };
  const { status } = exchanged;
  return exchanged.kind === "stream"
    ? { kind: "stream", status, headers, parts: exchanged.parts, facts }
    : { kind: "whole", status, headers, body: exchanged.body, facts };
}
