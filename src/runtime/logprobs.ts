import { createHash } from "node:crypto";
import type { ChatMessage, TokenLogprob } from "../wire/openai.ts";

/**
 * Log-probabilities of a model that has no weights. They are made up, and made up consistently: they
 * follow from the artifact's digest, from how it is quantized and from what was said so far, the said
 * token is always the likeliest, and the probabilities of one position never exceed 1 together. So a
 * wrong artifact or a wrong quantization shows in them as it would with a real model, while the words
 * stay the same.
 */

/** What the pretended weights are. */
export interface Weights {
  /** Digest of the pretended artifact. */
  readonly modelDigest: string;
  /** How its numbers are stored: one of the names in `QUANTIZATIONS`. */
  readonly quantization: string;
  /** What it runs on: moves the last digits, as other kernels and batch sizes do. "" is none. */
  readonly hardware: string;
}

/** How far storing a model in fewer bits moves its logits, at most: about what is seen in life. */
export const QUANTIZATIONS: Readonly<Record<string, number>> = {
  none: 0,
  fp8: 0.15,
  int8: 0.25,
  int4: 0.8,
};
const HARDWARE_NOISE = 0.01;

export type TokenLogprobs = TokenLogprob & { readonly top_logprobs: readonly TokenLogprob[] };

const CANDIDATES = 24;
/** Above the likeliest of the others, in logits: some tokens are certain, some were nearly another. */
const LEAST_LEAD = 0.5;
const MOST_LEAD = 6;

const WORDS: readonly string[] = (
  "the a of to and in is that it for as was with be by on not he his but at are this have from or " +
  "had an they which one you were all her she there would their we him been has when who will no"
).split(" ");

/** One entry a token, with `top` alternatives (0 to 20), the likeliest first. */
export function logprobsOf(
  weights: Weights,
  messages: readonly ChatMessage[],
  tokens: readonly string[],
  top: number,
): TokenLogprobs[] {
  let context = digest(weights.modelDigest, JSON.stringify(messages));
  return tokens.map((token) => {
    const candidates = distribution(weights, context, token);
    context = digest(context, token);
    const said = candidates.find((one) => one.token === token);
    if (said === undefined) throw new TypeError("the said token is among the candidates");
    return { ...said, top_logprobs: candidates.slice(0, top) };
  });
}

function distribution(weights: Weights, context: string, token: string): TokenLogprob[] {
  const random = numbersFrom(context);
  const others = otherWords(token, random).map((word) => ({ token: word, logit: 3 * random() }));
  const likeliest = Math.max(...others.map(({ logit }) => logit));
  const lead = LEAST_LEAD + (MOST_LEAD - LEAST_LEAD) * random();
  const logits = [{ token, logit: likeliest + lead }, ...others].map((one) => ({
    token: one.token,
    logit: one.logit + disturbance(weights, context, one.token),
  }));
  // Greedy: what was said is what was likeliest, however the numbers are stored.
  const most = Math.max(...logits.slice(1).map(({ logit }) => logit));
  const settled = logits.map((one, at) =>
    at === 0 ? { ...one, logit: Math.max(one.logit, most + 0.001) } : one,
  );
  const norm = Math.log(settled.reduce((sum, { logit }) => sum + Math.exp(logit), 0));
  return settled
    .map(({ token: word, logit }) => ({
      token: word,
      logprob: Number((logit - norm).toFixed(6)),
      bytes: [...new TextEncoder().encode(word)],
    }))
    .toSorted((a, b) => b.logprob - a.logprob);
}

function disturbance({ quantization, hardware }: Weights, context: string, token: string): number {
  const noise = (name: string, most: number): number =>
    most === 0 ? 0 : most * (2 * firstNumber(digest(name, context, token)) - 1);
  const ofStorage = noise(`quantization ${quantization}`, QUANTIZATIONS[quantization] ?? 0);
  return ofStorage + (hardware === "" ? 0 : noise(`hardware ${hardware}`, HARDWARE_NOISE));
}

function otherWords(token: string, random: () => number): string[] {
  const start = Math.floor(random() * WORDS.length);
  return Array.from({ length: CANDIDATES }, (_, at) => ` ${WORDS[(start + at) % WORDS.length]}`)
    .filter((word) => word !== token)
    .slice(0, CANDIDATES - 1);
}

/** Numbers from 0 to below 1 that follow from a text. */
function numbersFrom(text: string): () => number {
  let count = 0;
  return () => firstNumber(digest(text, String(count++)));
}

function firstNumber(hex: string): number {
  return Number.parseInt(hex.slice(0, 12), 16) / 2 ** 48;
}

function digest(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
