import type { Target } from "../../model/snapshot.ts";
import { HEADERS } from "../../wire/headers.ts";
import type { Tools } from "../options.ts";
import { type Exchanged, exchange } from "../targets/exchange.ts";
import type { Fault, FaultKind } from "../targets/fault.ts";
import { hedged } from "../targets/hedge.ts";
import type { Answered } from "../targets/judge.ts";
import { probeOfGateway } from "../targets/probe.ts";
import { retryAfterMs } from "../targets/retry-after.ts";
import { type Asking, type Judged, takeTurns } from "../targets/turns.ts";
import {
  type Answer,
  type Attempt,
  type Call,
  type Facts,
  type Handler,
  type Link,
  placed,
} from "./call.ts";
import { othersFirst } from "./continued.ts";
import { forget } from "./known.ts";
import { ALL_BUSY } from "./nobody.ts";
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

/** A request that was translated is a chat request from here on, and is forwarded as one. */
const PATHS = { chat: "/v1/chat/completions", embeddings: "/v1/embeddings" } as const;

/** Errors that another region's gateway means, and that a third region may do better. */
const MEANT_FAILURES: readonly string[] = [
  "retrieval_unavailable",
  "embedding_mismatch",
  "position_not_reached",
  "stale_data",
];

/** A region that lives and cannot answer now: the request is held, and the region is not blamed. */
const HELD_FAILURES: readonly string[] = ["index_damaged"];

/**
 * Lets the regions answer that serve the workflow: this one first when it is among them, then the
 * others' gateways in the snapshot's order. A request is forwarded once at most. Two gateways with
 * different beliefs would otherwise pass it to and fro until both ran out of sockets.
 */
export function forward(tools: Tools): Link {
  return (next) => (call) => {
    // Answered elsewhere, it would prove the other region's readiness and be taken for this one's.
    if (call.readiness) return next(call);
    const { serving } = placed(call).route;
    const servesHere = serving.includes(tools.region);
    const others = serving.filter((region) => region !== tools.region);
    if (servesHere && others.length > 0 && isHedged(tools, call)) {
      return hedged(tools, call, {
        afterMs: usualMs(tools, call),
        first: next,
        second: (run) => forwardToFirst(tools, run, others, []),
      });
    }
    // Whoever forwarded this goes on to others itself.
    if (servesHere && (others.length === 0 || call.forwardedBy !== null)) return next(call);
    if (servesHere) return hereThenElsewhere(tools, next, call, others);
    if (call.forwardedBy !== null) return notServing(tools, call, serving);
    return forwardToFirst(tools, call, others, []);
  };
}

async function hereThenElsewhere(
  tools: Tools,
  next: Handler,
  call: Call,
  others: readonly string[],
): Promise<Answer> {
  const local = await next(call);
  if (local.kind !== "unanswered") return local;
  forget(call.known);
  return forwardToFirst(tools, call, others, local.facts.attempts ?? []);
}

/** With several targets, this region hedges among its own; their neighbour is nearer than a region. */
function isHedged(tools: Tools, call: Call): boolean {
  const asked = call.api === "chat" && call.forwardedBy === null;
  return asked && placed(call).route.hedge && usualTargets(tools, call).length === 1;
}

/** The 95th percentile of this region's one target, in ms; null while too little is known. */
function usualMs(tools: Tools, call: Call): number | null {
  const measure = call.request?.stream === true ? "firstToken" : "wholeAnswer";
  const [target] = usualTargets(tools, call);
  return target === undefined ? null : tools.targets.p95Ms(target.name, measure);
}

function usualTargets(tools: Tools, call: Call): readonly Target[] {
  const targets = own(call.snapshot.regions, tools.region)?.targets ?? [];
  return targets.filter(({ name }) => name !== placed(call).route.longContext);
}

function notServing(tools: Tools, call: Call, serving: readonly string[]): Answer {
  return refuse({
    status: 421,
    code: "not_serving",
    message: `${tools.region} does not serve this workflow under snapshot ${call.snapshot.number}; ${serving.join(", ")} does. A forwarded request is not forwarded again.`,
  });
}

function forwardToFirst(
  tools: Tools,
  call: Call,
  regions: readonly string[],
  before: readonly Attempt[],
): Promise<Answer> {
  return takeTurns(tools, call, {
    parties: othersFirst(call, regions, gatewayName).map((region) => ({
      // Under a name of its own: how long a vector takes says nothing of how long an answer does.
      name: call.api === "chat" ? gatewayName(region) : `${gatewayName(region)} (${call.api})`,
      region,
      ask: (asking) => send(tools, call, region, asking),
      judge: (exchanged) => judge(tools, region, exchanged),
      relays: true,
      probe: probeOfGateway(tools, own(call.snapshot.regions, region)?.gateway),
    })),
    streamed: call.request?.stream === true,
    before,
    othersBeyond: false,
    deadlineAt: call.arrivedAt + placed(call).route.deadlineMs,
    hedge: placed(call).route.hedge,
  });
}

function gatewayName(region: string): string {
  return `gateway:${region}`;
}

function send(tools: Tools, call: Call, region: string, asking: Asking): Promise<Exchanged> {
  const base = own(call.snapshot.regions, region)?.gateway;
  const place = base === undefined ? null : tools.pools.place(base, PATHS[call.api]);
  if (place === null) {
    return Promise.resolve({
      kind: "failed",
      fault: "denied",
      because: "the snapshot has no address for it",
      reached: false,
    });
  }
  const { authorization, [HEADERS.minPosition]: minPosition } = call.headers;
  return exchange(tools.pools, tools.clock, {
    ...asking,
    place,
    headers: {
      "content-type": "application/json",
      accept: call.headers.accept ?? "*/*",
      ...(authorization === undefined ? {} : { authorization }),
      ...(typeof minPosition === "string" ? { [HEADERS.minPosition]: minPosition } : {}),
      [HEADERS.requestId]: call.id,
      [HEADERS.forwardedBy]: tools.region,
      ...(call.resume?.release ? { [HEADERS.release]: call.resume.release } : {}),
    },
    body: call.body,
  });
}

function judge(tools: Tools, region: string, exchanged: Exchanged): Judged {
  learn(tools, region, exchanged);
  if (exchanged.kind === "failed") return failed(exchanged.fault, exchanged.because);
  const answer = toAnswer(exchanged, region);
  const { status } = exchanged;
  // 421 and meant errors come from a gateway that lives; one that only refuses asked no model.
  if (status === 421) return { ...failed("denied", "it does not serve the workflow"), lives: true };
  const code = exchanged.kind === "whole" && status >= 429 ? errorCode(exchanged.body) : null;
  if (status >= 500 || code === ALL_BUSY) return failedWith(tools, exchanged, code, answer);
  return { kind: "answer", answer, outcome: "answered" };
}

/** Its targets were tried there already, so that asking it again is a hold's and not a retry's. */
function failedWith(
  tools: Tools,
  { status, headers }: Answered,
  code: string | null,
  answer: Answer,
): Judged {
  if (code !== null && MEANT_FAILURES.includes(code)) {
    return { ...failed("error", code), lives: true, meant: answer };
  }
  const because = `status ${status}${code === null ? "" : `, ${code}`}`;
  if (code !== null && HELD_FAILURES.includes(code)) {
    return { ...failed("error", because), lives: true };
  }
  if (code !== ALL_BUSY) return failed("denied", because);
  const fault: Fault = {
    kind: "busy",
    because,
    retryAfterMs: retryAfterMs(headers, tools.clock.now()),
  };
  return { kind: "failed", fault };
}

function failed(kind: FaultKind, because: string): Judged & { kind: "failed" } {
  return { kind: "failed", fault: { kind, because, retryAfterMs: null } };
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

function toAnswer(exchanged: Answered, region: string): Answer {
  const kept = Object.entries(exchanged.headers).filter(
    ([name]) => !OF_THE_CONNECTION.includes(name),
  );
  const headers = Object.fromEntries(kept);
  const facts: Partial<Facts> = {
    forwardedTo: region,
    target: gatewayName(region),
    mode: headers[HEADERS.mode] ?? null,
    promptVersion: headers[HEADERS.prompt] ?? null,
    watermark: headers[HEADERS.watermark] ?? null,
    position: headers[HEADERS.indexPosition] ?? null,
    stale: headers[HEADERS.stale] ?? null,
  };
  const { status } = exchanged;
  return exchanged.kind === "stream"
    ? { kind: "stream", status, headers, parts: exchanged.parts, facts }
    : { kind: "whole", status, headers, body: exchanged.body, facts };
}
