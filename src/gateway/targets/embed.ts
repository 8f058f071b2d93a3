import type { Release } from "../../model/release.ts";
import type { Target } from "../../model/snapshot.ts";
import { type Attempt, type Call, placed } from "../chain/call.ts";
import { own } from "../chain/own.ts";
import type { Tools } from "../options.ts";
import type { Claim, FirstMeasure } from "./entry.ts";
import { type Exchanged, exchange } from "./exchange.ts";
import { boundMs, spansOf } from "./patience.ts";
import { retryAfterMs } from "./retry-after.ts";
import { upstreamHeaders } from "./target.ts";

type Embedding = NonNullable<Release["embedding"]>;

export type Embedded =
  | { readonly kind: "embedded"; readonly vector: Float32Array }
  | { readonly kind: "broken"; readonly because: string }
  | {
      readonly kind: "unanswered";
      readonly because: string;
      readonly attempts: readonly Attempt[];
    };

/** A question whose vector is wanted. */
export interface LookUp {
  readonly embedding: Embedding;
  readonly text: string;
  /** Whether the request can do without this region's vector: without documents, or elsewhere. */
  readonly dispensable: boolean;
}

/** One question makes one vector at once, as a stream makes its first token. */
const MEASURE: FirstMeasure = "firstToken";

/**
 * The vector of a text, from the first target of this region that gives one. Targets are remembered
 * for it under a name of its own: how long a vector takes says nothing of how long an answer does,
 * nor of a batch of vectors, and a target that has no embedding model must not be left alone for chat.
 */
export async function embed(tools: Tools, call: Call, lookUp: LookUp): Promise<Embedded> {
  const targets = own(call.snapshot.regions, tools.region)?.targets ?? [];
  const { reflex } = call.snapshot;
  const { names, distrusted } = tools.targets.order(
    targets.map(nameOf),
    reflex.ejectAtMost,
    reflex.slow,
  );
  const attempts: Attempt[] = [];
  let broken: string | null = null;
  for (const [at, name] of names.entries()) {
    const target = targets.find((one) => nameOf(one) === name);
    const claim = tools.targets.claim(name, distrusted);
    if (target === undefined || claim === null) continue;
    const others = lookUp.dispensable || at < names.length - 1;
    const firstMs = patienceMs(tools, call, { name, others, distrusted });
    const tried = await tryOne(tools, call, lookUp, { target, claim, firstMs }).finally(() =>
      tools.targets.settled(claim),
    );
    if (tried.kind === "embedded") return tried;
    if (tried.kind === "broken") broken = tried.because;
    // A vector is cheap beside an answer: asking for it again is not what a hold must spare.
    attempts.push({ target: name, outcome: tried.because, tookMs: tried.tookMs, reached: false });
    if (call.signal.aborted) break;
  }
  if (broken !== null) return { kind: "broken", because: broken };
  return { kind: "unanswered", because: "no model runtime of this region answers", attempts };
}

function nameOf({ name }: Target): string {
  return `${name} (look-ups)`;
}

function patienceMs(
  tools: Tools,
  call: Call,
  about: { readonly name: string; readonly others: boolean; readonly distrusted: boolean },
): number {
  const { reflex } = call.snapshot;
  const { targets, clock } = tools;
  const p95Ms = targets.p95Ms(about.name, MEASURE);
  return boundMs({
    ...about,
    p95Ms,
    peersP95Ms: p95Ms === null ? targets.peersP95Ms(about.name, MEASURE) : null,
    span: spansOf(reflex, tools.timeouts)[MEASURE],
    factor: reflex.patience,
    leftMs: call.arrivedAt + placed(call).route.deadlineMs - clock.monotonic(),
  });
}

interface Try {
  readonly target: Target;
  readonly claim: Claim;
  readonly firstMs: number;
}

type Failed = {
  readonly kind: "broken" | "unanswered";
  readonly because: string;
  /** What is held against the target; null when it works, and only cannot do this. */
  readonly fault: "silent" | "busy" | "failed" | null;
};
type Got = { readonly kind: "embedded"; readonly vector: Float32Array } | Failed;
type Tried = Exclude<Got, Failed> | (Failed & { readonly tookMs: number });

/** Asks one target, and remembers what came of it. */
async function tryOne(tools: Tools, call: Call, lookUp: LookUp, one: Try): Promise<Tried> {
  const { clock } = tools;
  const place = tools.pools.place(one.target.url, "/v1/embeddings");
  if (place === null) return misconfigured(`${one.target.url} is not a URL`);
  const headers = upstreamHeaders(tools, call, one.target);
  if (!headers.ok) return misconfigured(headers.because);
  const startedAt = clock.monotonic();
  const exchanged = await exchange(tools.pools, clock, {
    place,
    headers: headers.headers,
    body: bodyOf(lookUp),
    signal: call.signal,
    firstMs: one.firstMs,
  });
  const tookMs = clock.monotonic() - startedAt;
  const got = judge(exchanged, one.target, lookUp.embedding);
  // The caller went: nobody is to blame.
  if (!call.signal.aborted) remember(tools, one.claim, got, exchanged, tookMs);
  return got.kind === "embedded" ? got : { ...got, tookMs };
}

function misconfigured(because: string): Tried {
  return { kind: "broken", because, fault: null, tookMs: 0 };
}

function bodyOf({ embedding, text }: LookUp): string {
  return JSON.stringify({ model: embedding.id, input: text, encoding_format: "float" });
}

function remember(
  { targets, clock }: Tools,
  claim: Claim,
  got: Got,
  exchanged: Exchanged,
  tookMs: number,
): void {
  if (got.kind === "embedded" || got.fault === null) {
    targets.answered(claim, MEASURE, tookMs);
    targets.succeeded(claim.name);
    return;
  }
  if (got.fault === "silent") targets.gaveUp(claim.name, MEASURE, tookMs);
  if (got.fault === "busy" && exchanged.kind === "whole") {
    targets.busy(claim.name, retryAfterMs(exchanged.headers, clock.now()) ?? 0);
  }
  targets.failed(claim, got.because);
}

function judge(exchanged: Exchanged, { name }: Target, { id, dimensions }: Embedding): Got {
  if (exchanged.kind === "failed") {
    const { because, fault } = exchanged;
    return { kind: "unanswered", because, fault: fault === "silent" ? fault : "failed" };
  }
  const { status } = exchanged;
  if (status === 429) return { kind: "unanswered", because: "status 429", fault: "busy" };
  if (status >= 500) return { kind: "unanswered", because: `status ${status}`, fault: "failed" };
  const vector = exchanged.kind === "whole" && status === 200 ? vectorOf(exchanged.body) : null;
  if (vector?.length === dimensions) return { kind: "embedded", vector };
  // A vector of another length is another embedding's: it would find documents, but wrong ones.
  const given = vector === null ? `status ${status}` : `${vector.length} dimensions`;
  const because = `${name} gave no ${id} vector of ${dimensions} (${given})`;
  return { kind: "broken", because, fault: vector === null ? "failed" : null };
}

function vectorOf(body: Buffer): Float32Array | null {
  try {
    const numbers: unknown = JSON.parse(body.toString("utf8"))?.data?.[0]?.embedding;
    if (!Array.isArray(numbers)) return null;
    return numbers.every((part) => Number.isFinite(part)) ? Float32Array.from(numbers) : null;
  } catch {
    return null;
  }
}
