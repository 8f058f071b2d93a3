import { limitsOf } from "../../model/release-policy.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ChatRequest } from "../../wire/openai.ts";
import type { Tools } from "../options.ts";
import { type Link, placed, withHeaders } from "./call.ts";
import { refuse, retryAfter } from "./refuse.ts";

/**
 * What the release's policy allows: so many requests a minute per tenant and workflow in this
 * gateway, so many tokens an answer. Without a release there is no policy and no limit.
 */
export function admit(tools: Tools): Link {
  const buckets = new Buckets(tools.clock);
  return (next) => async (call) => {
    const { release } = call.snapshot;
    if (release === null) return next(call);
    const { workflow, tenant } = placed(call);
    const policy = limitsOf(release, workflow, tenant);
    const perMinute = policy.requestsPerMinute;
    // Proofs of readiness ask with tenants' keys: on a bucket of their own, they use up nobody's.
    const bucket = `${call.readiness ? "readiness" : "requests"}/${tenant}/${workflow}`;
    // A held request comes by again; it was admitted once and must not pay for every round.
    const taken = buckets.take(bucket, perMinute, call.ticket.admitted ? 0 : 1);
    if (!taken.ok) return refuse(tooMany(tenant, workflow, perMinute, taken));
    call.ticket.admitted = true;
    // Vectors have no length to cap.
    const request = call.request && capTokens(call.request, policy.maxOutputTokens);
    return withHeaders(await next({ ...call, request }), limitHeaders(perMinute, taken));
  };
}

/** The lower of what was asked for and what the policy allows. */
function capTokens(request: ChatRequest, most: number): ChatRequest {
  const { max_tokens: old, max_completion_tokens: asked } = request;
  if (typeof asked === "number") {
    const cap = { max_completion_tokens: Math.min(asked, most) };
    return typeof old === "number"
      ? { ...request, ...cap, max_tokens: Math.min(old, most) }
      : { ...request, ...cap };
  }
  return { ...request, max_tokens: Math.min(old ?? most, most) };
}

interface Taken {
  readonly ok: boolean;
  readonly remaining: number;
  /** Until one more request is allowed; 0 when one is. */
  readonly nextMs: number;
  /** Until the bucket is full. */
  readonly fullMs: number;
}

interface Bucket {
  tokens: number;
  at: number;
}

/** Token buckets of one minute's requests: a burst may use them all, then they refill evenly. */
class Buckets {
  readonly #clock: Clock;
  /** As many as tenants times workflows, twice: both are known names, so a caller cannot grow it. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take(name: string, perMinute: number, cost: number): Taken {
    const now = this.#clock.monotonic();
    const before = this.#buckets.get(name) ?? { tokens: perMinute, at: now };
    const perMs = perMinute / 60_000;
    // A new release may have lowered the limit: what was saved above it is gone.
    const saved = Math.min(perMinute, before.tokens + (now - before.at) * perMs);
    const ok = saved >= cost;
    const tokens = ok ? saved - cost : saved;
    this.#buckets.set(name, { tokens, at: now });
    return {
      ok,
      remaining: Math.floor(tokens),
      nextMs: Math.max(0, (1 - tokens) / perMs),
      fullMs: (perMinute - tokens) / perMs,
    };
  }
}

function tooMany(tenant: string, workflow: string, perMinute: number, taken: Taken) {
  return {
    status: 429,
    code: "rate_limit_exceeded",
    message: `Rate limit reached for ${tenant} on ${workflow}: ${perMinute} requests per minute. Try again in ${Math.ceil(taken.nextMs)} ms.`,
    headers: { ...limitHeaders(perMinute, taken), ...retryAfter(taken.nextMs) },
  } as const;
}

/** Named as OpenAI names them. */
function limitHeaders(perMinute: number, taken: Taken): Record<string, string> {
  return {
    "x-ratelimit-limit-requests": String(perMinute),
    "x-ratelimit-remaining-requests": String(taken.remaining),
    "x-ratelimit-reset-requests": `${Math.ceil(taken.fullMs)}ms`,
  };
}
