import { errorBodyOf } from "../../wire/errors.ts";
import type { Facts, WholeAnswer } from "./call.ts";

export interface Refusal {
  readonly status: number;
  /** A stable word for programs. */
  readonly code: string;
  /** What is wrong, with which value, and what to do next. */
  readonly message: string;
  readonly param?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly facts?: Partial<Facts>;
}

/** An error answer of OpenAI's shape. */
export function refuse(refusal: Refusal): WholeAnswer {
  const { status, code, message, param = null, headers = {}, facts = {} } = refusal;
  return {
    kind: "whole",
    status,
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(errorBodyOf(status, { message, param, code })),
    facts,
  };
}

export function json(status: number, body: unknown): WholeAnswer {
  return {
    kind: "whole",
    status,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    facts: {},
  };
}

/** Both spellings: SDKs prefer the exact one, other clients know only whole seconds. */
export function retryAfter(ms: number): Record<string, string> {
  return {
    "retry-after-ms": String(Math.ceil(ms)),
    "retry-after": String(Math.max(1, Math.ceil(ms / 1_000))),
  };
}
