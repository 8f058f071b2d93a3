import { Agent, type Dispatcher, request } from "undici";
import { messageOf, TideoverError } from "../../lib/errors.ts";
import type { Bulk, BulkAnswer, BulkRequest } from "../../ports/bulk.ts";

export interface HttpBulk extends Bulk {
  /** Ends what is under way. */
  close(): Promise<void>;
}

/** Longer than the wait of a long poll, so that the connection outlives it. */
const KEEP_MS = 30_000;

/** Kept connections to other agents. What breaks is asked for again by whoever asked. */
export function createHttpBulk(): HttpBulk {
  const agent = new Agent({ keepAliveTimeout: KEEP_MS, headersTimeout: 0, bodyTimeout: 0 });
  return {
    get: (asked) => get(agent, asked),
    close: () => agent.destroy(),
  };
}

async function get(agent: Agent, asked: BulkRequest): Promise<BulkAnswer> {
  // One controller and one timer of our own: signals that are made of others may be collected with
  // their timers before these fire, and then nobody ever hears of the deadline.
  const over = new AbortController();
  const late = new Error(`no answer in ${asked.timeoutMs} ms`);
  const timer = setTimeout(() => over.abort(late), asked.timeoutMs);
  const giveUp = (): void => over.abort(new Error("this agent stops"));
  asked.signal?.addEventListener("abort", giveUp, { once: true });
  if (asked.signal?.aborted === true) giveUp();
  try {
    const { statusCode, headers, body } = await request(asked.url, {
      dispatcher: agent,
      method: "GET",
      headers: asked.headers,
      signal: over.signal,
    });
    const flat = flatten(headers);
    return { status: statusCode, headers: flat, body: await bytesOf(body, asked) };
  } catch (error) {
    if (error instanceof TideoverError) throw error;
    const reason = over.signal.aborted ? messageOf(over.signal.reason) : reasonOf(error);
    throw unavailable(`${asked.who} did not answer: ${reason}`, error);
  } finally {
    clearTimeout(timer);
    asked.signal?.removeEventListener("abort", giveUp);
  }
}

async function bytesOf(
  body: Dispatcher.ResponseData["body"],
  { mostBytes, who }: BulkRequest,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    // Counted while it comes: a peer that never stops sending must not fill the memory.
    if (size > mostBytes) throw unavailable(`${who} sent more than ${mostBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const pairs = Object.entries(headers).map(([name, value]) => [name, [value].flat().join(", ")]);
  return Object.fromEntries(pairs);
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
  UND_ERR_SOCKET: "closed before the answer was complete",
  UND_ERR_DESTROYED: "this agent stops",
};

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return WORDS[code] ?? messageOf(error);
}

function unavailable(message: string, cause?: unknown): TideoverError {
  return new TideoverError(message, {
    code: "PEER_UNAVAILABLE",
    retry: "later",
    next: "Look at the named process; it is asked again by itself.",
    cause,
  });
}
