import { createServer, type IncomingMessage, ServerResponse } from "node:http";
import { Duplex } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { BadMessage } from "./message.ts";
import { readingRequests } from "./reader.ts";

/** A request, as somebody read it. */
export interface Read {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  body: string;
  isWhole: boolean;
}

export interface Reading {
  readonly requests: readonly Read[];
  /** Why it read no further; null when it would have. */
  readonly refused: { readonly status: number; readonly because: string } | null;
}

/** What our reader makes of a connection's bytes in these pieces. The pieces are spoilt behind it. */
export function weRead(pieces: readonly Buffer[]): Reading {
  const requests: Read[] = [];
  let isLast = false;
  const reader = readingRequests({
    onHead: ({ method, target, headers, keeps, wishes }) => {
      requests.push({ method, target, headers: { ...headers }, body: "", isWhole: false });
      isLast = wishes || !keeps;
    },
    onBody: (piece) => {
      const last = requests.at(-1);
      if (last !== undefined) last.body += piece.toString("latin1");
    },
  });
  try {
    for (const piece of pieces) {
      const bytes = Buffer.from(piece);
      for (let at = 0; at < bytes.length; ) {
        // As a connection does while nothing is answered yet.
        if (reader.isWhole && isLast) throw new BadMessage("bytes behind the last request");
        if (reader.isWhole) reader.begin();
        at = reader.push(bytes, at, bytes.length);
        const last = requests.at(-1);
        if (last !== undefined && reader.isWhole) last.isWhole = true;
      }
      bytes.fill("!");
    }
  } catch (error) {
    if (!(error instanceof BadMessage)) throw error;
    return { requests, refused: { status: error.status, because: error.message } };
  }
  return { requests, refused: null };
}

/** What `node:http` makes of the same. */
export async function nodeReads(pieces: readonly Buffer[]): Promise<Reading> {
  const requests: Read[] = [];
  let refused: Reading["refused"] = null;
  /** Nobody else answers: what it says is a refusal, which stands behind the requests before it. */
  class Refusing extends ServerResponse {
    override writeHead(status: number): this {
      refused ??= { status, because: "its own answer" };
      return this;
    }
  }
  const server = createServer({ ServerResponse: Refusing }, (request) =>
    requests.push(readBy(request)),
  );
  // Not destroyed yet: what was read before is still on its way to its reader.
  server.on("clientError", (error) => {
    refused ??= { status: 400, because: error.message };
  });
  const socket = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  server.emit("connection", socket);
  for (const piece of pieces) {
    if (!socket.destroyed && refused === null) socket.push(Buffer.from(piece));
    await setImmediate();
  }
  await setImmediate();
  if (socket.destroyed) refused ??= { status: 0, because: "closed" };
  socket.destroy();
  server.close();
  return { requests, refused };
}

function readBy(request: IncomingMessage): Read {
  const { method = "", url = "" } = request;
  const headers = Object.fromEntries(
    Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
  );
  const read: Read = { method, target: url, headers, body: "", isWhole: false };
  request.on("data", (piece: Buffer) => {
    read.body += piece.toString("latin1");
  });
  request.on("end", () => {
    read.isWhole = true;
  });
  // Broken off by its connection: it stays what it is.
  request.on("error", () => undefined);
  return read;
}
