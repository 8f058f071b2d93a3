import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { messageOf, TideoverError } from "../lib/errors.ts";
import { createApp, type RequestListener } from "./app.ts";
import { createMetrics } from "./metrics.ts";
import { DEFAULT_TIMEOUTS, type GatewayOptions, type Tools } from "./options.ts";
import { Peers } from "./peers.ts";
import { RetryBudget } from "./targets/budget.ts";
import { Health } from "./targets/health.ts";
import { Memory } from "./targets/memory.ts";
import { Pools } from "./targets/pools.ts";

export interface Gateway {
  /** Where it listens, such as `http://127.0.0.1:7101`. */
  readonly url: string;
  /** Stops accepting, lets what is under way end for a bounded time, then breaks the rest off. */
  close(): Promise<void>;
}

/** An index is left alone after one failure: it has no equal to turn to. */
const INDEX_MEMORY = { failures: 1, firstMs: 500, longestMs: 5_000 };

/** A caller gets this long to send its headers, and then its whole body. Slower ones are attacks. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** Longer than the clients' pools keep theirs, so that they, not we, close an idle connection. */
const KEEP_ALIVE_MS = 65_000;

/**
 * Starts one region's gateway. It serves from the snapshot on its disk, or from a peer's if that is
 * newer, and needs nobody else: every controller and store may be gone. Throws PORT_TAKEN when the
 * address is in use and DISK_NOT_WRITABLE when its snapshot cannot be read.
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const tools = toolsOf(options);
  const refused = await tools.snapshots.load();
  if (refused !== null)
    tools.logger.error({ code: refused.code, next: refused.next }, refused.message);
  // Before the first request: what was kept may be the belief of before a failover.
  await tools.peers.learn();
  const server = serverOf(createApp(tools, options.requestId));
  try {
    await listen(server, options.host, options.port);
  } catch (error) {
    await tools.pools.close();
    throw error;
  }
  const url = urlOf(server, options.host);
  tools.logger.info({ region: tools.region, url, snapshot: tools.snapshots.number }, "gateway up");
  return { url, close: () => close(server, tools) };
}

function serverOf(app: RequestListener): Server {
  const timeouts = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  const server = createServer(timeouts, (request, response) => {
    // A kept-alive connection falls idle when its last answer is out; left open after `close`, it
    // would hold the process for as long as its client likes.
    response.on("close", () => {
      if (!server.listening) request.socket.destroySoon();
    });
    app(request, response);
  });
  return server;
}

function toolsOf(options: GatewayOptions): Tools {
  const { region, snapshots, clock } = options;
  const timeouts = { ...DEFAULT_TIMEOUTS, ...options.timeouts };
  const pools = new Pools(timeouts);
  const random = options.random ?? Math.random;
  const targets = new Health(clock, random);
  const retries = new RetryBudget(clock);
  return {
    region,
    snapshots,
    indexes: options.indexes,
    audit: options.audit,
    clock,
    logger: options.logger,
    keys: options.keys,
    estateToken: options.estateToken ?? null,
    random,
    timeouts,
    pools,
    peers: new Peers({
      region,
      snapshots,
      pools,
      clock,
      peerMs: timeouts.peerMs,
      token: options.estateToken ?? null,
      known: options.peers ?? new Map(),
    }),
    targets,
    retries,
    retrieval: new Memory(clock, INDEX_MEMORY),
    metrics: createMetrics({ snapshotNumber: () => snapshots.number, targets, retries }),
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(listenError(error, host, port)));
    server.listen({ host, port }, () => resolve());
  });
}

function listenError(error: Error, host: string, port: number): TideoverError {
  const taken = "code" in error && error.code === "EADDRINUSE";
  return taken
    ? new TideoverError(`the gateway cannot listen on ${host}:${port}: the port is taken`, {
        code: "PORT_TAKEN",
        retry: "later",
        next: "Stop the process that listens there, or give this region's gateway another port.",
        cause: error,
      })
    : new TideoverError(`the gateway cannot listen on ${host}:${port}: ${messageOf(error)}`, {
        code: "USAGE",
        next: "Give this region's gateway an address of this machine.",
        cause: error,
      });
}

function urlOf(server: Server, host: string): string {
  const address = server.address() as AddressInfo;
  return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
}

async function close(server: Server, tools: Tools): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const drained = tools.clock.after(tools.timeouts.drainMs, () => server.closeAllConnections());
  await closed;
  drained();
  await tools.pools.close();
}
