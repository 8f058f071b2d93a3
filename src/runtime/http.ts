import type { IncomingMessage, ServerResponse } from "node:http";
import { messageOf } from "../lib/errors.ts";
import { errorBodyOf } from "../wire/errors.ts";
import type { RequestFault } from "../wire/parse-request.ts";

/** Reading bodies and writing answers: what every endpoint of the runtime needs of HTTP. */

export const MAX_BODY_BYTES = 10 * 1024 * 1024;
/** Read and thrown away of a body that is too large, so that the sender can hear the refusal. */
const MAX_DISCARDED_BYTES = 64 * 1024 * 1024;

/** A request that gets an OpenAI error body instead of an answer. */
export class Refusal extends Error {
  readonly status: number;
  readonly param: string | null;
  readonly code: string | null;

  constructor(status: number, message: string, code: string | null, param: string | null = null) {
    super(message);
    this.name = "Refusal";
    this.status = status;
    this.param = param;
    this.code = code;
  }
}

export function refusalOf(fault: RequestFault): Refusal {
  return new Refusal(400, fault.message, fault.code, fault.param);
}

/**
 * The whole body. Throws a Refusal (413) above `MAX_BODY_BYTES`.
 *
 * A body that is too large is still read to its end, within reason: answering and hanging up while
 * the caller is sending makes its system report a broken connection, and the 413 is never seen.
 */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  let kept: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) kept.push(chunk);
    else kept = [];
    if (size > MAX_BODY_BYTES + MAX_DISCARDED_BYTES) break;
  }
  if (size <= MAX_BODY_BYTES) return Buffer.concat(kept);
  const message = `The body is larger than ${MAX_BODY_BYTES} bytes. Send less text in one request.`;
  throw new Refusal(413, message, "request_too_large");
}

/** The JSON value of a body. Throws a Refusal (400) when it is not UTF-8 or not JSON. */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch (error) {
    // Only the decoder throws a TypeError: bytes replaced silently would change the question.
    const what = error instanceof TypeError ? "is not valid UTF-8" : "is not valid JSON";
    const detail = error instanceof TypeError ? "" : `: ${messageOf(error).slice(0, 200)}`;
    throw new Refusal(400, `The request body ${what}${detail}.`, "invalid_body");
  }
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  send(response, status, "application/json; charset=utf-8", JSON.stringify(body));
}

export function send(
  response: ServerResponse,
  status: number,
  contentType: string,
  text: string,
): void {
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** Answers with what went wrong; never with a stack trace. */
export function sendFault(response: ServerResponse, error: unknown): void {
  // Half an answer is out already: cutting the connection is the only way left to say "broken".
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error instanceof Refusal) {
    const { message, param, code } = error;
    if (error.status === 413) response.setHeader("connection", "close");
    sendJson(response, error.status, errorBodyOf(error.status, { message, param, code }));
    return;
  }
  const message = `The runtime failed inside: ${messageOf(error)}`;
  sendJson(response, 500, errorBodyOf(500, { message, code: "internal_error" }));
}

/** Aborts when the caller hangs up before the answer is out. */
export function signalOfCaller(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  const check = (): void => {
    if (!response.writableFinished) controller.abort();
  };
  if (response.closed) check();
  else response.once("close", check);
  return controller.signal;
}
