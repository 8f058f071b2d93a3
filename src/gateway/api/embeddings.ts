import type { Release } from "../../model/release.ts";
import type { Target } from "../../model/snapshot.ts";
import { embeddedTokens, tidiedVectors, vectorsFault } from "../../wire/embeddings.ts";
import { isFields } from "../../wire/fields.ts";
import type { EmbeddingsRequest } from "../../wire/openai.ts";
import { type Answer, type Call, type Handler, placed } from "../chain/call.ts";
import { embeddingFor, noEmbedding } from "../chain/embedding.ts";
import { own } from "../chain/own.ts";
import { refuse } from "../chain/refuse.ts";
import type { Tools } from "../options.ts";
import { type Exchanged, exchange } from "../targets/exchange.ts";
import { judgeChat } from "../targets/judge.ts";
import { probeOfTarget } from "../targets/probe.ts";
import { upstreamHeaders } from "../targets/target.ts";
import { type Asking, type Judged, type Party, takeTurns } from "../targets/turns.ts";

/** What is asked for, and what every answer must be of. */
interface Wanted {
  readonly request: EmbeddingsRequest;
  readonly embedding: NonNullable<Release["embedding"]>;
}

/**
 * POST /v1/embeddings, the last of the chain: asks this region's targets for vectors of the
 * release's embedding, in turn, until one gives them. `model` is that embedding's id, or a workflow
 * that retrieves. What a target gives is passed on only if it is provably of that embedding.
 */
export function vectors(tools: Tools): Handler {
  return async (call) => {
    const { embeddings: request, snapshot } = call;
    if (request === null) throw new TypeError("an embeddings call without an embeddings request");
    const embedding = embeddingFor(snapshot, request.model);
    if (embedding === null) return refuse(noEmbedding(snapshot, request.model));
    const wanted = { request, embedding };
    if ((request.dimensions ?? embedding.dimensions) !== embedding.dimensions)
      return refuse(otherLength(wanted));
    const { route } = placed(call);
    const targets = own(snapshot.regions, tools.region)?.targets ?? [];
    return takeTurns(tools, call, {
      parties: targets.map((target) => partyOf(tools, call, target, wanted)),
      streamed: false,
      before: [],
      othersBeyond: !call.readiness && route.serving.some((region) => region !== tools.region),
      deadlineAt: call.arrivedAt + route.deadlineMs,
    });
  };
}

function partyOf(tools: Tools, call: Call, target: Target, wanted: Wanted): Party {
  return {
    // A name of its own: how long a vector takes says nothing of how long an answer does, and a
    // target that has no embedding model must not be left alone for chat.
    name: `${target.name} (embeddings)`,
    region: tools.region,
    ask: (asking) => send(tools, call, target, wanted, asking),
    judge: (exchanged) => judge(tools, target, wanted, exchanged),
    probe: probeOfTarget(tools, target),
  };
}

async function send(
  tools: Tools,
  call: Call,
  target: Target,
  { request, embedding }: Wanted,
  asking: Asking,
): Promise<Exchanged> {
  const place = tools.pools.place(target.url, "/v1/embeddings");
  if (place === null) return misconfigured(`${target.url} is not a URL`);
  const headers = upstreamHeaders(tools, call, target);
  if (!headers.ok) return misconfigured(headers.because);
  return exchange(tools.pools, tools.clock, {
    ...asking,
    place,
    headers: headers.headers,
    body: JSON.stringify({ ...request, model: embedding.id }),
  });
}

function misconfigured(because: string): Exchanged {
  return { kind: "failed", fault: "denied", because, reached: false };
}

function judge(tools: Tools, target: Target, wanted: Wanted, exchanged: Exchanged): Judged {
  const told = exchanged.kind === "whole" ? parse(exchanged.body) : null;
  if (exchanged.kind === "whole" && exchanged.status === 200 && !saysError(told)) {
    return judgeVectors(target, wanted, exchanged.body, told);
  }
  // What an error means is the same in every API of the target's.
  const verdict = judgeChat(exchanged, false, tools.clock.now());
  if (verdict.kind === "failed") return verdict;
  if (verdict.kind === "answer") return foreign(target, wanted, "a stream");
  const { status, body, why } = verdict;
  return {
    kind: "answer",
    answer: answerOf(target, status, body, null),
    outcome: `refused with ${status}`,
    refused: why,
  };
}

function judgeVectors(target: Target, wanted: Wanted, body: Buffer, told: unknown): Judged {
  const { input, encoding_format: encoding } = wanted.request;
  const count = typeof input === "string" ? 1 : input.length;
  const fault = vectorsFault(told, { ...wanted.embedding, count });
  if (fault !== null) return foreign(target, wanted, fault);
  const tidied = tidiedVectors(told, encoding);
  const given = tidied === null ? body : JSON.stringify(tidied);
  const answer = answerOf(target, 200, given, embeddedTokens(told));
  return { kind: "answer", answer, outcome: "answered" };
}

function answerOf(
  target: Target,
  status: number,
  body: Buffer | string,
  tokens: number | null,
): Answer {
  const usage = tokens === null ? null : { promptTokens: tokens, completionTokens: 0 };
  const facts = { target: target.name, mode: "normal", usage };
  const headers = { "content-type": "application/json" };
  return { kind: "whole", status, headers, body, facts };
}

/** It works, and asking it again would change nothing: only another target may do better. */
function foreign(target: Target, wanted: Wanted, what: string): Judged {
  const because = `${target.name} gave ${what}`;
  const fault = { kind: "nonsense", because: what, retryAfterMs: null } as const;
  return { kind: "failed", fault, lives: true, meant: refuse(mismatch(wanted, because)) };
}

function saysError(body: unknown): boolean {
  return isFields(body) && isFields(body.error);
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return null;
  }
}

function otherLength({ request: { dimensions }, embedding }: Wanted) {
  return {
    status: 400,
    code: "invalid_value",
    param: "dimensions",
    message: `Invalid 'dimensions': ${embedding.id} has ${embedding.dimensions} dimensions, not ${dimensions}. Leave it out or send ${embedding.dimensions}.`,
  } as const;
}

function mismatch({ embedding: { id, dimensions } }: Wanted, because: string) {
  return {
    status: 502,
    code: "embedding_mismatch",
    message: `No target of this region gives vectors of ${id} with ${dimensions} dimensions (${because}). They were not passed on: another model's vectors would find wrong documents.`,
  } as const;
}
