import { sha256 } from "../lib/canonical.ts";
import type { RuntimeState } from "./state.ts";
import { TOKEN_RULE } from "./tokens.ts";

/** Raised when another answer to the same request is on purpose: releases may name a range. */
const VERSION = "1.0.0";

/**
 * What this runtime is, for a release's serving contract. null: there is no such thing here, as
 * there are no weights and no GPU.
 */
export function runtimeFacts({ options }: RuntimeState): object {
  return {
    engine: { name: "tideover-reference", version: VERSION },
    tokenizer: sha256(TOKEN_RULE),
    chatTemplate: null,
    precision: options.quantization,
    contextTokens: options.maxModelTokens,
    gpu: null,
    tensorParallel: null,
  };
}
