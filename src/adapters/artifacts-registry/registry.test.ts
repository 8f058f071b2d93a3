import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { artifactsContract } from "../../../test/contract/artifacts.ts";
import {
  blobOf,
  descriptorOf,
  inParts,
  manifestOf,
  readAll,
} from "../../../test/support/artifacts.ts";
import {
  absent,
  type RegistryConfig,
  startRegistry,
} from "../../../test/support/docker-registry.ts";
import { TideoverError } from "../../lib/errors.ts";
import { MEDIA } from "../../model/artifact.ts";
import { openRegistry } from "./registry.ts";

artifactsContract(
  "registry",
  async () => {
    const registry = await startRegistry();
    return {
      open: async () => openRegistry({ url: `http://${registry.host}/team/app` }),
      fileOf: registry.blobPath,
      resumes: false,
      untags: false,
      end: registry.stop,
    };
  },
  { skip: absent("docker-registry") },
);

const skip = absent("docker-registry");

describe("a real registry", { skip }, () => {
  test("a large blob is sent in parts, and goes on after the last whole one", async (t) => {
    const { registry, folder } = await realRegistry(t);
    const options = {
      url: `http://${registry.host}/team/app`,
      uploads: folder,
      partBytes: 100_000,
    };
    const blob = blobOf(350_000);
    const first = openRegistry(options);
    await assert.rejects(
      first.putBlob(blob.descriptor, stopsAfterParts(blob.bytes, 200_000)),
      /ended after 200000 of 350000/,
    );
    await first.close();
    const second = openRegistry(options);
    t.after(() => second.close());
    assert.equal(await second.partial(blob.descriptor.digest), 200_000);
    const rest = blob.bytes.subarray(200_000);
    await second.putBlob(blob.descriptor, inParts(rest), 200_000);
    assert.ok((await readAll(second.blob(blob.descriptor))).equals(blob.bytes));
    assert.equal(await second.partial(blob.descriptor.digest), 0);
  });

  test("an upload that goes on with wrong bytes is refused by the registry itself", async (t) => {
    const { registry, folder } = await realRegistry(t);
    const store = openRegistry({
      ...{ url: `http://${registry.host}/team/app`, uploads: folder, partBytes: 100_000 },
    });
    t.after(() => store.close());
    const blob = blobOf(250_000);
    const cut = store.putBlob(blob.descriptor, stopsAfterParts(blob.bytes, 100_000));
    await assert.rejects(cut, { code: "ARTIFACTS_UNAVAILABLE" });
    const kept = await store.partial(blob.descriptor.digest);
    const wrong = Buffer.from(blob.bytes.subarray(kept));
    wrong.writeUInt8(wrong.readUInt8(9) ^ 1, 9);
    await assert.rejects(store.putBlob(blob.descriptor, inParts(wrong), kept), /DIGEST_INVALID/);
    assert.equal(await store.has(blob.descriptor.digest), false);
  });

  test("a blob of a neighbouring repository is taken over without being sent", async (t) => {
    const { registry } = await realRegistry(t);
    const one = openRegistry({ url: `http://${registry.host}/team/one` });
    const two = openRegistry({ url: `http://${registry.host}/team/two` });
    t.after(() => Promise.all([one.close(), two.close()]));
    const blob = blobOf(10_000);
    await one.putBlob(blob.descriptor, inParts(blob.bytes));
    assert.equal(await two.adopt(blob.descriptor, one), true);
    assert.ok((await readAll(two.blob(blob.descriptor))).equals(blob.bytes));
    assert.equal(await two.adopt(blobOf("not there").descriptor, one), false);
  });

  test("a password opens it, and none or a wrong one is told with the variable's name", async (t) => {
    const { registry } = await realRegistry(t, async (folder) => {
      // Of "pw", by bcrypt: the only form that the registry takes.
      await writeFile(join(folder, "htpasswd"), `me:${HASH}\n`);
      return { more: `auth: {htpasswd: {realm: test, path: ${join(folder, "htpasswd")}}}` };
    });
    const url = `http://${registry.host}/team/app`;
    const admitted = openRegistry({ url, secret: "me:pw", authEnv: "REGISTRY_AUTH" });
    t.after(() => admitted.close());
    const blob = blobOf(10_000);
    // A body that is a stream is sent once: who one is has been told by then.
    await admitted.putBlob(blob.descriptor, inParts(blob.bytes));
    assert.equal(await admitted.has(blob.descriptor.digest), true);
    for (const secret of ["me:wrong", "a-token", undefined]) {
      const authEnv = secret === undefined ? undefined : "REGISTRY_AUTH";
      const refused = openRegistry({ url, secret, authEnv });
      await assert.rejects(refused.tags(), (error: unknown) => {
        assert.ok(error instanceof TideoverError && error.code === "UNAUTHORIZED");
        assert.match(error.next ?? "", secret === undefined ? /--auth-env/ : /REGISTRY_AUTH/);
        assert.doesNotMatch(`${error.message}${error.next}`, /wrong|a-token/);
        return true;
      });
      await refused.close();
    }
  });

  test("TLS is spoken, and a certificate of a stranger refused", {
    skip: absent("openssl"),
  }, async (t) => {
    const { registry, folder } = await realRegistry(t, async (at) => {
      await exec("openssl", [
        ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
        ...["-keyout", join(at, "key.pem"), "-out", join(at, "cert.pem"), "-days", "1"],
        ...["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"],
      ]);
      return {
        http: `  tls: {certificate: ${join(at, "cert.pem")}, key: ${join(at, "key.pem")}}`,
      };
    });
    const url = `https://${registry.host}/team/app`;
    const trusting = openRegistry({ url, ca: await readFile(join(folder, "cert.pem"), "utf8") });
    assert.deepEqual(await trusting.tags(), []);
    const strict = openRegistry({ url });
    await assert.rejects(strict.tags(), { code: "ARTIFACTS_UNAVAILABLE" });
    await Promise.all([trusting.close(), strict.close()]);
  });
});

describe("a registry of another make", () => {
  test("its own list of referrers is read to the last page, and nothing is written beside it", async (t) => {
    const subject = descriptorOf(manifestOf([]));
    const listed = [blobOf("a"), blobOf("b")].map(({ descriptor }) => descriptor);
    const asked: string[] = [];
    const url = await fakeRegistry(t, (request, response) => {
      asked.push(`${request.method} ${request.url}`);
      const page = Number(new URL(request.url ?? "", "http://x").searchParams.get("page") ?? 0);
      if (!request.url?.includes("/referrers/")) {
        if (request.method === "PUT") {
          return void response.writeHead(201, { "oci-subject": subject.digest }).end();
        }
        const there = request.method === "HEAD";
        return void response.writeHead(there ? 200 : 404).end();
      }
      const link = page === 0 ? { link: `<${request.url}?page=1>; rel="next"` } : {};
      response.writeHead(200, { "content-type": MEDIA.index, ...link });
      response.end(JSON.stringify({ schemaVersion: 2, manifests: listed.slice(page, page + 1) }));
    });
    const store = openRegistry({ url });
    t.after(() => store.close());
    const found = (await store.referrers(subject.digest)).map(({ digest }) => digest);
    assert.deepEqual(found, listed.map(({ digest }) => digest).sort());
    asked.length = 0;
    await store.putManifest(manifestOf([], subject), MEDIA.manifest);
    assert.equal(asked.filter((one) => one.startsWith("PUT")).length, 1);
  });

  test("a token service is asked once for what the registry wants", async (t) => {
    const asked: string[] = [];
    const url = await fakeRegistry(t, (request, response, host) => {
      const { pathname, searchParams } = new URL(request.url ?? "", "http://x");
      if (pathname === "/token") {
        const [service, scope] = [searchParams.get("service"), searchParams.get("scope")];
        asked.push(`${request.headers.authorization} ${service} ${scope}`);
        return void response.end(JSON.stringify({ token: "t0k3n" }));
      }
      if (request.headers.authorization !== "Bearer t0k3n") {
        const challenge = `Bearer realm="http://${host}/token",service="reg",scope="repository:team/app:pull"`;
        return void response.writeHead(401, { "www-authenticate": challenge }).end();
      }
      response.end(JSON.stringify({ tags: ["v1"] }));
    });
    const store = openRegistry({ url, secret: "me:pw" });
    t.after(() => store.close());
    assert.deepEqual(await store.tags(), ["v1"]);
    assert.deepEqual(await store.tags(), ["v1"]);
    const basic = `Basic ${Buffer.from("me:pw").toString("base64")}`;
    assert.deepEqual(asked, [`${basic} reg repository:team/app:pull`]);
  });

  test("many who ask at once, before anyone has logged in, are all let in", async (t) => {
    const url = await fakeRegistry(t, (request, response) => {
      if (request.headers.authorization !== undefined) return void response.end("{}");
      response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
    });
    const store = openRegistry({ url, secret: "me:pw" });
    t.after(() => store.close());
    const digests = Array.from({ length: 20 }, (_, n) => blobOf(`${n}`).descriptor.digest);
    const there = await Promise.all(digests.map((digest) => store.has(digest)));
    assert.ok(there.every((one) => one));
  });

  test("a token that runs out between two parts is asked for anew", async (t) => {
    const blob = blobOf(250_000);
    const received: Buffer[] = [];
    let tokens = 0;
    let uses = 0;
    const url = await fakeRegistry(t, async (request, response, host) => {
      const { pathname } = new URL(request.url ?? "", "http://x");
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      if (pathname === "/token") {
        tokens += 1;
        uses = 0;
        return void response.end(JSON.stringify({ token: `t${tokens}` }));
      }
      uses += 1;
      // Good for two requests, as one of a minute is for two parts.
      if (request.headers.authorization !== `Bearer t${tokens}` || uses > 2) {
        const challenge = `Bearer realm="http://${host}/token",service="reg"`;
        return void response.writeHead(401, { "www-authenticate": challenge }).end();
      }
      if (request.method === "HEAD") return void response.writeHead(404).end();
      if (request.method === "PATCH") received.push(Buffer.concat(chunks));
      const status = request.method === "PUT" ? 201 : 202;
      response.writeHead(status, { location: `${pathname}/next` }).end();
    });
    const store = openRegistry({ url, secret: "me:pw", partBytes: 100_000 });
    t.after(() => store.close());
    await store.putBlob(blob.descriptor, inParts(blob.bytes));
    assert.ok(Buffer.concat(received).equals(blob.bytes));
    assert.ok(tokens > 1);
  });

  test("its storage service is followed to, and never shown our password", async (t) => {
    const blob = blobOf(5_000);
    const seen: (string | undefined)[] = [];
    const storage = await fakeRegistry(t, (request, response) => {
      seen.push(request.headers.authorization);
      response.end(blob.bytes);
    });
    const url = await fakeRegistry(t, (request, response) => {
      if (request.headers.authorization === undefined) {
        return void response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
      }
      response.writeHead(307, { location: `${new URL(storage).origin}/there` }).end();
    });
    const store = openRegistry({ url, secret: "me:pw" });
    t.after(() => store.close());
    assert.ok((await readAll(store.blob(blob.descriptor))).equals(blob.bytes));
    assert.deepEqual(seen, [undefined]);
  });

  test("who does not know ranges sends the whole, and only the rest is given on", async (t) => {
    const blob = blobOf(300_000);
    const url = await fakeRegistry(t, (_, response) => void response.end(blob.bytes));
    const store = openRegistry({ url });
    t.after(() => store.close());
    const rest = await readAll(store.blob(blob.descriptor, 123_456));
    assert.ok(rest.equals(blob.bytes.subarray(123_456)));
  });

  test("a manifest that is not what was asked for is refused with both digests", async (t) => {
    const other = manifestOf([]);
    const url = await fakeRegistry(t, (_, response) => {
      response.writeHead(200, { "content-type": MEDIA.manifest }).end(other);
    });
    const store = openRegistry({ url });
    t.after(() => store.close());
    const { digest } = blobOf("what was asked for").descriptor;
    const words = new RegExp(`expected ${digest}, found ${descriptorOf(other).digest}`);
    await assert.rejects(store.manifest(digest), words);
  });

  for (const status of [429, 500, 503]) {
    test(`an answer of ${status} is never taken for "it is not there"`, async (t) => {
      const url = await fakeRegistry(t, (_, response) => void response.writeHead(status).end());
      const store = openRegistry({ url });
      t.after(() => store.close());
      const { descriptor } = blobOf("x");
      const calls = [
        () => store.manifest("v1"),
        () => store.has(descriptor.digest),
        () => store.referrers(descriptor.digest),
        () => store.tags(),
        () => readAll(store.blob(descriptor)),
      ];
      for (const call of calls) {
        await assert.rejects(call, { code: "ARTIFACTS_UNAVAILABLE", retry: "later" });
      }
    });
  }

  const wrong = [
    "host/app",
    "http://host",
    "https://host/Team",
    "https://u:p@host/app",
    "ftp://h/a",
  ];
  for (const url of wrong) {
    test(`${url.replace("u:p", "user:password")} is no address, and says what one is`, () => {
      assert.throws(
        () => openRegistry({ url }),
        (error: unknown) => {
          assert.ok(error instanceof TideoverError && error.code === "USAGE");
          assert.doesNotMatch(error.message, /u:p/);
          return true;
        },
      );
    });
  }
});

const exec = promisify(execFile);
const HASH = "$2y$05$abcdefghijklmnopqrstuuHIrMEWpUCQe2YqFR3sXwQ75u4od..9q";

async function realRegistry(
  t: TestContext,
  prepare: (folder: string) => Promise<RegistryConfig> = async () => ({}),
) {
  const folder = await mkdtemp(join(tmpdir(), "tideover-registry-"));
  const registry = await startRegistry({ ...(await prepare(folder)), folder });
  t.after(() => registry.stop());
  return { registry, folder };
}

/** Whole parts, and then an end that comes too early: what a source does that breaks off. */
async function* stopsAfterParts(bytes: Buffer, count: number) {
  yield* inParts(bytes.subarray(0, count), 50_000);
  throw new TideoverError(`ended after ${count} of ${bytes.length}`, {
    code: "ARTIFACTS_UNAVAILABLE",
  });
}

type Handler = (request: IncomingMessage, response: ServerResponse, host: string) => unknown;

/** An HTTP server that answers as the test wants; gives the address of a repository on it. */
async function fakeRegistry(t: TestContext, handler: Handler): Promise<string> {
  let host = "";
  const server = createServer((request, response) => void handler(request, response, host));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  host = `127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  return `http://${host}/team/app`;
}
