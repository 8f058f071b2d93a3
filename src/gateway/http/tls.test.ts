import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import {
  connect,
  createServer,
  getCACertificates,
  type SecureVersion,
  setDefaultCACertificates,
  type TLSSocket,
} from "node:tls";
import { promisify } from "node:util";
import { absent } from "../../../test/support/docker-registry.ts";
import { Pools } from "../targets/pools.ts";
import type { Listener } from "./connection.ts";

const exec = promisify(execFile);
const HELLO = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
/** Whoever holds these can take up a session that another server of the same keys has given. */
const TICKET_KEYS = Buffer.alloc(48, 7);

interface Identity {
  readonly key: string;
  readonly cert: string;
}

describe("connections over TLS", { skip: absent("openssl") }, () => {
  const trusted = getCACertificates("default");
  let folder: string;
  let ours: Identity;
  let strangers: Identity;
  let elsewhere: Identity;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "tideover-tls-"));
    ours = await identity("ours", "DNS:localhost,IP:127.0.0.1");
    strangers = await identity("strangers", "DNS:localhost,IP:127.0.0.1");
    elsewhere = await identity("elsewhere", "DNS:elsewhere.test");
    setDefaultCACertificates([ours.cert, elsewhere.cert]);
  });
  after(async () => {
    setDefaultCACertificates(trusted);
    await rm(folder, { recursive: true, force: true });
  });

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    it(`take up the session of the one before: ${version}`, async (t) => {
      const server = await serve(t, ours, version);
      const ask = asker(t);
      assert.equal(await ask(server.url), "hello");
      assert.equal(await ask(server.url), "hello");
      assert.equal(await ask(server.url), "hello");
      assert.deepEqual(server.reused, [false, true, true]);
    });

    it(`never show a session to another server, though it would take it: ${version}`, async (t) => {
      const first = await serve(t, ours, version);
      const second = await serve(t, ours, version);
      const ask = asker(t);
      assert.equal(await ask(first.url), "hello");
      assert.equal(await ask(second.url), "hello");
      // The same server under another name: its certificate was not looked at for that one.
      assert.equal(await ask(first.url.replace("localhost", "127.0.0.1")), "hello");
      assert.deepEqual([first.reused, second.reused], [[false, false], [false]]);
      const taken = await wouldTake(second.port, await sessionOf(first.port));
      assert.equal(taken, true, "the second takes the first one's sessions");
    });

    it(`never show one gateway's session in another's connections: ${version}`, async (t) => {
      const server = await serve(t, ours, version);
      assert.equal(await asker(t)(server.url), "hello");
      assert.equal(await asker(t)(server.url), "hello");
      assert.deepEqual(server.reused, [false, false]);
    });
  }

  const refused: readonly (readonly [string, () => Identity, RegExp])[] = [
    ["a stranger's certificate", () => strangers, /DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED/],
    ["the certificate of another name", () => elsewhere, /ERR_TLS_CERT_ALTNAME_INVALID/],
  ];
  for (const [name, whose, expected] of refused) {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      it(`refuse ${name} each time, before anything is sent: ${version}`, async (t) => {
        const server = await serve(t, whose(), version);
        const ask = asker(t);
        // A session that came with it would pass for the look at the certificate.
        for (let i = 0; i < 3; i++) assert.match(await ask(server.url), expected);
        assert.deepEqual([server.asked, server.reused.filter((reused) => reused)], [0, []]);
      });
    }
  }

  async function identity(name: string, names: string): Promise<Identity> {
    const [keyFile, certFile] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
    await exec("openssl", [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-keyout", keyFile, "-out", certFile, "-days", "1"],
      ...["-subj", `/CN=${name}`, "-addext", `subjectAltName=${names}`],
    ]);
    return { key: await readFile(keyFile, "utf8"), cert: await readFile(certFile, "utf8") };
  }
});

/** Answers each request and then closes, so that the next one needs a new connection. */
async function serve(t: TestContext, identity: Identity, version: SecureVersion) {
  const sockets = new Set<TLSSocket>();
  const options = {
    ...identity,
    ticketKeys: TICKET_KEYS,
    minVersion: version,
    maxVersion: version,
  };
  const server = createServer(options, (socket) => {
    sockets.add(socket);
    told.reused.push(socket.isSessionReused());
    socket.on("error", () => undefined);
    socket.once("data", () => {
      told.asked += 1;
      socket.end(HELLO);
    });
  });
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const reused: boolean[] = [];
  const told = { url: `https://localhost:${port}`, port, asked: 0, reused };
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return told;
}

/** Asks as a gateway does. Gives the body, or why there is none. */
function asker(t: TestContext): (url: string) => Promise<string> {
  const pools = new Pools({ connectMs: 5_000 });
  t.after(() => pools.close());
  return (url) =>
    new Promise((resolve) => {
      const place = pools.place(url, "/v1") ?? assert.fail("no URL");
      let body = "";
      const listener: Listener = {
        onSend: () => undefined,
        onHead: () => undefined,
        onBody: (piece) => {
          body += piece.toString("latin1");
        },
        onRead: () => undefined,
        onEnd: () => resolve(body),
        onError: (error) => resolve(`${"code" in error ? error.code : "none"}: ${error.message}`),
      };
      const { path, host } = place;
      pools.of(place).send({ method: "GET", path, host, headers: {}, body: null }, listener);
    });
}

/** A session of a server, by node's own client. */
async function sessionOf(port: number): Promise<Buffer> {
  const socket = connect({ port, host: "localhost", servername: "localhost" });
  const [given] = await once(socket, "session");
  socket.destroy();
  assert.ok(given instanceof Buffer);
  return given;
}

async function wouldTake(port: number, session: Buffer): Promise<boolean> {
  const socket = connect({ port, host: "localhost", servername: "localhost", session });
  await once(socket, "secureConnect");
  const taken = socket.isSessionReused();
  socket.destroy();
  return taken;
}
