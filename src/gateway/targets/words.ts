import { messageOf } from "../../lib/errors.ts";
import type { FaultKind } from "./fault.ts";

const UNREACHED: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ETIMEDOUT: "no connection in time",
  ENOTFOUND: "its name has no address",
  EAI_AGAIN: "its name could not be looked up",
};

const RESET: Readonly<Record<string, string>> = {
  ECONNRESET: "connection reset",
  EPIPE: "connection reset",
};

/** OpenSSL's, Node's and those of certificates: the handshake failed, so nothing was sent. */
const TLS =
  /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH)|EPROTO/;

export interface Told {
  readonly kind: FaultKind;
  readonly because: string;
  /** Whether an upstream may have got the request, and so may have worked on it. */
  readonly reached: boolean;
}

/** Why an exchange ended early, in an operator's words. `reason`: why we ended it; null if not we. */
export function faultOfError(error: unknown, reason: unknown): Told {
  if (reason !== null) return { kind: "silent", because: messageOf(reason), reached: true };
  const code = codeOf(error);
  const because = inWords(error);
  if (UNREACHED[code] !== undefined || TLS.test(code))
    return { kind: "unreached", because, reached: false };
  if (RESET[code] !== undefined) return { kind: "reset", because, reached: true };
  return { kind: "nonsense", because, reached: true };
}

/** The same without its kind. */
export function inWords(error: unknown): string {
  const code = codeOf(error);
  if (TLS.test(code)) return `TLS failed (${code})`;
  return UNREACHED[code] ?? RESET[code] ?? messageOf(error);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
