import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { CallerTimes } from "./caller.ts";
import type { Body, Inbound } from "./inbound.ts";
import { HttpServer } from "./server.ts";

const TIMES: CallerTimes = {
  headMs: 60_000,
  requestMs: 60_000,
  keepAliveMs: 60_000,
  lingerMs: 60_000,
};
const HOST = "host: a.test\r\n";
const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\n${HOST}${more}\r\n`;
const post = (body: string, more = ""): string =>
  `POST / HTTP/1.1\r\n${HOST}content-length: ${body.length}\r\n${more}\r\n${body}`;

/** A server of `answer`, and callers of raw bytes. What it was asked is noted. */
async function worldOf(
  t: TestContext,
  answer: (inbound: Inbound) => unknown,
  times: Partial<CallerTimes> = {},
) {
  const asked: Inbound[] = [];
  const failures: string[] = [];
  const server = new HttpServer({
    times: { ...TIMES, ...times },
    answer: (inbound) => {
      asked.push(inbound);
      answer(inbound);
    },
    failed: (error) => failures.push(error.message),
    refusal: ({ status, message }) => ({ status, headers: { "x-why": "so" }, body: message }),
  });
  await new Promise<void>((resolve) => server.listener.listen(0, "127.0.0.1", resolve));
  const address = server.listener.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const callers: Peer[] = [];
  const call = async (text = ""): Promise<Peer> => {
    const peer = new Peer(connect({ port, host: "127.0.0.1" }));
    callers.push(peer);
    await once(peer.socket, "connect");
    peer.send(text);
    return peer;
  };
  t.after(async () => {
    for (const { socket } of callers) socket.destroy();
    server.destroy();
    await server.close();
  });
  return { server, call, asked, failures };
}

/** A caller of raw bytes, which notes what it is told. */
class Peer {
  readonly socket: Socket;
  text = "";
  isEnded = false;
  isReset = false;
  #heard = (): void => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text) => {
      this.text += String(text);
      this.#heard();
    });
    socket.on("end", () => {
      this.isEnded = true;
      this.#heard();
    });
    socket.on("error", () => {
      this.isReset = true;
      this.#heard();
    });
  }

  send(text: string): void {
    if (text !== "") this.socket.write(text, "latin1");
  }

  /** Until what was told is so. */
  async until(right: () => boolean): Promise<void> {
    while (!right()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#heard = resolve;
      await promise;
    }
  }

  async told(pattern: RegExp): Promise<string> {
    await this.until(() => pattern.test(this.text));
    const { text } = this;
    this.text = "";
    return text;
  }

  /** All until the server closes. */
  async rest(): Promise<string> {
    await this.until(() => this.isEnded || this.isReset);
    assert.equal(this.isReset, false, "closed, and not reset");
    return this.text;
  }
}

const echo = (inbound: Inbound): void => inbound.whole(200, { "x-a": "1" }, inbound.target);

async function bodyOf(inbound: Inbound, limit = 1_000): Promise<Body> {
  return await inbound.readBody(limit);
}

/** Answers with what became of the body. */
async function tellBody(inbound: Inbound): Promise<void> {
  const body = await bodyOf(inbound);
  inbound.whole(200, {}, body.kind === "whole" ? body.bytes : body.kind);
}

function aborted(inbound: Inbound): Promise<void> {
  if (inbound.over.aborted) return Promise.resolve();
  return new Promise((resolve) => inbound.over.addEventListener("abort", () => resolve()));
}

async function first(asked: readonly Inbound[]): Promise<Inbound> {
  for (;;) {
    const [inbound] = asked;
    if (inbound !== undefined) return inbound;
    await setImmediate();
  }
}

describe("answers to callers", () => {
  it("are whole, say how long they are and that the connection is kept, and follow each other", async (t) => {
    const { call } = await worldOf(t, echo);
    const caller = await call(get("/one"));
    const text = await caller.told(/\/one$/);
    const date = /^date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/m;
    assert.match(text, date);
    assert.equal(
      text.replace(date, ""),
      "HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 4\r\nconnection: keep-alive\r\nkeep-alive: timeout=60\r\n\r\n/one",
    );
    caller.send(get("/two"));
    await caller.told(/\/two$/);
  });

  it("keep their bytes, whatever they are", async (t) => {
    const bodies = [Buffer.of(0, 255, 10), "naïve – 語", "plain", Buffer.alloc(100_000, "ä"), ""];
    const { call } = await worldOf(t, (inbound) =>
      inbound.whole(200, { "x-a": "caf\xe9" }, bodies[Number(inbound.target.slice(1))] ?? ""),
    );
    for (const [at, body] of bodies.entries()) {
      const bytes = Buffer.from(body);
      const caller = await call(get(`/${at}`, "connection: close\r\n"));
      const [head = "", told = ""] = (await caller.rest()).split("\r\n\r\n", 2);
      assert.match(head, /\r\nx-a: caf\xe9\r\n/);
      assert.ok(head.includes(`content-length: ${bytes.length}\r\n`));
      assert.ok(Buffer.from(told, "latin1").equals(bytes));
    }
  });

  it("have no body for HEAD, and neither body nor length without content", async (t) => {
    const { call } = await worldOf(t, (inbound) =>
      inbound.whole(inbound.method === "HEAD" ? 200 : 204, {}, "body"),
    );
    const caller = await call(`HEAD / HTTP/1.1\r\n${HOST}\r\n`);
    assert.match(await caller.told(/\r\n\r\n/), /content-length: 4\r\n(.+\r\n)+\r\n$/);
    caller.send(`OPTIONS / HTTP/1.1\r\n${HOST}\r\n`);
    const none = await caller.told(/\r\n\r\n/);
    assert.match(none, /^HTTP\/1.1 204 No Content\r\n/);
    assert.doesNotMatch(none, /content-length|body/);
  });

  it("come in the order of their requests, and one request at a time is under way", async (t) => {
    const { call, asked } = await worldOf(t, () => undefined);
    const caller = await call(get("/1") + post("22") + get("/3"));
    for (const path of ["/1", "/", "/3"]) {
      const now = await first(asked);
      assert.equal(now.target, path);
      assert.equal(asked.length, 1, "the ones behind wait");
      asked.length = 0;
      now.whole(200, {}, `told ${path}.`);
    }
    assert.deepEqual((await caller.told(/3\.$/)).match(/told .*?\./g), [
      "told /1.",
      "told /.",
      "told /3.",
    ]);
  });

  it("are to what their own caller sent, though others send while it waits", async (t) => {
    const { call, asked } = await worldOf(t, () => undefined);
    const caller = await call(get("/1") + post("what the first caller sent"));
    const now = await first(asked);
    await Promise.all([1, 2].map(() => call(post("x".repeat(4_000)))));
    while (asked.length < 3) await setImmediate();
    now.whole(200, {}, "told /1.");
    while (asked.length < 4 && !caller.text.includes(" 400 ")) await setImmediate();
    assert.deepEqual(await asked[3]?.readBody(1_000), {
      kind: "whole",
      bytes: Buffer.from("what the first caller sent"),
    });
  });

  it("wait for a caller that does not read, instead of filling the memory", async (t) => {
    const big = "x".repeat(4 * 1024 * 1024);
    const { call, asked } = await worldOf(t, (inbound) => inbound.whole(200, {}, big));
    const caller = await call();
    caller.socket.pause();
    caller.send(get("/").repeat(20));
    await first(asked);
    for (let turn = 0; turn < 50; turn++) await setImmediate();
    assert.ok(asked.length <= 2, `${asked.length} were answered to nobody`);
    caller.socket.resume();
    await caller.until(() => caller.text.length > 20 * big.length);
    assert.equal(asked.length, 20);
  });

  it("never hold a line break that a header's value brings", async (t) => {
    const errors: unknown[] = [];
    const { call } = await worldOf(t, (inbound) => {
      for (const tell of [inbound.whole, inbound.begin]) {
        try {
          tell.call(inbound, 200, { "x-a": "b\r\nset-cookie: c" }, "");
        } catch (error) {
          errors.push(error);
        }
      }
      inbound.whole(500, {}, "sorry");
    });
    const caller = await call(get("/"));
    assert.doesNotMatch(await caller.told(/sorry$/), /set-cookie/);
    assert.ok(errors.length === 2 && errors.every((error) => error instanceof TypeError));
  });

  it("close the connection where the caller, or its HTTP, means that", async (t) => {
    const { call } = await worldOf(t, echo);
    for (const text of [
      get("/", "Connection: x, Close\r\n"),
      "GET / HTTP/1.0\r\n\r\n",
      "GET / HTTP/1.0\r\nconnection: close, keep-alive\r\n\r\n",
    ]) {
      assert.match(await (await call(text)).rest(), /\r\nconnection: close\r\n/);
    }
    const old = await call("GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n");
    assert.match(await old.told(/\/$/), /\r\nconnection: keep-alive\r\n/);
  });

  it("read nothing behind a wish for another protocol that came before they did", async (t) => {
    const { call, asked } = await worldOf(t, () => undefined);
    const wish = "connection: upgrade\r\nupgrade: h2c\r\n";
    const caller = await call(get("/1", wish) + get("/2"));
    (await first(asked)).whole(200, {}, "one");
    assert.match(await caller.rest(), /one$/);
    assert.equal(asked.length, 1);
    const patient = await call(get("/1", wish));
    await first(asked.splice(0, 1) && asked);
    asked.splice(0)[0]?.whole(200, {}, "one");
    await patient.told(/one$/);
    patient.send(get("/2"));
    assert.equal((await first(asked)).target, "/2");
  });
});

describe("answers in parts", () => {
  it("go out as chunks, the head with the first of them", async (t) => {
    const { call } = await worldOf(t, (inbound) => {
      inbound.begin(200, { "x-a": "1" });
      inbound.write("naïve");
      inbound.write("");
      inbound.end("end");
    });
    const caller = await call(get("/"));
    const text = await caller.told(/\r\n0\r\n\r\n$/);
    assert.match(text, /^HTTP\/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n/);
    assert.equal(text.split("\r\n\r\n").slice(1).join("|"), "6\r\nna\xc3\xafve\r\n3\r\nend\r\n0|");
    caller.send(get("/"));
    await caller.told(/\r\n0\r\n\r\n$/);
  });

  it("tell their head also while there is no part", async (t) => {
    const { call, asked } = await worldOf(t, (inbound) => inbound.begin(200, {}));
    const caller = await call(get("/"));
    await caller.told(/\r\n\r\n$/);
    (await first(asked)).end("");
    assert.equal(await caller.told(/0\r\n\r\n$/), "0\r\n\r\n");
  });

  it("break the transfer where they are not whole", async (t) => {
    const { call } = await worldOf(t, (inbound) => {
      inbound.begin(200, {});
      inbound.cut("half");
    });
    assert.match(await (await call(get("/"))).rest(), /\r\n\r\n4\r\nhalf\r\n$/);
  });

  it("end with the connection in HTTP/1.0", async (t) => {
    const { call } = await worldOf(t, (inbound) => {
      inbound.begin(200, {});
      inbound.write("one ");
      inbound.end("two");
    });
    const text = await (await call("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")).rest();
    assert.doesNotMatch(text, /chunked/);
    assert.match(text, /\r\nconnection: close\r\n(.+\r\n)*\r\none two$/);
  });

  it("say when their caller is slower, and when it is not any more", async (t) => {
    const { call, asked } = await worldOf(t, (inbound) => inbound.begin(200, {}));
    const caller = await call(get("/"));
    const inbound = await first(asked);
    caller.socket.pause();
    const part = "x".repeat(64 * 1024);
    while (inbound.write(part));
    const writable = inbound.writable();
    caller.socket.resume();
    await writable;
    inbound.end("");
    await caller.until(() => caller.text.endsWith("\r\n0\r\n\r\n"));
  });
});

describe("requests of callers", () => {
  it("have their body read once it is asked for, at once or later, in whatever pieces", async (t) => {
    const { call } = await worldOf(t, tellBody);
    const caller = await call(post("hello"));
    await caller.told(/\r\n\r\nhello$/);
    const chunked = `POST / HTTP/1.1\r\n${HOST}transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n`;
    for (const text of [post("hello"), chunked]) {
      for (const byte of text) {
        caller.send(byte);
        await setImmediate();
      }
      await caller.told(/\r\n\r\nhello$/);
    }
  });

  it("wait for whoever answers to ask for the body, without being held in memory", async (t) => {
    const { call, asked } = await worldOf(t, () => undefined);
    const size = 32 * 1024 * 1024;
    const caller = await call(`POST / HTTP/1.1\r\n${HOST}content-length: ${size}\r\n\r\n`);
    const inbound = await first(asked);
    caller.send("x".repeat(size));
    for (let turn = 0; turn < 50; turn++) await setImmediate();
    assert.ok(caller.socket.writableLength > 0, "the caller has to wait");
    const body = await bodyOf(inbound, size);
    assert.equal(body.kind === "whole" ? body.bytes.length : body.kind, size);
  });

  it("too large are told so, read to their end, and followed by others", async (t) => {
    const { call } = await worldOf(t, tellBody);
    const large = "x".repeat(300_000);
    const chunked = `POST / HTTP/1.1\r\n${HOST}transfer-encoding: chunked\r\n\r\n${(300_000).toString(16)}\r\n${large}\r\n0\r\n\r\n`;
    for (const text of [post(large), chunked]) {
      const caller = await call(text + post("ok"));
      assert.match(await caller.told(/ok$/), /too-large/);
    }
  });

  it("may be answered without their body, which is read to its end", async (t) => {
    const { call } = await worldOf(t, echo);
    const caller = await call(post("x".repeat(300_000)) + get("/next"));
    assert.match(await caller.told(/\/next$/), /\r\n\r\n\/HTTP/);
  });

  it("that wait to go on are told to when their body is wanted", async (t) => {
    const { call } = await worldOf(t, tellBody);
    const head = `POST / HTTP/1.1\r\n${HOST}expect: 100-continue\r\ncontent-length: 2\r\n\r\n`;
    const caller = await call(head);
    assert.equal(await caller.told(/\r\n\r\n$/), "HTTP/1.1 100 Continue\r\n\r\n");
    caller.send("ok");
    await caller.told(/\r\n\r\nok$/);
    caller.send(`${head}ok`);
    assert.doesNotMatch(await caller.told(/ok$/), /100 Continue/);
  });

  it("that wait to go on, in vain, are the last of their connection", async (t) => {
    const { call } = await worldOf(t, echo);
    const text = `POST / HTTP/1.1\r\n${HOST}expect: 100-continue\r\ncontent-length: 2\r\n\r\n`;
    const caller = await call(text);
    assert.match(await caller.rest(), /^HTTP\/1.1 200 OK\r\n(.+\r\n)*connection: close\r\n/);
  });

  const refused: readonly (readonly [string, string, number])[] = [
    ["are none", "EHLO a.test\r\n\r\n", 400],
    ["have two lengths", get("/", "content-length: 1\r\ncontent-length: 1\r\n"), 400],
    ["have an endless head", get("/", `x: ${"y".repeat(20_000)}\r\n`), 431],
    ["expect what nobody knows", get("/", "expect: tea\r\n"), 417],
    ["have another coding", get("/", "transfer-encoding: gzip\r\n"), 501],
    ["are of another version", "GET / HTTP/2.0\r\n\r\n", 505],
    ["have chunks that are none", `${get("/", "transfer-encoding: chunked\r\n")}x\r\n`, 400],
  ];
  for (const [name, text, status] of refused) {
    it(`that ${name} are refused with the reason, though more comes behind`, async (t) => {
      const { call } = await worldOf(t, (inbound) => void bodyOf(inbound));
      const caller = await call(text + "z".repeat(200_000));
      const told = await caller.rest();
      assert.match(told, new RegExp(`^HTTP/1.1 ${status} .*\\r\\nx-why: so\\r\\n`));
      assert.match(told, /\r\nconnection: close\r\n(.+\r\n)*\r\n.*(the request|HTTP\/2)/);
      assert.equal(told.match(/HTTP\/1\.1 \d{3} /g)?.length, 1);
    });
  }

  it("with a broken body are gone for whoever reads it", async (t) => {
    const bodies: Promise<Body>[] = [];
    const { call, asked } = await worldOf(t, (inbound) => bodies.push(bodyOf(inbound)));
    const head = `POST / HTTP/1.1\r\n${HOST}transfer-encoding: chunked\r\n\r\n`;
    const caller = await call(`${head}5\r\nhello\r\n`);
    await first(asked);
    caller.send("xyz");
    await caller.rest();
    assert.deepEqual(await bodies[0], { kind: "gone" });
    assert.equal((await first(asked)).isOver, true);
  });
});

describe("callers that are slow", () => {
  it("with a head, or with a body, are told so and closed", async (t) => {
    const { call } = await worldOf(t, (inbound) => void bodyOf(inbound), {
      headMs: 30,
      requestMs: 30,
    });
    for (const text of ["GET / HT", post("hello").slice(0, -1)]) {
      assert.match(await (await call(text)).rest(), /^HTTP\/1.1 408 /);
    }
  });

  it("to begin, or to begin again, are closed without a word", async (t) => {
    const { call } = await worldOf(t, echo, { headMs: 30, keepAliveMs: 30 });
    assert.equal(await (await call()).rest(), "");
    const caller = await call(get("/"));
    await caller.told(/\/$/);
    assert.equal(await caller.rest(), "");
  });

  it("to be answered are not: that takes as long as it takes", async (t) => {
    const { call, asked } = await worldOf(t, () => undefined, { headMs: 5, requestMs: 5 });
    const caller = await call(get("/"));
    const inbound = await first(asked);
    const other = await call();
    // It is closed by the same look at all callers.
    await other.rest();
    inbound.whole(200, {}, "late");
    await caller.told(/late$/);
  });

  it("to go when they were refused are not waited for", async (t) => {
    const { call } = await worldOf(t, echo, { lingerMs: 20 });
    const caller = await call();
    caller.socket.allowHalfOpen = true;
    caller.send("nonsense\r\n\r\n");
    await caller.rest();
    const more = setInterval(() => caller.send("more"), 5);
    // Who writes to what was closed is told by a reset.
    await caller.until(() => caller.isReset);
    clearInterval(more);
  });
});

describe("callers that leave", () => {
  const leaves: readonly (readonly [string, (socket: Socket) => void])[] = [
    ["close", (socket) => void socket.destroy()],
    ["close their half", (socket) => void socket.end()],
    ["reset", (socket) => void socket.resetAndDestroy()],
  ];
  for (const [name, leave] of leaves) {
    it(`end what is done for them: they ${name}`, async (t) => {
      const { call, asked } = await worldOf(t, () => undefined);
      const caller = await call(get("/"));
      const inbound = await first(asked);
      leave(caller.socket);
      await aborted(inbound);
      assert.equal(inbound.isOver, true);
      inbound.whole(200, {}, "nobody hears it");
    });

    it(`end their stream: they ${name}`, async (t) => {
      const { call, asked } = await worldOf(t, (inbound) => inbound.begin(200, {}));
      const caller = await call(get("/"));
      await caller.told(/\r\n\r\n$/);
      const inbound = await first(asked);
      caller.socket.pause();
      while (inbound.write("x".repeat(64 * 1024)));
      const writable = inbound.writable();
      leave(caller.socket);
      if (name === "close their half") caller.socket.resume();
      await Promise.all([aborted(inbound), writable]);
      await inbound.writable();
      inbound.end("");
    });

    it(`are gone for whoever waits for their body: they ${name}`, async (t) => {
      const { call, asked } = await worldOf(t, () => undefined);
      const caller = await call(post("hello").slice(0, -2));
      const body = bodyOf(await first(asked));
      leave(caller.socket);
      assert.deepEqual(await body, { kind: "gone" });
    });
  }

  it("are noticed also while more of their requests wait", async (t) => {
    const { call, asked } = await worldOf(t, () => undefined);
    const caller = await call(get("/") + get("/next"));
    const inbound = await first(asked);
    caller.socket.destroy();
    await aborted(inbound);
    assert.equal(asked.length, 1);
  });

  it("with half a request leave nothing behind", async (t) => {
    const { call, server } = await worldOf(t, echo);
    const caller = await call("GET / HT");
    caller.socket.end();
    await caller.rest();
    const open = (): Promise<number> =>
      new Promise((resolve) => server.listener.getConnections((_, count) => resolve(count)));
    while ((await open()) > 0) await setImmediate();
  });
});

describe("a request that is over", () => {
  it("cannot speak into the answer of the next one", async (t) => {
    const { call, asked } = await worldOf(t, () => undefined);
    const caller = await call(get("/1"));
    const old = await first(asked);
    old.whole(200, {}, "one");
    await caller.told(/one$/);
    asked.length = 0;
    caller.send(get("/2"));
    const now = await first(asked);
    old.whole(500, {}, "wrong");
    old.begin(500, {});
    assert.equal(old.write("wrong"), true);
    old.end("wrong");
    old.cut("wrong");
    old.abort();
    assert.deepEqual(await bodyOf(old), { kind: "gone" });
    now.whole(200, {}, "two");
    assert.doesNotMatch(await caller.told(/two$/), /wrong|500/);
  });
});

describe("a server that has no sockets left", () => {
  it("says so each time, and serves on whom it has", async (t) => {
    const { call, server, failures } = await worldOf(t, echo);
    const caller = await call();
    for (const code of ["EMFILE", "ENFILE"])
      server.listener.emit("error", new Error(`accept ${code}`));
    assert.deepEqual(failures, ["accept EMFILE", "accept ENFILE"]);
    caller.send(get("/on"));
    await caller.told(/\/on$/);
  });
});

describe("a server that closes", () => {
  it("closes idle callers at once, and the others behind their answers", async (t) => {
    const { call, server, asked } = await worldOf(t, () => undefined);
    const idle = await call(get("/"));
    (await first(asked)).whole(200, {}, "idle");
    await idle.told(/idle$/);
    asked.length = 0;
    const busy = await call(get("/") + get("/next"));
    const inbound = await first(asked);
    const streamed = await call(get("/"));
    while (asked.length < 2) await setImmediate();
    asked[1]?.begin(200, {});
    await streamed.told(/keep-alive/);
    const closed = server.close();
    assert.equal(await idle.rest(), "");
    inbound.whole(200, {}, "busy");
    assert.match(await busy.rest(), /\r\nconnection: close\r\n(.+\r\n)*\r\nbusy$/);
    asked[1]?.end("streamed");
    assert.match(await streamed.rest(), /streamed\r\n0\r\n\r\n$/);
    await closed;
    assert.equal(asked.length, 2);
  });

  it("breaks off what is still under way when it is told to", async (t) => {
    const { call, server, asked } = await worldOf(t, () => undefined);
    await call(get("/"));
    const inbound = await first(asked);
    const closed = server.close();
    server.destroy();
    await Promise.all([closed, aborted(inbound)]);
  });
});
