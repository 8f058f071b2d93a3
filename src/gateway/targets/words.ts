import { messageOf } from "../../lib/errors.ts";

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EPIPE: "connection reset",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ETIMEDOUT: "no connection in time",
  ENOTFOUND: "its name has no address",
  EAI_AGAIN: "its name could not be looked up",
  UND_ERR_CONNECT_TIMEOUT: "no connection in time",
  UND_ERR_SOCKET: "connection reset",
  UND_ERR_BODY_TIMEOUT: "its answer stalled",
};

const NEVER_REACHED: readonly string[] = [
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
];

/** Whether an upstream may have got the request, and so may have worked on it. */
export function mayHaveReached(error: unknown): boolean {
  return !NEVER_REACHED.includes(codeOf(error));
}

/** Why an exchange ended early, in an operator's words. An aborted `signal` says it itself. */
export function inWords(error: unknown, signal?: AbortSignal): string {
  if (signal?.aborted === true) return messageOf(signal.reason);
  return WORDS[codeOf(error)] ?? messageOf(error);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
