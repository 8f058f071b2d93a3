import { z } from "zod";

/** How a model's server goes on with a half-given answer; what each means: core/stream/continuation.ts. */
export const continuationSchema = z.enum(["continue-final-message", "prefill", "none"]);

/** How a streamed answer reaches its caller: as it comes, or not before it is whole. */
export const deliverySchema = z.enum(["stream", "complete"]);
