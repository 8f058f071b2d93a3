import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { messageOf, TideoverError } from "../lib/errors.ts";
import { AGENT_PATHS } from "../wire/headers.ts";
import { Bytes, isBearer, RequestError, sendBytes, sendError, sendJson } from "./http.ts";
import { ROUTES } from "./routes.ts";
import { serveArtifacts } from "./snapshots/serve.ts";
import type { World } from "./world.ts";

export interface AgentServer {
  readonly url: string;
  /** Takes no new requests, and resolves when those under way have ended. */
  close(): Promise<void>;
}

/** Listens. Throws PORT_TAKEN when another process has the port. */
export async function startServer(world: World): Promise<AgentServer> {
  const open = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const answered = answerOne(world, request, response).finally(() => open.delete(answered));
    open.add(answered);
  });
  const { host, port } = world.options;
  await listen(server, host, port);
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Writes under way end first: their caller closes the indexes next.
      await Promise.allSettled(open);
      server.closeAllConnections();
      await closed;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(explained(error, host, port)));
    server.listen(port, host, resolve);
  });
}

function explained(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code !== "EADDRINUSE") return error;
  return new TideoverError(`${host}:${port} is taken: the agent cannot listen there`, {
    code: "PORT_TAKEN",
    next: "End the process that listens there, or give the region another `agent:` address.",
    cause: error,
  });
}

/** What answers by itself, piece by piece. */
const SENT = Symbol("sent");

async function answerOne(world: World, request: IncomingMessage, response: ServerResponse) {
  // Without a listener, a caller that breaks off would end the process.
  response.on("error", () => undefined);
  try {
    const answer = await answerTo(world, request, response);
    if (answer instanceof Bytes) sendBytes(response, answer);
    else if (answer !== SENT) sendJson(response, 200, answer);
  } catch (error) {
    const { logger } = world.options;
    if (!(error instanceof TideoverError)) {
      logger.warn({ err: error }, `${request.method} ${request.url}: ${messageOf(error)}`);
    }
    if (!response.headersSent) sendError(response, error);
  }
}

async function answerTo(
  world: World,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<unknown> {
  const { method = "GET" } = request;
  const url = new URL(request.url ?? "/", "http://agent");
  if (url.pathname === AGENT_PATHS.health) return { status: "ok", region: world.options.region };
  if (!isBearer(request.headers.authorization, world.options.token)) {
    throw new RequestError(401, "this needs the estate's token", "Send `authorization: Bearer`.");
  }
  if (url.pathname.startsWith("/v2/")) {
    await serveArtifacts(world, request, response, url.pathname);
    return SENT;
  }
  const there = ROUTES.filter(({ path }) => path.test(url.pathname));
  const route = there.find((one) => one.method === method);
  if (route !== undefined) {
    const index = route.path.exec(url.pathname)?.[1] ?? "";
    return route.answer(world, { request, query: url.searchParams, index });
  }
  const [other] = there;
  if (other !== undefined) {
    throw new RequestError(405, `${method} is not possible here`, `Use ${other.method}.`);
  }
  throw new RequestError(
    404,
    `there is nothing at ${url.pathname.slice(0, 200)}`,
    "Mend the path.",
  );
}
