import { createServer, type Socket } from "node:net";
import { chunk, completion, sse } from "./upstream.ts";

/** One request that arrived, whole. */
export interface RawAsked {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** Resolves when its connection is closed, by whomever. */
  readonly closed: Promise<void>;
}

/** What is done to one request's connection, byte by byte. */
export type RawAnswer = (socket: Socket, asked: RawAsked) => void;

/** A server below HTTP: it can break every rule that `node:http` keeps. */
export interface RawUpstream {
  readonly url: string;
  /** The same address for those who expect TLS there. */
  readonly tlsUrl: string;
  readonly asked: RawAsked[];
  /** How often it was asked for a sign of life, which is no request. */
  probed: number;
  /** The answer to that. */
  alive: RawAnswer;
  /** Connections, also those over which nothing was asked. */
  connections: number;
  /** Answers to the next requests, in order; after the last one it answers soundly. */
  script: RawAnswer[];
  /** The answer to every request that the script says nothing of. */
  otherwise: RawAnswer;
  close(): Promise<void>;
}

export async function startRaw(name: string): Promise<RawUpstream> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    upstream.connections += 1;
    sockets.add(socket);
    const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
    readRequests(socket, (method, path, body) => {
      const asked = { path, body, closed };
      if (method === "GET") {
        upstream.probed += 1;
        upstream.alive(socket, asked);
        return;
      }
      upstream.asked.push(asked);
      (upstream.script.shift() ?? upstream.otherwise)(socket, asked);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const upstream: RawUpstream = {
    url: `http://127.0.0.1:${port}`,
    tlsUrl: `https://127.0.0.1:${port}`,
    asked: [],
    probed: 0,
    alive: whole(404, "{}"),
    connections: 0,
    script: [],
    otherwise: sound(`the answer of ${name}`),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return upstream;
}

type OnRequest = (method: string, path: string, body: RawAsked["body"]) => void;

function readRequests(socket: Socket, onRequest: OnRequest): void {
  let held: Buffer = Buffer.alloc(0);
  socket.on("data", (piece: Buffer) => {
    // The first byte of a TLS greeting: a server without TLS answers it as what it is, no HTTP.
    if (held.length === 0 && piece[0] === 0x16) {
      socket.end(head(400, { connection: "close" }));
      return;
    }
    held = Buffer.concat([held, piece]);
    for (;;) {
      const end = held.indexOf("\r\n\r\n");
      if (end === -1) return;
      const head = held.subarray(0, end).toString("latin1");
      const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      if (held.length < end + 4 + length) return;
      const body = held.subarray(end + 4, end + 4 + length).toString("utf8");
      held = held.subarray(end + 4 + length);
      const [method = "", path = ""] = head.split(" ");
      onRequest(method, path, body === "" ? {} : JSON.parse(body));
    }
  });
}

/** An address where nothing listens. */
export async function refusedUrl(): Promise<string> {
  const raw = await startRaw("nobody");
  await raw.close();
  return raw.url;
}

/** Linux refuses TCP to a multicast address without sending anything: the network is unreachable. */
export const UNREACHABLE_URL = "http://224.0.0.1:9";
/** A label is 63 characters at most, so that no resolver finds this, and none asks the network. */
export const NAMELESS_URL = `http://${"n".repeat(64)}.invalid:9`;

/** Bytes as they are; the connection stays open. */
export function bytes(text: string): RawAnswer {
  return (socket) => void socket.write(text);
}

export function whole(
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): RawAnswer {
  const lines = { "content-type": "application/json", ...headers };
  return bytes(
    `${head(status, { ...lines, "content-length": String(Buffer.byteLength(body)) })}${body}`,
  );
}

export function errors(
  status: number,
  error: Readonly<Record<string, unknown>> = { message: "x" },
  headers: Readonly<Record<string, string>> = {},
): RawAnswer {
  return whole(status, JSON.stringify({ error }), headers);
}

/** Whole or streamed, as asked. */
export function sound(text: string): RawAnswer {
  return (socket, asked) => {
    if (asked.body.stream !== true) {
      whole(200, JSON.stringify(completion(text)))(socket, asked);
      return;
    }
    const events = [chunk({ role: "assistant", content: text }), chunk({}, "stop"), "[DONE]"];
    const body = events.map(sse).join("");
    const length = String(Buffer.byteLength(body));
    socket.write(`${head(200, { ...EVENT_STREAM, "content-length": length })}${body}`);
  };
}

/** Takes the request and says nothing. */
export const accepts: RawAnswer = () => undefined;

export const resets: RawAnswer = (socket) => void socket.resetAndDestroy();

/** Headers of what was asked for, and then nothing. */
export const headersOnly: RawAnswer = (socket, asked) => {
  socket.write(head(200, { ...typeOf(asked), "transfer-encoding": "chunked" }));
};

/** A sound answer, later. */
export function late(text: string, ms: number): RawAnswer {
  return (socket, asked) => {
    const timer = setTimeout(() => sound(text)(socket, asked), ms);
    socket.on("close", () => clearTimeout(timer));
  };
}

/** The first event at once when `begun`; then one byte each `ms`, of an event that never ends. */
export function drips(ms: number, begun: boolean): RawAnswer {
  return (socket, asked) => {
    socket.write(head(200, { ...typeOf(asked), "transfer-encoding": "chunked" }));
    if (begun) writeChunk(socket, sse(chunk({ role: "assistant", content: "Half an " })));
    writeChunk(socket, asked.body.stream === true ? "data: " : "{");
    const timer = setInterval(() => writeChunk(socket, " "), ms);
    socket.on("close", () => clearInterval(timer));
  };
}

/** As fast as the other side reads, without end and without a line end. */
export const floods: RawAnswer = (socket, asked) => {
  socket.write(head(200, { ...typeOf(asked), "transfer-encoding": "chunked" }));
  const text = "x".repeat(64 * 1024);
  const more = (): void => {
    while (!socket.destroyed && writeChunk(socket, text));
  };
  socket.on("drain", more);
  more();
};

/** One chunk of a body whose length was not told; false when the other side reads too slowly. */
export function writeChunk(socket: Socket, text: string): boolean {
  return socket.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
}

const EVENT_STREAM = { "content-type": "text/event-stream" };

function typeOf({ body }: RawAsked) {
  return body.stream === true ? EVENT_STREAM : { "content-type": "application/json" };
}

/** Status line and headers, up to the empty line. */
export function head(status: number, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} Whatever\r\n${lines.join("")}\r\n`;
}
