/**
 * Every way of not answering, sorted by what it says about trying again.
 * - `unreached`: no connection; the upstream did no work, and will not be back in a moment.
 * - `reset`: the connection broke, as it does when an idle one is closed under a new request.
 * - `silent`: it took the request and said nothing in time.
 * - `error`: it says that it failed (5xx).
 * - `busy`: it says that it has no room (429).
 * - `denied`: it refuses us, not the caller: our key, our path, our model.
 * - `nonsense`: what came is no answer: HTML, half a JSON, nothing.
 * - `unasked`: we did not ask, to keep within a budget.
 */
export type FaultKind =
  | "unreached"
  | "reset"
  | "silent"
  | "error"
  | "busy"
  | "denied"
  | "nonsense"
  | "unasked";

export interface Fault {
  readonly kind: FaultKind;
  /** In an operator's words. */
  readonly because: string;
  /** When it wants to be asked again, in ms; null when it does not say. */
  readonly retryAfterMs: number | null;
}

/**
 * Why an upstream refuses the request itself, so that the refusal is the answer.
 * `context`: too long for this model; the same model anywhere would say the same.
 * `policy`: against the provider's rules; asking elsewhere would be shopping for a laxer judge.
 * `request`: wrong in any other way.
 */
export type Refused = "context" | "policy" | "request";

export interface Failed {
  readonly fault: Fault;
  /** Whether this target was tried again for this request already. */
  readonly triedAgain: boolean;
  /** It failed others before this request: what lasts is not waited out. */
  readonly lasting: boolean;
  /** Whether somebody else can be asked. */
  readonly others: boolean;
  /** Until the request's deadline, in ms. */
  readonly leftMs: number;
  /** 0 to below 1. */
  readonly random: number;
}

/** Ask the same one again after so many ms, or go on to the next. */
export type Next = { readonly again: true; readonly afterMs: number } | { readonly again: false };

/** What it costs to ask another: its caches are cold, it may be a continent away. */
const MOVING_MS = 500;
/** Longest wait for a busy one when there is nobody else: longer, a hold does better. */
const NOBODY_ELSE_MS = 5_000;
/** A first pause of so much, and as much again by chance: all who failed together must not return so. */
const PAUSE_MS = 50;
/** Below this nothing is begun: it could not be finished. */
const LEAST_LEFT_MS = 100;

const GO_ON: Next = { again: false };

/** One transient error is tried again in place, once; everything else moves on at once. */
export function afterFailure(failed: Failed): Next {
  const { fault, random, leftMs } = failed;
  if (failed.triedAgain) return GO_ON;
  if (fault.retryAfterMs !== null) return afterTold(failed, fault.retryAfterMs);
  if (failed.lasting || (fault.kind !== "reset" && fault.kind !== "error")) return GO_ON;
  const afterMs = PAUSE_MS * (1 + random);
  return afterMs + LEAST_LEFT_MS < leftMs ? { again: true, afterMs } : GO_ON;
}

/** Honoured where it fits the deadline and moving would cost more; never shortened. */
function afterTold({ others, leftMs, random }: Failed, toldMs: number): Next {
  const most = others ? MOVING_MS : NOBODY_ELSE_MS;
  const afterMs = toldMs + PAUSE_MS * random;
  return toldMs <= most && afterMs + LEAST_LEFT_MS < leftMs ? { again: true, afterMs } : GO_ON;
}
