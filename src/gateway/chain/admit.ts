import { limitsOf } from "../../model/release-policy.ts";
import type { ChatRequest } from "../../wire/openai.ts";
import type { Taken } from "../limits.ts";
import type { Tools } from "../options.ts";
import { type Link, placed } from "./call.ts";
import { refuse, retryAfter } from "./refuse.ts";

/**
 * What the release's policy allows: so many requests a minute per tenant and workflow in this
 * gateway, so many tokens an answer. Without a release there is no policy and no limit.
 */
export function admit(tools: Tools): Link {
  return (next) => (call) => {
    const { release } = call.snapshot;
    if (release === null) return next(call);
    const { workflow, tenant } = placed(call);
    const policy = limitsOf(release, workflow, tenant);
    const perMinute = policy.requestsPerMinute;
    // Proofs of readiness ask with tenants' keys: on a bucket of their own, they use up nobody's.
    const bucket = `${call.readiness ? "readiness" : "requests"}/${tenant}/${workflow}`;
    // A held request comes by again; it was admitted once and must not pay for every round.
    const taken = tools.limits.take(bucket, perMinute, call.ticket.admitted ? 0 : 1);
    if (!taken.ok) return refuse(tooMany(tenant, workflow, perMinute, taken));
    call.ticket.admitted = true;
    // Vectors have no length to cap.
    const request = call.request && capTokens(call.request, policy.maxOutputTokens);
    call.known.limits = limitHeaders(perMinute, taken);
    return next({ ...call, request });
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
