import type { ServerResponse } from "node:http";
import type { StreamedAnswer, StreamPart, WholeAnswer } from "./chain/call.ts";

/** Longer bodies are not copied to stand behind their headers. */
const ONE_PIECE_BYTES = 64 * 1024;

/** Writes an answer. Resolves when it is handed to the socket, or when the caller is gone. */
export async function reply(
  response: ServerResponse,
  answer: WholeAnswer | StreamedAnswer,
): Promise<void> {
  if (answer.kind === "stream") await replyStream(response, answer);
  else if (!response.destroyed) replyWhole(response, answer);
}

function replyWhole(response: ServerResponse, { status, headers, body }: WholeAnswer): void {
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const list = listed(headers);
  list.push("content-length", String(bytes.length));
  response.writeHead(status, list);
  // For HEAD, node sends the headers of this body and leaves the body out. As text of single bytes,
  // the body goes out in one piece with the headers; as a buffer it would be a second one.
  if (bytes.length > ONE_PIECE_BYTES) response.end(bytes);
  else response.end(bytes.toString("latin1"), "latin1");
}

/** Names and values in turn: what node makes of an object anyway. */
function listed(headers: WholeAnswer["headers"]): string[] {
  const list: string[] = [];
  for (const name in headers) list.push(name, headers[name] ?? "");
  return list;
}

async function replyStream(response: ServerResponse, answer: StreamedAnswer): Promise<void> {
  let framed: Framing = asItIs;
  if (!response.destroyed) {
    // Proxies that buffer would turn the stream into one late block.
    response.writeHead(answer.status, { ...answer.headers, "x-accel-buffering": "no" });
    response.flushHeaders();
    framed = takeFraming(response);
  }
  for await (const part of answer.parts) {
    // Leaving the loop closes the parts, and with them the upstream.
    if (response.destroyed) return;
    if (part.end !== null) return endStream(response, part, framed);
    if (!response.write(framed(part.text))) await writable(response);
  }
}

function endStream(response: ServerResponse, { text, end }: StreamPart, framed: Framing): void {
  if (end?.outcome === "complete") {
    response.end(framed(text) + framed(""));
    return;
  }
  // No terminating chunk after a cut: a client that overlooks the error event still sees a broken
  // transfer. `destroySoon` closes only after what was written is on its way.
  response.write(framed(text), () => response.socket?.destroySoon());
}

/** Text as it goes out; "" is the end of the body. */
type Framing = (text: string) => string;

const asItIs: Framing = (text) => text;
const asChunk: Framing = (text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

/**
 * Frames the body's chunks ourselves where node would do it: node writes a chunk as four pieces,
 * which for an event of a stream costs more than all else that is done with it.
 */
function takeFraming(response: ServerResponse): Framing {
  if (!response.chunkedEncoding) return asItIs;
  response.chunkedEncoding = false;
  return asChunk;
}

/** Until the caller has taken what was written, or is gone. */
function writable(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.on("drain", done);
    response.on("close", done);
  });
}
