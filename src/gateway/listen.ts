import { type AddressInfo, createServer, type Server } from "node:net";
import { messageOf, TideoverError } from "../lib/errors.ts";

export interface Address {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

/**
 * `shared`: beside other sockets of this user on the same address, among which the kernel spreads
 * the connections. Throws PORT_TAKEN when somebody else listens there.
 */
export function listen(server: Server, { host, port }: Address, shared = false): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(listenError(error, { host, port })));
    server.listen({ host, port, reusePort: shared }, () => resolve());
  });
}

/**
 * Throws PORT_TAKEN when anybody listens there, also one who would share. Without this look a
 * second gateway of several threads would silently take half of the first one's connections.
 */
export async function requireFree(address: Address): Promise<void> {
  const server = createServer();
  await listen(server, address);
  await new Promise((resolve) => server.close(resolve));
}

/** Such as `http://127.0.0.1:7101`. */
export function urlOf(server: Server, host: string): string {
  const address = server.address() as AddressInfo;
  return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}

export function listenError(error: Error, { host, port }: Address): TideoverError {
  const code = "code" in error ? error.code : undefined;
  const cannot = `the gateway cannot listen on ${host}:${port}`;
  if (code === "EADDRINUSE") {
    return new TideoverError(`${cannot}: the port is taken`, {
      code: "PORT_TAKEN",
      retry: "later",
      next: "Stop the process that listens there, or give this region's gateway another port.",
      cause: error,
    });
  }
  if (code === "ENOTSUP") {
    return new TideoverError(`${cannot} with several workers: this system cannot share a port`, {
      code: "USAGE",
      next: "Run it with --workers 1 (and without `workers` in the spec), or on Linux.",
      cause: error,
    });
  }
  return new TideoverError(`${cannot}: ${messageOf(error)}`, {
    code: "USAGE",
    next: "Give this region's gateway an address of this machine.",
    cause: error,
  });
}
