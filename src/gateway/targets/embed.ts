import type { Release } from "../../model/release.ts";
import type { Target } from "../../model/snapshot.ts";
import type { Attempt, Call } from "../chain/call.ts";
import { own } from "../chain/own.ts";
import type { Tools } from "../options.ts";
import { exchange } from "./exchange.ts";
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

/** The vector of a text, from the first target of this region that gives one. */
export async function embed(
  tools: Tools,
  call: Call,
  embedding: Embedding,
  text: string,
): Promise<Embedded> {
  const targets = own(call.snapshot.regions, tools.region)?.targets ?? [];
  const attempts: Attempt[] = [];
  let broken: string | null = null;
  for (const target of tools.targets.usable(targets, ({ name }) => name)) {
    const startedAt = tools.clock.monotonic();
    const answer = await ask(tools, call, target, embedding, text);
    if (answer.kind === "embedded") return answer;
    if (answer.kind === "broken") broken = answer.because;
    const tookMs = tools.clock.monotonic() - startedAt;
    // A vector is cheap beside an answer: asking for it again is not what a hold must spare.
    attempts.push({
      target: `${target.name} (embeddings)`,
      outcome: answer.because,
      tookMs,
      reached: false,
    });
    if (call.signal.aborted) break;
  }
  if (broken !== null) return { kind: "broken", because: broken };
  return { kind: "unanswered", because: "no model runtime of this region answers", attempts };
}

async function ask(
  tools: Tools,
  call: Call,
  target: Target,
  embedding: Embedding,
  text: string,
): Promise<Embedded> {
  const place = tools.pools.place(target.url, "/v1/embeddings");
  if (place === null) return { kind: "broken", because: `${target.url} is not a URL` };
  const headers = upstreamHeaders(tools, call, target);
  if (!headers.ok) return { kind: "broken", because: headers.because };
  const answer = await exchange(tools.pools, tools.clock, {
    place,
    headers: headers.headers,
    body: JSON.stringify({ model: embedding.id, input: text, encoding_format: "float" }),
    signal: call.signal,
    firstMs: tools.timeouts.retrieveMs,
  });
  if (answer.kind === "failed")
    return { kind: "unanswered", because: answer.because, attempts: [] };
  if (answer.status >= 500 || answer.status === 429) {
    return { kind: "unanswered", because: `status ${answer.status}`, attempts: [] };
  }
  const vector = answer.kind === "whole" && answer.status === 200 ? vectorOf(answer.body) : null;
  // A vector of another length is another embedding's: it would find documents, but wrong ones.
  if (vector === null || vector.length !== embedding.dimensions) {
    const got = vector === null ? `status ${answer.status}` : `${vector.length} dimensions`;
    const because = `${target.name} gave no ${embedding.id} vector of ${embedding.dimensions} (${got})`;
    return { kind: "broken", because };
  }
  return { kind: "embedded", vector };
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
