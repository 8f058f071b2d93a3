import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import type { ProbeRequest } from "../../ports/probe.ts";
import { createHttpProbe, type HttpProbe, type HttpProbeOptions } from "./probe.ts";

/** A raw server, since an HTTP library would be too well-behaved; gives its URL. */
async function rawServer(t: TestContext, onSocket: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/healthz`,
    server,
    sockets,
  };
}

function probeFor(t: TestContext, options?: HttpProbeOptions): HttpProbe {
  const probe = createHttpProbe(options);
  t.after(() => probe.close());
  return probe;
}

async function failureOf(probe: HttpProbe, request: ProbeRequest): Promise<string> {
  const answer = await probe.exchange(request);
  assert.ok(!answer.answered, JSON.stringify(answer));
  assert.ok(answer.tookMs >= 0);
  return answer.reason;
}

const reply = (body: string, head = "") =>
  `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${head}\r\n${body}`;

/** Long enough that no test ends by it, unless that is what the test is about. */
const PATIENT = { timeoutMs: 30_000 };

test("an answer comes with status, lower-case headers, body and time", async (t) => {
  const { url } = await rawServer(t, (socket) => {
    socket.once("data", () =>
      socket.end(reply("fine é", "X-Mode: normal\r\nX-A: 1\r\nX-A: 2\r\n")),
    );
  });
  const answer = await probeFor(t).exchange({ url, ...PATIENT });
  assert.ok(answer.answered);
  assert.deepEqual([answer.status, answer.body], [200, "fine é"]);
  assert.equal(answer.headers["x-mode"], "normal");
  assert.equal(answer.headers["x-a"], "1, 2");
  assert.ok(answer.tookMs >= 0);
});

test("an error status is an answer, and a redirect is not followed", async (t) => {
  for (const status of [302, 404, 503]) {
    const { url, sockets } = await rawServer(t, (socket) => {
      socket.once("data", () => {
        socket.end(`HTTP/1.1 ${status} X\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n`);
      });
    });
    const answer = await probeFor(t).exchange({ url, ...PATIENT });
    assert.equal(answer.answered && answer.status, status);
    assert.equal(sockets.size, 1);
  }
});

test("method, headers and a JSON body are sent", async (t) => {
  const server = createHttpServer(async (request: IncomingMessage, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { "content-type": type, "x-key": key } = request.headers;
    response.end(JSON.stringify({ method: request.method, url: request.url, type, key, body }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a?b=1`;
  const answer = await probeFor(t).exchange({
    url,
    method: "PUT",
    headers: { "x-key": "k" },
    body: { n: 1 },
    ...PATIENT,
  });
  assert.deepEqual(answer.answered && JSON.parse(answer.body), {
    method: "PUT",
    url: "/a?b=1",
    type: "application/json",
    key: "k",
    body: '{"n":1}',
  });
});

test("nobody listens: connection refused", async (t) => {
  const { url, server } = await rawServer(t, () => undefined);
  server.close();
  await once(server, "close");
  assert.equal(await failureOf(probeFor(t), { url, ...PATIENT }), "connection refused");
});

test("accepted, then silence: no answer in the time that was given", async (t) => {
  const { url } = await rawServer(t, () => undefined);
  assert.equal(await failureOf(probeFor(t), { url, timeoutMs: 60 }), "no answer in 60 ms");
});

test("a network that swallows the connection does not put the deadline off", async (t) => {
  // A listener that never accepts: once its queue is full, the kernel drops every further SYN.
  const code = `
    const server = require("node:net").createServer().listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
      require("node:fs").writeSync(1, String(server.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const hole = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => hole.kill("SIGKILL"));
  const [port] = await once(hole.stdout, "data");
  const fill = Array.from({ length: 6 }, () => connect(Number(port), "127.0.0.1"));
  for (const socket of fill) socket.on("error", () => undefined);
  t.after(() => {
    for (const socket of fill) socket.destroy();
  });
  await once(fill[0] ?? hole, "connect");

  const probe = probeFor(t);
  let swallowed: string | undefined;
  const first = failureOf(probe, { url: `http://127.0.0.1:${port}/`, timeoutMs: 60 }).then(
    (reason) => {
      swallowed = reason;
    },
  );
  // Told by order, not by a stopwatch: it must be over before six others, one after another, are.
  const silent = await rawServer(t, () => undefined);
  for (let n = 0; n < 6; n++) await failureOf(probe, { url: silent.url, timeoutMs: 60 });
  assert.equal(swallowed, "no answer in 60 ms");
  await first;
});

test("headers, then silence: the deadline covers the body too", async (t) => {
  const { url } = await rawServer(t, (socket) => {
    socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"));
  });
  assert.equal(await failureOf(probeFor(t), { url, timeoutMs: 60 }), "no answer in 60 ms");
});

test("a body that drips for ever does not put the deadline off", async (t) => {
  const { url } = await rawServer(t, (socket) => {
    // Not before the head: a request that is slow to come would be answered with a drop.
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
      const drip = setInterval(() => socket.write("1\r\nx\r\n"), 5);
      socket.on("close", () => clearInterval(drip));
    });
  });
  assert.equal(await failureOf(probeFor(t), { url, timeoutMs: 80 }), "no answer in 80 ms");
});

test("a reset before the answer, and within the body", async (t) => {
  for (const part of ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"]) {
    const { url } = await rawServer(t, (socket) => {
      socket.once("data", () => {
        if (part === "") socket.resetAndDestroy();
        else socket.write(part, () => socket.resetAndDestroy());
      });
    });
    assert.equal(await failureOf(probeFor(t), { url, ...PATIENT }), "reset");
  }
});

test("closed politely before the answer was complete", async (t) => {
  for (const part of ["", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"]) {
    const { url } = await rawServer(t, (socket) => {
      socket.once("data", () => socket.end(part));
    });
    const reason = await failureOf(probeFor(t), { url, ...PATIENT });
    assert.equal(reason, "closed before the answer was complete");
  }
});

test("a body above 4 MiB is too large, announced or not; one of 4 MiB is read", async (t) => {
  const most = 4 * 1024 * 1024;
  const endless = await rawServer(t, (socket) => {
    const line = "x".repeat(65_536);
    const pour = () => {
      while (socket.writable && socket.write(`10000\r\n${line}\r\n`));
    };
    socket.on("drain", pour);
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
      pour();
    });
  });
  const announced = await rawServer(t, (socket) => {
    socket.once("data", () => socket.end(reply("y".repeat(most + 1))));
  });
  const exact = await rawServer(t, (socket) => {
    socket.once("data", () => socket.end(reply("z".repeat(most))));
  });
  const probe = probeFor(t);
  assert.equal(await failureOf(probe, { url: endless.url, ...PATIENT }), "body too large");
  assert.equal(await failureOf(probe, { url: announced.url, ...PATIENT }), "body too large");
  const answer = await probe.exchange({ url: exact.url, ...PATIENT });
  assert.equal(answer.answered && answer.body.length, most);
});

test("something that does not speak HTTP", async (t) => {
  const { url } = await rawServer(t, (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"));
  assert.match(await failureOf(probeFor(t), { url, ...PATIENT }), /^not an HTTP answer/);
});

test("a name that nobody has, and what is no URL at all", async (t) => {
  const probe = probeFor(t);
  // RFC 6761: `.invalid` never resolves. Without a name server the look-up itself fails.
  const reason = await failureOf(probe, { url: "http://tideover.invalid/", ...PATIENT });
  assert.match(reason, /^host name (not found|could not be looked up): tideover\.invalid$/);
  assert.equal(await failureOf(probe, { url: "nonsense", ...PATIENT }), "not a URL: nonsense");
  assert.notEqual(await failureOf(probe, { url: "ftp://127.0.0.1/", ...PATIENT }), "");
});

test("each exchange has a connection of its own, though the target would keep it open", async (t) => {
  const asked: string[] = [];
  const { url, sockets } = await rawServer(t, (socket) => {
    socket.on("data", (data) => {
      asked.push(data.toString("utf8"));
      socket.write(reply("ok", "connection: keep-alive\r\n"));
    });
  });
  const probe = probeFor(t);
  for (let n = 0; n < 3; n++) assert.ok((await probe.exchange({ url, ...PATIENT })).answered);
  assert.equal(sockets.size, 3);
  assert.ok(asked.every((text) => /connection: close/i.test(text)));
  // And none of them is left open behind it.
  await Promise.all([...sockets].map((socket) => socket.destroyed || once(socket, "close")));
});

test("a target that came back is seen by the next exchange", async (t) => {
  const gone = await rawServer(t, () => undefined);
  const port = (gone.server.address() as AddressInfo).port;
  gone.server.close();
  await once(gone.server, "close");
  const probe = probeFor(t);
  assert.equal(await failureOf(probe, { url: gone.url, ...PATIENT }), "connection refused");
  const back = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end(reply("back")));
  });
  back.listen(port, "127.0.0.1");
  await once(back, "listening");
  t.after(() => back.close());
  assert.equal((await probe.exchange({ url: gone.url, ...PATIENT })).answered, true);
});

test("more exchanges at once than allowed fail at once, and are not queued", async (t) => {
  const { url } = await rawServer(t, () => undefined);
  const probe = probeFor(t, { connections: 2 });
  const waiting = [1, 2].map(() => failureOf(probe, { url, timeoutMs: 60 }));
  assert.equal(await failureOf(probe, { url, ...PATIENT }), "more than 2 exchanges at once");
  assert.deepEqual(await Promise.all(waiting), ["no answer in 60 ms", "no answer in 60 ms"]);
});

test("close ends what is under way, and refuses what comes later", async (t) => {
  const accepted = Promise.withResolvers<void>();
  const { url } = await rawServer(t, () => accepted.resolve());
  const probe = createHttpProbe();
  const waiting = failureOf(probe, { url, ...PATIENT });
  await accepted.promise;
  await probe.close();
  assert.equal(await waiting, "the probe was closed");
  assert.equal(await failureOf(probe, { url, ...PATIENT }), "the probe was closed");
});

test("a body that JSON cannot say, or a bad header, is a failure and no throw", async (t) => {
  const { url } = await rawServer(t, () => undefined);
  const probe = probeFor(t);
  assert.notEqual(await failureOf(probe, { url, body: 1n, ...PATIENT }), "");
  const headers = { "bad name": "x" };
  assert.notEqual(await failureOf(probe, { url, headers, ...PATIENT }), "");
});
