import assert from "node:assert/strict";
import { createServer, type Server } from "node:net";
import { after, before, test } from "node:test";
import { TideoverError } from "../lib/errors.ts";
import { listenAddress } from "./address.ts";
import { freePorts, requireFree } from "./ports.ts";

const servers: Server[] = [];
let taken: string[] = [];
let free: string[] = [];

before(async () => {
  const ports = await freePorts(4);
  const addresses = ports.map((port) => `127.0.0.1:${port}`);
  [taken, free] = [addresses.slice(0, 2), addresses.slice(2)];
  for (const address of taken) {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(listenAddress(address), resolve));
    servers.push(server);
  }
});

after(() => {
  for (const server of servers) server.close();
});

const needed = (...addresses: (string | undefined)[]) =>
  addresses.map((address, at) => ({ role: `role ${at}`, address: address ?? "" }));

test("what is free is free, and is so afterwards too", async () => {
  await requireFree(needed(...free));
  await requireFree(needed(...free));
  await requireFree([]);
});

test("all that are taken are named at once, with their roles, and no other", async () => {
  await assert.rejects(requireFree(needed(taken[0], free[0], taken[1], free[1])), (error) => {
    assert.ok(error instanceof TideoverError);
    assert.deepEqual([error.code, error.retry], ["PORT_TAKEN", "later"]);
    assert.equal(
      error.message,
      `cannot listen on ${taken[0]} (role 0): already in use; ${taken[1]} (role 2): already in use`,
    );
    assert.match(error.next ?? "", /--free-ports/);
    return true;
  });
});

test("an address that is not this machine's is told as it is", async () => {
  await assert.rejects(requireFree(needed("192.0.2.1:80")), { message: /\(role 0\): E[A-Z]+$/ });
});

test("free ports are distinct, and can be listened on", async () => {
  const ports = await freePorts(64);
  assert.equal(new Set(ports).size, 64);
  assert.ok(ports.every((port) => port > 0));
  await requireFree(needed(...ports.slice(0, 8).map((port) => `127.0.0.1:${port}`)));
  assert.deepEqual(await freePorts(0), []);
});

test("an address ends at its last colon", () => {
  assert.deepEqual(listenAddress("127.0.0.1:7100"), { host: "127.0.0.1", port: 7_100 });
  assert.deepEqual(listenAddress("::1:80"), { host: "::1", port: 80 });
});
