import { INDEX_TARGET } from "../../model/trouble.ts";
import { HEADERS } from "../../wire/headers.ts";
import { type ChatRequest, textOf } from "../../wire/openai.ts";
import type { Tools } from "../options.ts";
import { type Answer, type Attempt, type Call, type Handler, type Link, located } from "./call.ts";
import { wantedPositions } from "./min-position.ts";
import { refuse, retryAfter } from "./refuse.ts";
import { type Found, find, type Question, type Retrieval } from "./search.ts";

/**
 * Puts the documents before the model that this tenant may see and that fit the question. A
 * workflow that can do without them goes on as `no-retrieval`, says so on every answer, and leaves
 * that mode by itself, since each request asks anew (unless the index failed a moment ago).
 *
 * What cannot be answered from this region's copy, and needs it, is refused where waiting mends
 * nothing, and unanswered where another region may have a better copy: `hold` then waits for it.
 */
export function retrieve(tools: Tools): Link {
  return (next) => (call) => {
    const { route, request } = located(call);
    const question = lastQuestion(request);
    const { retrieval } = route;
    if (retrieval === null || question === "") return normally(next, call);
    // Ordered for everyone by the control plane: nobody asks the index, it may be under repair.
    if (route.mode === "no-retrieval") return without(next, call);
    const wanted = wantedPositions(call.headers, retrieval.index);
    if (!wanted.ok) return refuse(noPosition(wanted.sent));
    const { positions } = wanted;
    return retrieved(tools, next, call, retrieval, { text: question, positions });
  };
}

async function retrieved(
  tools: Tools,
  next: Handler,
  call: Call,
  retrieval: Retrieval,
  question: Question,
): Promise<Answer> {
  const began = tools.clock.monotonic();
  const found = await find(tools, call, retrieval, question);
  if (found.kind === "found") return withDocuments(tools, next, call, found);
  if (!retrieval.required) return without(next, call);
  return withoutThem(tools, call, retrieval, { found, tookMs: tools.clock.monotonic() - began });
}

type Missing = Exclude<Found, { kind: "found" }>;

/** A workflow that does not answer without documents has none. */
function withoutThem(
  tools: Tools,
  call: Call,
  retrieval: Retrieval,
  { found, tookMs }: { readonly found: Missing; readonly tookMs: number },
): Answer {
  switch (found.kind) {
    case "unanswered":
      return { kind: "unanswered", facts: { attempts: found.attempts } };
    case "behind":
      return behind(tools, retrieval, found);
    case "lost":
      return refuse(lost(tools, retrieval, found.wanted));
    case "unproven":
      return refuse(unproven(tools, retrieval, found.wanted));
    case "broken":
      return unavailable(tools, retrieval, found.because);
    case "damaged":
      return damaged(tools, call, retrieval, { because: found.because, tookMs });
  }
}

function withDocuments(
  tools: Tools,
  next: Handler,
  call: Call,
  { hits, watermark, position, stale }: Found & { kind: "found" },
): Promise<Answer> | Answer {
  call.known.stale = stale;
  // Whoever proves this region asks whether it would answer rightly: that its source is late is no
  // fault of the region, and must not keep it from taking over.
  const isProof = call.readiness || call.canary === true;
  const policy = isProof ? "label" : located(call).route.retrieval?.freshness?.stale;
  if (stale !== null && policy === "refuse") return tooOld(tools, stale);
  if (stale !== null && policy === "no-retrieval") return without(next, call);
  call.known.sources = hits.map(({ id }) => id);
  call.known.watermark = watermark;
  call.known.position = position;
  return normally(next, { ...call, documents: hits });
}

function normally(next: Handler, call: Call) {
  call.known.mode = "normal";
  return next(call);
}

function without(next: Handler, call: Call) {
  call.known.mode = "no-retrieval";
  return next({ ...call, mode: "no-retrieval" });
}

/**
 * Nobody answers from a copy that may not be believed. The request is held like one to a region
 * that is silent, for a failover to a good copy may be under way. It is refused at once where there
 * is no other region, by a gateway whose caller holds it already, and to who asks how it is now.
 */
function damaged(
  tools: Tools,
  call: Call,
  retrieval: Retrieval,
  { because, tookMs }: { readonly because: string; readonly tookMs: number },
): Answer {
  const isOnly = Object.keys(call.snapshot.regions).length < 2;
  if (isOnly || call.readiness) return unavailable(tools, retrieval, because);
  if (call.forwardedBy !== null) return refuse(damagedHere(tools, retrieval, because));
  const attempt: Attempt = {
    target: `${INDEX_TARGET}${retrieval.index}`,
    outcome: because,
    tookMs,
    reached: false,
    region: tools.region,
    fault: { kind: "error", because, retryAfterMs: null },
  };
  return { kind: "unanswered", facts: { attempts: [attempt] } };
}

function damagedHere({ region }: Tools, { index }: Retrieval, because: string) {
  return {
    status: 503,
    code: "index_damaged",
    message: `The copy of index ${index} in ${region} may not be believed (${because}), and this workflow does not answer without it. Another region may.`,
    headers: retryAfter(1_000),
  } as const;
}

function unavailable(tools: Tools, retrieval: Retrieval, because: string): Answer {
  return refuse({
    status: 503,
    code: "retrieval_unavailable",
    message: `The index ${retrieval.index} of ${tools.region} cannot serve (${because}), and this workflow does not answer without it. Try again shortly.`,
    headers: retryAfter(Math.max(1_000, tools.retrieval.ejectedForMs(retrieval.index))),
  });
}

function behind(
  { region, timeouts }: Tools,
  { index }: Retrieval,
  { at, wanted }: Found & { kind: "behind" },
): Answer {
  return refuse({
    status: 503,
    code: "position_not_reached",
    message: `The copy of index ${index} in ${region} is at ${at} and had not reached ${wanted} after ${timeouts.positionMs} ms (${HEADERS.minPosition}). Try again shortly: it follows by itself.`,
    headers: retryAfter(1_000),
  });
}

/** No status that clients try again by themselves: waiting brings no lost change back. */
function lost({ region }: Tools, { index }: Retrieval, wanted: number) {
  return {
    status: 412,
    code: "position_lost",
    message: `The change ${wanted} of index ${index} that is asked for (${HEADERS.minPosition}) is not in the history of the copy in ${region}: another change has its number. It was lost when another region took the index over. Send the change to the index again, and ask with the position that it is answered with.`,
  } as const;
}

function unproven({ region }: Tools, { index }: Retrieval, wanted: number) {
  return {
    status: 412,
    code: "position_unproven",
    message: `Whether the change ${wanted} of index ${index} that is asked for (${HEADERS.minPosition}) is in the copy in ${region} cannot be proven: its log does not reach back so far. Ask with a newer position: each answer to a change, and each answer from documents (${HEADERS.indexPosition}), tells one.`,
  } as const;
}

function tooOld({ region }: Tools, stale: string): Answer {
  return refuse({
    status: 503,
    code: "stale_data",
    message: `The documents in ${region} are older than this workflow allows (${stale}): their pipeline is late. Try again when it has caught up.`,
    headers: retryAfter(10_000),
  });
}

function noPosition(sent: string) {
  return {
    status: 400,
    code: "invalid_min_position",
    param: HEADERS.minPosition,
    message: `${HEADERS.minPosition}: ${sent.slice(0, 60)} is no position. Write what a change was answered with, such as 42/1:5f0c9a12b3d4 or handbook=42/1:5f0c9a12b3d4.`,
  } as const;
}

function lastQuestion(request: ChatRequest): string {
  const last = request.messages.findLast(({ role }) => role === "user");
  return last === undefined ? "" : textOf(last).trim();
}
