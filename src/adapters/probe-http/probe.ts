import { Client, type Dispatcher, errors } from "undici";
import { messageOf } from "../../lib/errors.ts";
import type { Probe, ProbeFailure, ProbeRequest, ProbeResponse } from "../../ports/probe.ts";

const MOST_BODY_BYTES = 4 * 1024 * 1024;

export interface HttpProbe extends Probe {
  /** Ends what is still under way; later exchanges fail with `the probe was closed`. */
  close(): Promise<void>;
}

export interface HttpProbeOptions {
  /**
   * Most exchanges at one time. One more fails at once, rather than wait in a queue and then be
   * taken for a target that did not answer. Default 256.
   */
  readonly connections?: number;
}

/**
 * Every exchange has a connection of its own, which is closed after it. A pooled one would ask a
 * wrong question: it may be dead (the probe then reports a reset of something that is well), it may
 * lead to a process that no longer listens for anyone new (the probe then reports an answer nobody
 * else can get), and its first SYN into a cut network is repeated ever more slowly, so that a target
 * that is back would be seen late. A caller that has no connection yet is what a probe stands for.
 */
export function createHttpProbe(options: HttpProbeOptions = {}): HttpProbe {
  const most = options.connections ?? 256;
  const under = new Set<Client>();
  let closed = false;

  async function exchange(request: ProbeRequest): Promise<ProbeResponse | ProbeFailure> {
    const began = performance.now();
    const failed = (reason: string): ProbeFailure => {
      return { answered: false, reason, tookMs: performance.now() - began };
    };
    if (closed) return failed("the probe was closed");
    if (under.size >= most) return failed(`more than ${most} exchanges at once`);
    const deadline = deadlineOf(request.timeoutMs);
    let client: Client | undefined;
    try {
      const url = new URL(request.url);
      client = clientFor(url, request.timeoutMs);
      under.add(client);
      // Raced, since undici hears no abort before it is connected, and a look-up may hang as well.
      const answer = await Promise.race([ask(client, url, request), deadline.passed]);
      return { answered: true, ...answer, tookMs: performance.now() - began };
    } catch (error) {
      if (closed) return failed("the probe was closed");
      return failed(inWords(error, request));
    } finally {
      deadline.cancel();
      if (client !== undefined) under.delete(client);
      // Not awaited: an attempt to connect that hangs must not hold up the answer.
      client?.destroy().catch(() => undefined);
    }
  }

  async function close(): Promise<void> {
    closed = true;
    await Promise.all([...under].map((client) => client.destroy()));
  }

  return { exchange, close };
}

class DeadlinePassed extends Error {}

/** One timer for all of it: looking up the name, connecting, the headers and the whole body. */
function deadlineOf(timeoutMs: number) {
  const { promise: passed, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new DeadlinePassed()), timeoutMs);
  return { passed, cancel: () => clearTimeout(timer) };
}

function clientFor(url: URL, timeoutMs: number): Client {
  return new Client(url.origin, {
    // Ends the attempt itself: a socket that a black hole swallowed would otherwise go on sending
    // its SYN for minutes after the answer was given, and keep the process alive.
    connectTimeout: timeoutMs,
    // Off, or the shorter of these and the deadline would end the exchange in other words.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
}

async function ask(
  client: Client,
  url: URL,
  request: ProbeRequest,
): Promise<Pick<ProbeResponse, "status" | "headers" | "body">> {
  const body = request.body === undefined ? null : JSON.stringify(request.body);
  const json = body === null ? {} : { "content-type": "application/json" };
  const response = await client.request({
    path: url.pathname + url.search,
    method: request.method ?? "GET",
    headers: { ...json, ...request.headers },
    body,
    // Says `connection: close`, so that the target does not keep a socket for a client that left.
    reset: true,
  });
  const headers = flatten(response.headers);
  return { status: response.statusCode, headers, body: await readBody(response.body) };
}

class BodyTooLarge extends Error {}

async function readBody(body: Dispatcher.ResponseData["body"]): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    // Counted while it comes: a target that never stops sending must not fill the memory.
    if (bytes > MOST_BODY_BYTES) throw new BodyTooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    flat[name.toLowerCase()] = Array.isArray(value) ? value.join(", ") : value;
  }
  return flat;
}

/** What an operator says of each way of not answering; the code is Node's or undici's. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
  UND_ERR_SOCKET: "closed before the answer was complete",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "closed before the answer was complete",
  ETIMEDOUT: "connection timed out",
  EHOSTUNREACH: "no route to the host",
  ENETUNREACH: "network unreachable",
  UND_ERR_HEADERS_OVERFLOW: "headers too large",
};

function inWords(error: unknown, request: ProbeRequest): string {
  if (error instanceof BodyTooLarge) return "body too large";
  const code = codeOf(error);
  if (error instanceof DeadlinePassed || code === "UND_ERR_CONNECT_TIMEOUT") {
    return `no answer in ${request.timeoutMs} ms`;
  }
  const host = URL.parse(request.url)?.hostname;
  if (code === "ERR_INVALID_URL" || host === undefined) return `not a URL: ${request.url}`;
  if (code === "ENOTFOUND") return `host name not found: ${host}`;
  if (code === "EAI_AGAIN") return `host name could not be looked up: ${host}`;
  if (error instanceof errors.HTTPParserError) return `not an HTTP answer: ${messageOf(error)}`;
  return (code === undefined ? undefined : WORDS[code]) ?? messageOf(error);
}

/** Of the error or of the first cause that has a code: undici wraps what the socket said. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const cause = codeOf(error.cause);
  if (cause !== undefined) return cause;
  return "code" in error && typeof error.code === "string" ? error.code : undefined;
}
