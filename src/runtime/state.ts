import { createEmbedder, DEFAULT_DIMENSIONS, type Embedder } from "./embedding.ts";
import { type English, generalEnglish } from "./english.ts";
import { type RuntimeMetrics, runtimeMetrics } from "./metrics.ts";
import { Slots } from "./queue.ts";

export interface RuntimeOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0 (the default) takes any free port. */
  readonly port?: number;
  /** The name that chat requests must ask for. */
  readonly model: string;
  /** Digest of the pretended artifact; the answer to the fingerprint probe is derived from it. */
  readonly modelDigest: string;
  /** How the pretended weights are stored, see logprobs.ts; default `none`. */
  readonly quantization?: string;
  /** What the runtime pretends to run on, see logprobs.ts; default "", which is nothing special. */
  readonly hardware?: string;
  /** The name that embedding requests must ask for. */
  readonly embeddingModel: string;
  /** The embedding version: another salt gives incompatible vectors. */
  readonly embeddingSalt: string;
  /** Length of the vectors, default 768. */
  readonly dimensions?: number;
  /** Wait before each token, in milliseconds; default 0. */
  readonly tokenDelayMs?: number;
  /** Chat requests generated at a time; the others queue. Default 64. */
  readonly maxConcurrent?: number;
  /** Most tokens of prompt and answer together; default 32768. */
  readonly maxModelTokens?: number;
}

/** What the endpoints of one server share. */
export interface RuntimeState {
  readonly options: Required<RuntimeOptions>;
  readonly english: English;
  readonly embedder: Embedder;
  readonly slots: Slots;
  readonly metrics: RuntimeMetrics;
  /** 1, 2, 3 …: keeps the ids of equal requests apart without a random number. */
  readonly nextCount: () => number;
}

export function createState(given: RuntimeOptions): RuntimeState {
  const options: Required<RuntimeOptions> = {
    host: "127.0.0.1",
    port: 0,
    dimensions: DEFAULT_DIMENSIONS,
    quantization: "none",
    hardware: "",
    tokenDelayMs: 0,
    maxConcurrent: 64,
    maxModelTokens: 32_768,
    ...given,
  };
  const slots = new Slots(options.maxConcurrent);
  const cacheTokens = options.maxConcurrent * options.maxModelTokens;
  let count = 0;
  return {
    options,
    english: generalEnglish(),
    embedder: createEmbedder({ salt: options.embeddingSalt, dimensions: options.dimensions }),
    slots,
    metrics: runtimeMetrics(options.model, slots, cacheTokens),
    nextCount: () => ++count,
  };
}
