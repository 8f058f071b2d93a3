import { limitsOf } from "../../model/release-policy.ts";
import { type Judgement, NO_KEY, type ReadinessCheck } from "./check.ts";

const LIMIT_HEADER = "x-ratelimit-limit-requests";

/** The release's limit of requests is in force. */
export const rateLimitCheck: ReadinessCheck = {
  name: "rate-limit",
  restMs: 0,
  applies: ({ world }) => world.release !== null,
  required: () => true,
  async check({ world, workflow, canary }) {
    const asked = await canary();
    if (asked === null) return NO_KEY;
    const body = world.release?.body;
    const expected = body ? limitsOf(body, workflow, asked.question.tenant).requestsPerMinute : 0;
    const { headers, failure } = asked.answer;
    return judgeRateLimit(expected, { failure, header: headers[LIMIT_HEADER] ?? null });
  },
};

export interface ObservedLimit {
  readonly failure: string | null;
  /** The gateway's header; null when it sent none. */
  readonly header: string | null;
}

export function judgeRateLimit(expected: number, { failure, header }: ObservedLimit): Judgement {
  if (failure !== null) return { pass: false, evidence: `the canary was not answered: ${failure}` };
  if (header === null) return { pass: false, evidence: "the gateway announces no rate limit" };
  const pass = header.trim() === String(expected);
  const evidence = pass
    ? `${expected} requests per minute are in force`
    : `${header} requests per minute are in force, the release says ${expected}`;
  return { pass, evidence };
}
