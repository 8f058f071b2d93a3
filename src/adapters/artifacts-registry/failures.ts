import { messageOf, TideoverError } from "../../lib/errors.ts";

/** Where an error happened: the repository's address, in the words of a message. */
export function unavailable(where: string, what: string, cause?: unknown): TideoverError {
  return new TideoverError(`the registry ${where} cannot be used: ${what}`, {
    code: "ARTIFACTS_UNAVAILABLE",
    retry: "later",
    next: "Look at the registry, and at the network between. What was copied so far is kept.",
    cause,
  });
}

export function unauthorized(where: string, what: string, authEnv: string | undefined) {
  const next =
    authEnv === undefined
      ? "Name an environment variable with `user:password` or a token (--auth-env, or `authEnv` in the spec)."
      : `Look at what the environment variable ${authEnv} holds: \`user:password\`, or a token.`;
  return new TideoverError(`the registry ${where} lets us not in: ${what}`, {
    code: "UNAUTHORIZED",
    next,
  });
}

/** Whatever undici or the network threw; our own errors are given back as they are. */
export function asUnavailable(where: string, error: unknown): TideoverError {
  if (error instanceof TideoverError) return error;
  return unavailable(where, causeOf(error), error);
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was reset",
  ENOTFOUND: "its host name is not found",
  UND_ERR_SOCKET: "the connection was closed before the answer was complete",
  UND_ERR_CONNECT_TIMEOUT: "no connection in time",
  UND_ERR_HEADERS_TIMEOUT: "no answer in time",
  UND_ERR_BODY_TIMEOUT: "the answer stopped coming",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the answer ended too early",
};

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return messageOf(error);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const words = WORDS[code];
  if (words !== undefined) return words;
  return error.cause === undefined ? messageOf(error) : causeOf(error.cause);
}

export function missing(what: string, where: string): TideoverError {
  return new TideoverError(`${what} is not in ${where}`, {
    code: "ARTIFACT_MISSING",
    retry: "later",
    next: "Push it there first: `tideover artifacts copy FROM TO`.",
  });
}
