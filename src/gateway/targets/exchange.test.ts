import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import { realClock } from "../../../test/support/gateway-world.ts";
import { Stop } from "../../lib/stop.ts";
import { exchange, type Upstream } from "./exchange.ts";
import { Pools } from "./pools.ts";

/** An upstream of raw bytes: `answer` gets each request's socket once the request is there. */
async function upstreamOf(t: TestContext, answer: (socket: Socket) => void) {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      asked.push(bytes.toString());
      answer(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const pools = new Pools({ connectMs: 1_000 });
  t.after(() => {
    pools.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const ask = (changes: Partial<Upstream> = {}) => {
    const place = pools.place(`http://127.0.0.1:${port}/base/`, "/v1/chat/completions");
    assert.ok(place);
    const asking = { place, headers: {}, body: "{}", signal: new Stop(), firstMs: 5_000 };
    return exchange(pools, realClock, { ...asking, ...changes });
  };
  return { ask, asked, pools, port };
}

const CHOICE = { index: 0, delta: { content: "all" }, finish_reason: "stop" };
const ANSWER = `data: ${JSON.stringify({ id: "c", choices: [CHOICE] })}\n\ndata: [DONE]\n\n`;
const HELLO = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

describe("an exchange with an upstream", () => {
  it("adds the API's path to the path of the base URL", async (t) => {
    const { ask, asked } = await upstreamOf(t, (socket) => socket.write(HELLO));
    const exchanged = await ask();
    assert.equal(exchanged.kind === "whole" && exchanged.body.toString(), "{}");
    assert.match(asked[0] ?? "", /^POST \/base\/v1\/chat\/completions HTTP/);
  });

  it("passes over what a server says before its answer", async (t) => {
    const early = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n";
    const { ask } = await upstreamOf(t, (socket) => socket.write(early + HELLO));
    const exchanged = await ask();
    assert.equal(exchanged.kind === "whole" && exchanged.status, 200);
  });

  it("asks nothing when it was over before it began", async (t) => {
    const { ask, asked } = await upstreamOf(t, (socket) => socket.write(HELLO));
    const signal = new Stop();
    signal.abort(new Error("the caller left"));
    const exchanged = await ask({ signal });
    assert.deepEqual(exchanged, {
      kind: "failed",
      fault: "silent",
      because: "the caller left",
      reached: false,
    });
    assert.deepEqual(asked, []);
  });

  it("ends at its bound while it still waits for a connection, and did not reach anybody", async (t) => {
    // It never takes part in a TLS handshake, so the connection is never there.
    const { pools, port } = await upstreamOf(t, () => undefined);
    const place = pools.place(`https://127.0.0.1:${port}`, "/");
    assert.ok(place);
    const asking = { place, headers: {}, signal: new Stop(), firstMs: 50 };
    assert.deepEqual(await exchange(pools, realClock, asking), {
      kind: "failed",
      fault: "silent",
      because: "no answer in 50 ms",
      reached: false,
    });
  });

  it("closes the connection of one that is broken off", async (t) => {
    let closed: Promise<unknown> | null = null;
    const { ask } = await upstreamOf(t, (socket) => {
      closed = once(socket, "close");
    });
    const late = await ask({ firstMs: 30 });
    assert.equal(late.kind === "failed" && late.because, "no answer in 30 ms");
    assert.equal(late.kind === "failed" && late.reached, true);
    assert.ok(closed);
    await closed;
  });

  it("does not keep a connection for a body that goes on without end behind its answer", async (t) => {
    let closed: Promise<unknown> | null = null;
    const { ask } = await upstreamOf(t, (socket) => {
      closed = once(socket, "close");
      socket.write(`HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n${ANSWER}`);
    });
    const exchanged = await ask();
    assert.ok(exchanged.kind === "stream");
    for await (const { end } of exchanged.parts) assert.equal(end?.outcome, "complete");
    assert.ok(closed);
    await closed;
  });

  it("keeps the connection of one that is whole, also when its caller leaves then", async (t) => {
    const used = new Set<Socket>();
    const { ask } = await upstreamOf(t, (socket) => {
      used.add(socket);
      socket.write(HELLO);
    });
    const signal = new Stop();
    assert.equal((await ask({ signal })).kind, "whole");
    signal.abort(new Error("the caller left"));
    // Its going is told only then.
    for (let i = 0; i < 5; i++) await setImmediate();
    assert.equal((await ask()).kind, "whole");
    assert.equal(used.size, 1);
  });
});
