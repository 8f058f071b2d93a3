import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type ErrorCode, messageOf, TideoverError } from "../lib/errors.ts";
import { NotOwnerError } from "./owning.ts";

const STATUS: Partial<Record<ErrorCode, number>> = {
  USAGE: 400,
  CORPUS_INVALID: 400,
  UNAUTHORIZED: 401,
  NOT_FOUND: 404,
  EPOCH_STALE: 409,
  INDEX_DIVERGED: 409,
  NOT_READY: 503,
  STORE_UNAVAILABLE: 503,
  INDEX_UNAVAILABLE: 503,
  INDEX_CORRUPT: 503,
  INDEX_QUARANTINED: 503,
  PEER_UNAVAILABLE: 503,
  RELEASE_INVALID: 503,
};

/** What the caller did wrong with the request itself. */
export class RequestError extends TideoverError {
  readonly status: number;

  constructor(status: number, message: string, next: string) {
    super(message, { code: status === 401 ? "UNAUTHORIZED" : "USAGE", next });
    this.status = status;
  }
}

/**
 * Whether a header is `Bearer <token>`. Digests are compared, in constant time: the time that a
 * plain comparison takes tells how many leading characters of a guess were right.
 */
export function isBearer(header: string | undefined, token: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(header ?? ""), digest(`Bearer ${token}`));
}

/** The body as JSON; `{}` when empty. Throws RequestError 413 above the limit, 400 on bad JSON. */
export async function readJson(request: IncomingMessage, limitBytes: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limitBytes) {
      throw new RequestError(
        413,
        `the body is larger than ${limitBytes} bytes`,
        "Send less at once.",
      );
    }
    chunks.push(chunk);
  }
  if (size === 0) return {};
  try {
    // fatal: half a character would become U+FFFD, and be stored as if the source had said so.
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)));
  } catch (error) {
    throw new RequestError(400, `the body is no JSON: ${messageOf(error)}`, "Send JSON in UTF-8.");
  }
}

/** An answer that is no JSON. */
export class Bytes {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;

  constructor(body: Buffer, headers: Readonly<Record<string, string>>) {
    this.body = body;
    this.headers = headers;
  }
}

export function sendBytes(response: ServerResponse, { body, headers }: Bytes): void {
  response.writeHead(200, { ...headers, "content-length": body.length });
  response.end(body);
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": body.length,
    ...(status === 503 ? { "retry-after": "1" } : {}),
    // The rest of a body that was not read would be taken for the next request.
    ...(status === 413 ? { connection: "close" } : {}),
  });
  response.end(body);
}

/** `{ error: { code, message, next } }`, with the owner where a write belongs elsewhere. */
export function sendError(response: ServerResponse, error: unknown): void {
  const known = error instanceof TideoverError ? error : null;
  const status =
    error instanceof RequestError ? error.status : (STATUS[known?.code ?? "USAGE"] ?? 500);
  const owner = error instanceof NotOwnerError ? { owner: error.owner } : {};
  sendJson(response, known === null ? 500 : status, {
    error: {
      code: known?.code ?? "UNEXPECTED",
      message: messageOf(error),
      next: known?.next ?? "Look into the agent's log.",
      ...owner,
    },
  });
}
