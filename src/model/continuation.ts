import { z } from "zod";

/** How a model's server goes on with a half-given answer; what each means: core/stream/continuation.ts. */
export const continuationSchema = z.enum(["continue-final-message", "prefill", "none"]);

/** The same as a person writes it in `tideover.yaml`. */
export const continuationSpecSchema = continuationSchema.describe(
  "How it goes on with a half-given answer: continue-final-message (vLLM), prefill (last message the assistant's) or none. Default: continue-final-message with `reference`, else none.",
);

/** How a streamed answer reaches its caller: as it comes, or not before it is whole. */
export const deliverySchema = z.enum(["stream", "complete"]);
