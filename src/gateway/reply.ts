import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { StreamedAnswer, StreamPart, WholeAnswer } from "./chain/call.ts";

/** Longer bodies are not copied to stand behind their headers. */
const ONE_PIECE_BYTES = 64 * 1024;

/**
 * Writes an answer. A whole one is handed to the socket at once; for a stream the promise resolves
 * when all of it is, or when the caller is gone.
 */
export function reply(
  response: ServerResponse,
  answer: WholeAnswer | StreamedAnswer,
): Promise<void> | undefined {
  if (answer.kind === "stream") return replyStream(response, answer);
  if (!response.destroyed) replyWhole(response, answer);
  return undefined;
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
  let socket: Socket | null = null;
  if (!response.destroyed) {
    // Proxies that buffer would turn the stream into one late block.
    response.writeHead(answer.status, { ...answer.headers, "x-accel-buffering": "no" });
    response.flushHeaders();
    socket = takeSocket(response);
  }
  for await (const part of answer.parts) {
    // Leaving the loop closes the parts, and with them the upstream.
    if (response.destroyed) return;
    if (part.end !== null) return endStream(response, part, socket !== null);
    const taken = socket === null ? response.write(part.text) : writeChunk(socket, part.text);
    if (!taken) await writable(response, socket ?? response);
  }
}

function endStream(response: ServerResponse, { text, end }: StreamPart, framed: boolean): void {
  if (end?.outcome === "complete") {
    response.end(framed ? chunk(text) + LAST_CHUNK : text);
    return;
  }
  // No terminating chunk after a cut: a client that overlooks the error event still sees a broken
  // transfer. `destroySoon` closes only after what was written is on its way.
  response.write(framed ? chunk(text) : text, () => response.socket?.destroySoon());
}

/**
 * The socket, for events that are framed and written by ourselves. Node would write a chunk as four
 * pieces and hold each for a turn in case more comes, which for an event of a stream costs more than
 * all else that is done with it. Null where that cannot be: an older HTTP has no chunks, and behind
 * another answer on its connection this one has no socket yet.
 */
function takeSocket(response: ServerResponse): Socket | null {
  const { socket } = response;
  if (!response.chunkedEncoding || socket === null) return null;
  response.chunkedEncoding = false;
  return socket;
}

function writeChunk(socket: Socket, text: string): boolean {
  // As a chunk, nothing would be the end.
  if (text === "") return true;
  const bytes = Buffer.byteLength(text);
  // Text of as many bytes as characters is ASCII, which latin1 writes the same and sooner.
  const encoding = bytes === text.length ? "latin1" : "utf8";
  return socket.write(`${bytes.toString(16)}\r\n${text}\r\n`, encoding);
}

function chunk(text: string): string {
  return text === "" ? "" : `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

const LAST_CHUNK = "0\r\n\r\n";

/** Until the caller has taken what was written, or is gone. */
function writable(response: ServerResponse, written: Socket | ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      written.off("drain", done);
      response.off("close", done);
      resolve();
    };
    written.on("drain", done);
    response.on("close", done);
  });
}
