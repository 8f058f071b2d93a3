import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { messageOf, TideoverError } from "../lib/errors.ts";
import type { ModelEntry, ModelList } from "../wire/openai.ts";
import { handleChat, unknownModel } from "./chat.ts";
import { handleEmbeddings } from "./embeddings.ts";
import { runtimeFacts } from "./facts.ts";
import { Refusal, readBody, send, sendFault, sendJson } from "./http.ts";
import { createState, type RuntimeOptions, type RuntimeState } from "./state.ts";

/**
 * The reference model runtime: an OpenAI-compatible server that needs no model. It is NOT a language
 * model and does not pass for one: answers are sentences lifted from the prompt (answer.ts), vectors
 * are hashed words (embedding.ts), and /v1/models says so. It exists so that a whole estate runs on
 * one machine, and so that whatever a failover gets wrong changes an answer that a test can see.
 */

export interface RunningRuntime {
  /** Such as `http://127.0.0.1:8000`, without a path. */
  readonly url: string;
  readonly port: number;
  /** Cuts what is being answered and frees the port. May be called again. */
  readonly close: () => Promise<void>;
}

/**
 * Starts a server and resolves when it listens.
 *
 * Throws TideoverError: PORT_TAKEN when the address is in use, USAGE when it cannot be listened on.
 */
export async function startRuntime(options: RuntimeOptions): Promise<RunningRuntime> {
  const state = createState(options);
  const server = createServer((request, response) => void serve(state, request, response));
  const address = await listen(server, state.options.host, state.options.port);
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return { url: `http://${host}:${address.port}`, port: address.port, close: () => close(server) };
}

async function listen(server: Server, host: string, port: number): Promise<AddressInfo> {
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (error) {
    throw listenFault(error, `${host}:${port}`);
  }
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("not a TCP address");
  return address;
}

function listenFault(error: unknown, address: string): TideoverError {
  const taken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
  if (!taken) {
    const message = `the runtime cannot listen on ${address}: ${messageOf(error)}`;
    const next = "Choose a host and a port that this machine may listen on.";
    return new TideoverError(message, { code: "USAGE", next, cause: error });
  }
  const next = "Stop what listens there, or choose another port for this runtime.";
  const message = `${address} is already in use`;
  return new TideoverError(message, { code: "PORT_TAKEN", next, cause: error });
}

async function close(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, "close");
  server.close();
  // Streams would otherwise keep the process alive for as long as their readers like.
  server.closeAllConnections();
  await closed;
}

async function serve(
  state: RuntimeState,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const requestId = request.headers["x-request-id"];
  if (typeof requestId === "string") response.setHeader("x-request-id", requestId);
  // A caller that hangs up in the middle is no error of this server's.
  response.on("error", () => undefined);
  try {
    await route(state, request, response);
  } catch (error) {
    if (!response.destroyed) sendFault(response, error);
  }
}

type Endpoint = (
  state: RuntimeState,
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<void> | void;

const ENDPOINTS: Readonly<Record<string, Endpoint>> = {
  "POST /v1/chat/completions": async (state, request, response) =>
    handleChat(state, await readBody(request), response),
  "POST /v1/embeddings": async (state, request, response) =>
    handleEmbeddings(state, await readBody(request), response),
  "GET /v1/models": (state, _request, response) => sendJson(response, 200, modelList(state)),
  "GET /tideover/runtime": (state, _request, response) =>
    sendJson(response, 200, runtimeFacts(state)),
  "GET /health": (_state, _request, response) => sendJson(response, 200, { status: "ok" }),
  "GET /metrics": async (state, _request, response) =>
    send(response, 200, state.metrics.contentType, await state.metrics.text()),
};

async function route(
  state: RuntimeState,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const method = request.method ?? "GET";
  const path = (request.url ?? "/").split("?")[0] ?? "/";
  const endpoint = ENDPOINTS[`${method} ${path}`];
  if (endpoint !== undefined) return await endpoint(state, request, response);
  if (method === "GET" && path.startsWith("/v1/models/")) {
    return sendModel(state, path.slice("/v1/models/".length), response);
  }
  throw unknownPath(method, path, response);
}

function unknownPath(method: string, path: string, response: ServerResponse): Refusal {
  const allowed = ["GET", "POST"].filter((other) => `${other} ${path}` in ENDPOINTS);
  const known = Object.keys(ENDPOINTS).join(", ");
  if (allowed.length === 0) {
    const message = `Invalid URL (${method} ${path.slice(0, 200)}). Served here: ${known}.`;
    return new Refusal(404, message, "unknown_url");
  }
  response.setHeader("allow", allowed.join(", "));
  const message = `${method} is not allowed on ${path}. Use ${allowed.join(" or ")}.`;
  return new Refusal(405, message, "method_not_allowed");
}

function sendModel(state: RuntimeState, encoded: string, response: ServerResponse): void {
  const { data } = modelList(state);
  const entry = data.find(({ id }) => id === encoded || encodeURIComponent(id) === encoded);
  if (entry === undefined) {
    throw unknownModel(
      encoded,
      data.map(({ id }) => id),
    );
  }
  sendJson(response, 200, entry);
}

/** Both models, each with a plain word on what it is. */
function modelList(state: RuntimeState): ModelList {
  const { model, modelDigest, embeddingModel, embeddingSalt, maxModelTokens } = state.options;
  const common = { object: "model", created: 0, owned_by: "tideover-reference", weights: "none" };
  const chat: ModelEntry = {
    ...common,
    object: "model",
    id: model,
    description:
      "Reference runtime: not a language model. Answers are sentences lifted from the prompt.",
    artifact_digest: modelDigest,
    max_model_len: maxModelTokens,
  };
  const embedding: ModelEntry = {
    ...common,
    object: "model",
    id: embeddingModel,
    description: "Reference runtime: lexical embeddings, hashed words. No synonyms, no meaning.",
    embedding_version: embeddingSalt,
    dimensions: state.embedder.dimensions,
  };
  return { object: "list", data: [chat, embedding] };
}
