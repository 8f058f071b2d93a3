import { createServer, type Socket } from "node:net";

/**
 * The fastest upstream that Node can be: it reads no more of a request than it must and writes
 * bytes that were made once. `user: "e50g20"` in a streamed request asks for 50 events, 20 ms apart.
 */

const EVENT = (content: string): string =>
  `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":{"content":"${content}"},"finish_reason":null}]}\n\n`;
const FINISH =
  'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';

const WHOLE = JSON.stringify({
  id: "chatcmpl-bench",
  object: "chat.completion",
  created: 1_700_000_000,
  model: "bench",
  choices: [
    {
      index: 0,
      message: {
        role: "assistant",
        content:
          "The goods may be returned within thirty days of their delivery, unopened. ".repeat(4),
      },
      finish_reason: "stop",
    },
  ],
  usage: { prompt_tokens: 57, completion_tokens: 64, total_tokens: 121 },
});
const WHOLE_RESPONSE = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${WHOLE.length}\r\n\r\n${WHOLE}`,
);
const STREAM_HEAD =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
const LAST_CHUNKS = `${framed(FINISH)}0\r\n\r\n`;

/** CLOCK_MONOTONIC in µs, the same in every process of a machine: a receiver can subtract it. */
function stamp(): string {
  return (process.hrtime.bigint() / 1_000n).toString().padStart(15, "0");
}

function framed(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

interface Streaming {
  readonly socket: Socket;
  readonly gapMs: number;
  left: number;
  dueAt: number;
}

const streams = new Set<Streaming>();
let ticking = false;

/** One timer for all: a thousand timers of their own would cost more than what they send. */
function writeDue(): void {
  ticking = false;
  const now = performance.now();
  for (const stream of streams) {
    if (stream.dueAt > now) continue;
    stream.socket.write(framed(EVENT(stamp())));
    stream.dueAt += stream.gapMs;
    stream.left -= 1;
    if (stream.left <= 0) end(stream);
  }
  if (streams.size > 0) tick();
}

function tick(): void {
  if (!ticking) setTimeout(writeDue, 1);
  ticking = true;
}

function end(stream: Streaming): void {
  streams.delete(stream);
  stream.socket.write(LAST_CHUNKS);
}

function begin(socket: Socket, events: number, gapMs: number): void {
  // The first event goes out with the head: what a gateway adds before it is then its own.
  socket.write(STREAM_HEAD + framed(EVENT(stamp())));
  const stream = { socket, gapMs, left: events - 1, dueAt: performance.now() + gapMs };
  streams.add(stream);
  if (stream.left <= 0) end(stream);
  else tick();
}

function answer(socket: Socket, request: string): void {
  if (!/"stream"\s*:\s*true/.test(request)) {
    socket.write(WHOLE_RESPONSE);
    return;
  }
  const plan = /"user"\s*:\s*"e(\d+)g(\d+)"/.exec(request);
  begin(socket, Number(plan?.[1] ?? 3), Number(plan?.[2] ?? 5));
}

/** Length of the first whole request in `text`; 0 when it is not all there. Bytes are latin1. */
function requestLength(text: string): number {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return 0;
  const length = /content-length: *(\d+)/i.exec(text.slice(0, head))?.[1];
  if (length !== undefined) {
    const total = head + 4 + Number(length);
    return text.length >= total ? total : 0;
  }
  const last = text.indexOf("0\r\n\r\n", head + 4);
  return last < 0 ? 0 : last + 5;
}

const server = createServer({ noDelay: true }, (socket) => {
  let waiting = "";
  socket.on("data", (bytes) => {
    waiting += bytes.toString("latin1");
    for (let length = requestLength(waiting); length > 0; length = requestLength(waiting)) {
      const request = waiting.slice(0, length);
      waiting = waiting.slice(length);
      answer(socket, request);
    }
  });
  // Gateways drop connections as they like; that is nothing to report.
  socket.on("error", () => undefined);
  socket.on("close", () => {
    for (const stream of streams) if (stream.socket === socket) streams.delete(stream);
  });
});

server.listen({ port: 0, host: "127.0.0.1", backlog: 2_048 }, () => {
  const address = server.address();
  process.send?.({ port: typeof address === "object" ? address?.port : 0 });
});
// The benchmark is gone, however it ended: nothing may be left behind.
process.once("disconnect", () => process.exit(0));
process.on("SIGINT", () => undefined);
