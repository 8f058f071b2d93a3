import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { setImmediate, setTimeout } from "node:timers/promises";
import type { Asked, Listener, Sending } from "./connection.ts";
import { Connections } from "./connections.ts";

const HELLO = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

/** A server of raw bytes and connections to it. `answer` is called with each request's text. */
async function worldOf(t: TestContext, answer: (socket: Socket, text: string) => void) {
  const sockets: Socket[] = [];
  const asked: string[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      asked.push(bytes.toString("latin1"));
      answer(socket, bytes.toString("latin1"));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const connections = new Connections({ secure: false, host: "127.0.0.1", port, connectMs: 1_000 });
  t.after(() => {
    connections.destroy();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const ask = (changes: Partial<Asked> = {}) => {
    const listener = new Noted();
    connections.send({ ...QUESTION, ...changes }, listener);
    return listener;
  };
  return { ask, asked, sockets, connections };
}

const QUESTION: Asked = {
  method: "POST",
  path: "/v1",
  host: "model.test",
  headers: { a: "1" },
  body: "{}",
};

/** Notes what it is told. */
class Noted implements Listener {
  sending: Sending | null = null;
  readonly words: string[] = [];
  body = "";
  onPiece: () => void = () => undefined;
  readonly over = Promise.withResolvers<string>();

  onSend(sending: Sending): void {
    this.sending = sending;
    this.words.push("send");
  }
  onHead({ status }: { readonly status: number }): void {
    this.words.push(`head ${status}`);
  }
  onBody(piece: Buffer): void {
    this.body += piece.toString("latin1");
    this.onPiece();
  }
  onRead(): void {}
  onEnd(): void {
    this.words.push("end");
    this.over.resolve("end");
  }
  onError(error: Error): void {
    this.words.push("error");
    this.over.resolve(`${"code" in error ? error.code : "none"}: ${error.message}`);
  }
}

describe("connections to a server", () => {
  it("send a request as it is meant, and tell its answer in order", async (t) => {
    const { ask, asked } = await worldOf(t, (socket) => socket.write(HELLO));
    const first = ask({ body: '{"word":"naïve – 語"}' });
    assert.equal(await first.over.promise, "end");
    assert.deepEqual(first.words, ["send", "head 200", "end"]);
    assert.equal(first.body, "hello");
    const bytes = Buffer.from('{"word":"naïve – 語"}').toString("latin1");
    const head = "POST /v1 HTTP/1.1\r\nhost: model.test\r\nconnection: keep-alive\r\na: 1\r\n";
    assert.equal(asked[0], `${head}content-length: ${bytes.length}\r\n\r\n${bytes}`);
  });

  it("send a body of bytes, none at all, and a header beyond ASCII, unchanged", async (t) => {
    const { ask, asked } = await worldOf(t, (socket) => socket.write(HELLO));
    await ask({ body: Buffer.of(0, 255, 10) }).over.promise;
    assert.match(asked.join(""), /content-length: 3\r\n\r\n\0\xff\n$/);
    await ask({ method: "GET", body: null }).over.promise;
    assert.match(asked.at(-1) ?? "", /^GET \/v1 HTTP\/1.1\r\n(.*\r\n)*a: 1\r\n\r\n$/);
    await ask({ headers: { a: "caf\xe9" }, body: "語" }).over.promise;
    const sent = asked.slice(2).join("");
    assert.match(sent, /a: caf\xe9\r\ncontent-length: 3\r\n\r\n\xe8\xaa\x9e$/);
  });

  it("refuse a header that would be a line of its own", async (t) => {
    const { ask, asked } = await worldOf(t, (socket) => socket.write(HELLO));
    const told = await ask({ headers: { key: "x\r\nevil: 1" } }).over.promise;
    assert.match(told, /the header key cannot be sent/);
    assert.equal(await ask().over.promise, "end");
    assert.doesNotMatch(asked.join(""), /evil/);
  });

  it("say where a read ends, in which many chunks may have come", async (t) => {
    const head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    const { ask } = await worldOf(t, async (socket) => {
      socket.write(`${head}1\r\na\r\n1\r\nb\r\n1\r\nc`);
      await got.promise;
      socket.write("\r\n1\r\nd\r\n1\r\ne\r\n");
      await got.promise;
      socket.write("0\r\n\r\n");
    });
    let got = Promise.withResolvers<void>();
    const answer = ask();
    const reads: string[] = [];
    answer.onRead = () => {
      reads.push(answer.body);
      got.resolve();
      got = Promise.withResolvers();
    };
    assert.equal(await answer.over.promise, "end");
    assert.deepEqual(reads, ["abc", "abcde"]);
  });

  it("use one connection for what is asked in turn, and one each for what is asked at once", async (t) => {
    const { ask, sockets } = await worldOf(t, (socket) => socket.write(HELLO));
    for (let i = 0; i < 3; i++) assert.equal(await ask().over.promise, "end");
    assert.equal(sockets.length, 1);
    const told = await Promise.all([ask(), ask(), ask()].map(({ over }) => over.promise));
    assert.deepEqual(told, ["end", "end", "end"]);
    assert.equal(sockets.length, 3);
  });

  it("can be asked anew from within an answer's end", async (t) => {
    const { ask, sockets } = await worldOf(t, (socket) => socket.write(HELLO));
    const first = ask();
    const second = Promise.withResolvers<Noted>();
    first.onEnd = () => second.resolve(ask());
    assert.equal(await (await second.promise).over.promise, "end");
    assert.equal(sockets.length, 1);
  });

  const UNCLEAN: readonly (readonly [string, string])[] = [
    ["another answer behind it", HELLO + HELLO],
    ["a byte behind it", `${HELLO}\n`],
    ["a word to close", HELLO.replace("OK\r\n", "OK\r\nconnection: close\r\n")],
    ["a time that is as good as over", HELLO.replace("OK\r\n", "OK\r\nkeep-alive: timeout=2\r\n")],
  ];
  for (const [name, answer] of UNCLEAN) {
    it(`do not use a connection again behind an answer with ${name}`, async (t) => {
      const { ask, sockets } = await worldOf(t, (socket) => socket.write(answer));
      for (let i = 0; i < 2; i++) {
        const one = ask();
        assert.equal(await one.over.promise, "end");
        assert.equal(one.body, "hello");
      }
      assert.equal(sockets.length, 2);
      const [first] = sockets;
      if (first?.closed === false) await once(first, "close");
    });
  }

  // Sooner than an idle connection is closed anyway.
  it("do not use a connection again that said something unasked, or was closed, while idle", {
    timeout: 3_000,
  }, async (t) => {
    const { ask, sockets } = await worldOf(t, (socket) => socket.write(HELLO));
    await ask().over.promise;
    const closed = sockets[0] === undefined ? null : once(sockets[0], "close");
    sockets[0]?.write(HELLO);
    await closed;
    const second = ask();
    assert.equal(await second.over.promise, "end");
    assert.equal(second.body, "hello");
    sockets[1]?.end();
    if (sockets[1]?.closed === false) await once(sockets[1], "close");
    assert.equal(await ask().over.promise, "end");
    assert.equal(sockets.length, 3);
  });

  it("tell a cut, a reset and nonsense as what they are, once", async (t) => {
    const answers: ((socket: Socket) => void)[] = [
      (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello"),
      (socket) => socket.resetAndDestroy(),
      (socket) => socket.end(),
      (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"),
    ];
    const { ask } = await worldOf(t, (socket) => answers.shift()?.(socket));
    const cut = ask();
    assert.match(await cut.over.promise, /^ECONNRESET/);
    assert.equal(cut.body, "hello");
    for (const wanted of [/^ECONNRESET/, /^ECONNRESET/, /^BAD_MESSAGE: its answer has no plain/]) {
      const one = ask();
      assert.match(await one.over.promise, wanted);
      await setImmediate();
      assert.equal(one.words.filter((word) => word === "error").length, 1);
    }
  });

  it("take the end of the connection for the answer's where nothing else says its length", async (t) => {
    const { ask } = await worldOf(t, (socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nhello"));
    const one = ask();
    assert.equal(await one.over.promise, "end");
    assert.equal(one.body, "hello");
  });

  it("close the connection of a request that is broken off, also from within its answer", async (t) => {
    const { ask, sockets } = await worldOf(t, (socket) => socket.write(HELLO.slice(0, -2)));
    const one = ask();
    one.onPiece = () => one.sending?.abort(new Error("enough"));
    assert.equal(await one.over.promise, "none: enough");
    one.sending?.abort(new Error("again"));
    assert.deepEqual(one.words, ["send", "head 200", "error"]);
    const [socket] = sockets;
    if (socket?.closed === false) await once(socket, "close");
  });

  it("keep the connection of a request that was given up before it was sent", async (t) => {
    const { ask, asked, sockets, connections } = await worldOf(t, (socket) => socket.write(HELLO));
    for (const known of [0, 1]) {
      const one = new Noted();
      one.onSend = (sending) => sending.abort(new Error("too late"));
      connections.send(QUESTION, one);
      assert.equal(await one.over.promise, "none: too late");
      assert.equal(asked.length, known);
      assert.equal(await ask().over.promise, "end");
    }
    assert.equal(sockets.length, 1);
  });

  it("read nothing while they are paused, and everything afterwards", async (t) => {
    const body = "x".repeat(8 * 1024 * 1024);
    let server: Socket | null = null;
    const { ask } = await worldOf(t, (socket) => {
      server = socket;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    });
    const one = ask();
    const began = Promise.withResolvers<void>();
    one.onPiece = () => {
      one.sending?.pause();
      began.resolve();
    };
    await began.promise;
    const read = one.body.length;
    await setTimeout(50);
    // What had been read when it was paused may still have come.
    assert.ok(one.body.length <= read + 64 * 1024, `${one.body.length - read} bytes came`);
    assert.ok(server !== null && (server as Socket).writableLength > 0);
    one.onPiece = () => undefined;
    one.sending?.resume();
    assert.equal(await one.over.promise, "end");
    assert.equal(one.body.length, body.length);
  });

  it("tell that nobody listens, and that they are closed", async (t) => {
    const { ask, connections, sockets } = await worldOf(t, () => undefined);
    const nobody = new Connections({ secure: false, host: "127.0.0.1", port: 1, connectMs: 1_000 });
    const refused = new Noted();
    nobody.send(QUESTION, refused);
    assert.match(await refused.over.promise, /^ECONNREFUSED/);
    assert.deepEqual(refused.words, ["error"]);
    const open = ask();
    while (sockets.length === 0) await setImmediate();
    connections.destroy();
    assert.match(await open.over.promise, /^ECONNRESET/);
    assert.match(await ask().over.promise, /closing/);
  });

  it("give up to connect in their time", async (t) => {
    // It takes connections and never shakes hands.
    const { sockets } = await worldOf(t, () => undefined);
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on("error", () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => server.close());
    const address = server.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const late = new Connections({ secure: true, host: "127.0.0.1", port, connectMs: 30 });
    const one = new Noted();
    late.send(QUESTION, one);
    assert.match(await one.over.promise, /^ETIMEDOUT/);
    assert.deepEqual(one.words, ["error"]);
  });
});
