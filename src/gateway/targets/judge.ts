import { isAscii } from "node:buffer";
import { type TokenCount, tokenCount } from "../../core/stream/frame.ts";
import type { Exchanged } from "./exchange.ts";
import type { Fault, Refused } from "./fault.ts";
import { retryAfterMs } from "./retry-after.ts";

/**
 * What an exchange means. An error can be about the caller's request, and is then its answer,
 * wherever it is asked; or about this target, and then another may do better.
 */
export type Verdict =
  | {
      readonly kind: "answer";
      readonly told: Answered;
      /** Of a whole answer, as it came: as text where its bytes are its characters. */
      readonly body: Buffer | string;
      readonly usage: TokenCount | null;
    }
  | {
      readonly kind: "refused";
      readonly why: Refused;
      readonly status: number;
      /** Its own words for it, in OpenAI's shape. */
      readonly body: Buffer | string;
    }
  | { readonly kind: "failed"; readonly fault: Fault };

export type Answered = Exclude<Exchanged, { kind: "failed" }>;

type Fields = Readonly<Record<string, unknown>>;

/** The caller wrote none of these: the target's key, path, model or money is what is wrong. */
const DENIED: readonly number[] = [401, 402, 403, 404, 405, 421];
/** It would have answered at another moment. */
const PASSING: readonly number[] = [408, 425];
const DENIED_CODES: readonly string[] = [
  "insufficient_quota",
  "billing_hard_limit_reached",
  "model_not_found",
  "invalid_api_key",
];

const CONTEXT_CODES =
  /^(context_length_exceeded|context_window_exceeded|exceed_context_size_error)$/;
/** vLLM, llama.cpp, Anthropic and Gemini behind OpenAI's shape give no code for it. */
const CONTEXT_WORDS =
  /maximum context length|context (length|window|size) (is )?exceeded|exceeds the (available )?context|prompt is too long|input token count .* exceeds/i;
const POLICY_CODES =
  /^(content_policy_violation|content_filter|moderation_blocked|content_policy|responsibleaipolicyviolation|safety_violation)$/i;

export function judgeChat(exchanged: Exchanged, streamed: boolean, nowMs: number): Verdict {
  if (exchanged.kind === "failed") return judgeFailure(exchanged);
  if (exchanged.kind === "stream") {
    return streamed
      ? { kind: "answer", told: exchanged, body: "", usage: null }
      : failed("nonsense", "a stream, though a whole answer was asked for");
  }
  // Read once: what reads it further on would each make a text of it.
  const text = isAscii(exchanged.body) ? exchanged.body.toString("latin1") : null;
  const body = parse(text ?? exchanged.body);
  const error = errorOf(body);
  const why = error === null ? null : meaningOf(error);
  if (why !== null) {
    return { kind: "refused", why, status: asRefusal(exchanged.status), body: exchanged.body };
  }
  const { status } = exchanged;
  return (
    judgeStatus(status, error, retryAfterMs(exchanged.headers, nowMs)) ??
    (error === null
      ? judgeAnswer(exchanged, text ?? exchanged.body, body, streamed)
      : { kind: "refused", why: "request", status, body: exchanged.body })
  );
}

/** A stream may begin with an error event that is meant for the caller. */
function judgeFailure(exchanged: Exchanged & { kind: "failed" }): Verdict {
  const { event = null } = exchanged;
  const error = event === null ? null : errorOf(parse(event));
  const why = error === null ? null : meaningOf(error);
  if (why !== null && error !== null) {
    return { kind: "refused", why, status: 400, body: JSON.stringify({ error }) };
  }
  return failed(exchanged.fault, exchanged.because);
}

function judgeStatus(
  status: number,
  error: Fields | null,
  toldMs: number | null,
): (Verdict & { kind: "failed" }) | null {
  const denied = DENIED_CODES.includes(String(error?.code));
  if (DENIED.includes(status) || (denied && status >= 400)) {
    return failed("denied", `status ${status}${error === null ? "" : codeWords(error)}`);
  }
  if (status === 429) return failed("busy", "status 429", toldMs);
  if (status >= 500 || PASSING.includes(status)) return failed("error", `status ${status}`, toldMs);
  if (status < 400 && error !== null) return failed("error", `status ${status} with an error`);
  if (status >= 400 && error === null) return failed("nonsense", `status ${status} of no API`);
  return null;
}

function judgeAnswer(
  told: Answered,
  body: Buffer | string,
  fields: Fields | null,
  streamed: boolean,
): Verdict {
  const { status } = told;
  if (status !== 200 || streamed || fields === null || !isWhole(fields.choices)) {
    return failed("nonsense", `status ${status} without a chat completion`);
  }
  return { kind: "answer", told, body, usage: tokenCount(fields.usage) };
}

/** What an error says of the request itself, wherever it is asked; null when nothing. */
function meaningOf(error: Fields): "context" | "policy" | null {
  const inner = isFields(error.innererror) ? error.innererror.code : undefined;
  const codes = [error.code, error.type, inner].map(String);
  if (codes.some((code) => POLICY_CODES.test(code))) return "policy";
  if (codes.some((code) => CONTEXT_CODES.test(code))) return "context";
  return CONTEXT_WORDS.test(String(error.message)) ? "context" : null;
}

/** Some servers send a refusal with 200 or 500: a client would take it for an answer or try again. */
function asRefusal(status: number): number {
  return status >= 400 && status < 500 && status !== 429 ? status : 400;
}

function failed(kind: Fault["kind"], because: string, toldMs: number | null = null) {
  return { kind: "failed", fault: { kind, because, retryAfterMs: toldMs } } as const;
}

function codeWords({ code }: Fields): string {
  return typeof code === "string" && /^[\w-]{1,60}$/.test(code) ? `, ${code}` : "";
}

function errorOf(body: Fields | null): Fields | null {
  const error = body?.error;
  return isFields(error) ? error : null;
}

function isWhole(choices: unknown): boolean {
  if (!Array.isArray(choices) || choices.length === 0) return false;
  return choices.every((choice) => {
    const finish: unknown = choice?.finish_reason;
    return typeof finish === "string" && finish !== "error" && isFields(choice.message);
  });
}

function parse(text: Buffer | string): Fields | null {
  try {
    const value: unknown = JSON.parse(text.toString());
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
