import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** One request that a fake upstream got. */
export interface Asked {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Record<string, unknown>;
  /** The sender's port: equal for two requests over one connection. */
  readonly port: number | undefined;
  /** Resolves when its connection, or its exchange, is over. */
  readonly over: Promise<void>;
}

export type Behaviour = (asked: Asked, response: ServerResponse) => void | Promise<void>;

export interface FakeUpstream {
  readonly name: string;
  readonly url: string;
  readonly asked: Asked[];
  /** Requests to one path. */
  askedAt(path: string): Asked[];
  /** Resolves with the next request to the path. */
  next(path: string): Promise<Asked>;
  /** From now on, chat requests are answered so. */
  chat: Behaviour;
  embeddings: Behaviour;
  /** Resets every connection and stops listening; `close` does it more politely. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

export const DIMENSIONS = 4;

/** A model runtime that says exactly what a test wants, through a real socket. */
export async function startUpstream(name: string, port = 0): Promise<FakeUpstream> {
  const sockets = new Set<Socket>();
  const waiting: { path: string; resolve: (asked: Asked) => void }[] = [];
  const server = createServer((request, response) => {
    // A gateway that asks whether anybody is there: no request of anybody's.
    if (request.method === "GET" && request.url === "/v1/models") {
      response.writeHead(404).end();
      return;
    }
    void receive(request, response).then((asked) => {
      upstream.asked.push(asked);
      for (const waiter of waiting.splice(0)) {
        if (waiter.path === asked.path) waiter.resolve(asked);
        else waiting.push(waiter);
      }
      const behaviour = asked.path.endsWith("/embeddings") ? upstream.embeddings : upstream.chat;
      void behaviour(asked, response);
    });
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const { port: bound } = server.address() as AddressInfo;
  const stop = (end: (socket: Socket) => void): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) end(socket);
    return closed;
  };
  const upstream: FakeUpstream = {
    name,
    url: `http://127.0.0.1:${bound}`,
    asked: [],
    askedAt: (path) => upstream.asked.filter((asked) => asked.path === path),
    next: (path) => new Promise((resolve) => waiting.push({ path, resolve })),
    chat: answers(`the answer of ${name}`),
    embeddings: embeds(),
    kill: () => stop((socket) => socket.resetAndDestroy()),
    close: () => stop((socket) => socket.destroy()),
  };
  return upstream;
}

async function receive(request: IncomingMessage, response: ServerResponse): Promise<Asked> {
  const over = new Promise<void>((resolve) => response.on("close", () => resolve()));
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  const text = Buffer.concat(pieces).toString("utf8");
  const body = text === "" ? {} : JSON.parse(text);
  const port = request.socket.remotePort;
  return { path: request.url ?? "", headers: request.headers, body, port, over };
}

export function completion(text: string) {
  return {
    id: "chatcmpl-1",
    object: "chat.completion",
    created: 1,
    model: "fake",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: text },
        finish_reason: "stop",
        logprobs: null,
      },
    ],
    usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
  };
}

export function chunk(delta: object, finish: string | null = null) {
  const choices = [{ index: 0, delta, finish_reason: finish }];
  return { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "fake", choices };
}

export function sse(data: unknown): string {
  return `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
}

/** Answers whole or streamed, as asked, with these words. */
export function answers(text: string): Behaviour {
  return ({ body }, response) => {
    if (body.stream !== true) return sendJson(200, completion(text))(response);
    openSse(response);
    response.write(sse(chunk({ role: "assistant", content: "" })));
    for (const word of text.split(/(?<= )/)) response.write(sse(chunk({ content: word })));
    response.write(sse(chunk({}, "stop")));
    response.end(sse("[DONE]"));
  };
}

export function answersWith(status: number, body: unknown): Behaviour {
  return (_asked, response) => sendJson(status, body)(response);
}

/** Streams these events and then does not end: the test decides how it ends. */
export function streams(
  events: readonly unknown[],
  then: (response: ServerResponse) => void,
): Behaviour {
  return (_asked, response) => {
    openSse(response);
    response.write(events.map(sse).join(""), () => then(response));
  };
}

/** Never answers. */
export const silent: Behaviour = () => undefined;

export function embeds(dimensions = DIMENSIONS): Behaviour {
  const embedding = Array.from({ length: dimensions }, (_, i) => (i === 0 ? 1 : 0));
  const data = [{ object: "embedding", index: 0, embedding }];
  return (asked, response) =>
    sendJson(200, { object: "list", data, model: asked.body.model, usage: {} })(response);
}

function openSse(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
}

function sendJson(status: number, body: unknown): (response: ServerResponse) => void {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
}
