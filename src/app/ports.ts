import { createServer } from "node:net";
import { TideoverError } from "../lib/errors.ts";
import { listenAddress } from "./address.ts";

/** A role and the address that it needs. */
export interface Needed {
  readonly role: string;
  readonly address: string;
}

/**
 * Looks whether every address can be listened on, before anything is started: half an estate
 * would be worse than none. Throws PORT_TAKEN naming all that are taken.
 */
export async function requireFree(needed: readonly Needed[]): Promise<void> {
  const taken: string[] = [];
  for (const { role, address } of needed) {
    const problem = await tryListen(address);
    if (problem) taken.push(`${address} (${role}): ${problem}`);
  }
  if (taken.length === 0) return;
  throw new TideoverError(`cannot listen on ${taken.join("; ")}`, {
    code: "PORT_TAKEN",
    retry: "later",
    next: "Stop what uses them (another estate?), change the addresses in the spec, or add --free-ports.",
  });
}

/** `count` ports that nobody listens on now, on 127.0.0.1, no two alike. */
export async function freePorts(count: number): Promise<number[]> {
  // All are held open together: asked for one by one, the same port could be given twice.
  const servers = await Promise.all(Array.from({ length: count }, () => listenOn("127.0.0.1", 0)));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address ? address.port : 0;
  });
  await Promise.all(servers.map(close));
  return ports;
}

async function tryListen(address: string): Promise<string | null> {
  const { host, port } = listenAddress(address);
  try {
    await close(await listenOn(host, port));
    return null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "EADDRINUSE" ? "already in use" : String(code ?? error);
  }
}

type Server = ReturnType<typeof createServer>;

function listenOn(host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
