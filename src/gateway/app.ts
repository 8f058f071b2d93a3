import { createHash, timingSafeEqual } from "node:crypto";
import { GATEWAY_PATHS, HEADERS } from "../wire/headers.ts";
import { completions } from "./api/completions.ts";
import { responses } from "./api/responses.ts";
import { authenticate } from "./chain/authenticate.ts";
import {
  type Answer,
  type Call,
  type Handler,
  type WholeAnswer,
  withHeaders,
} from "./chain/call.ts";
import { requestChain } from "./chain/chain.ts";
import { nothingKnown } from "./chain/known.ts";
import { nobodyAnswered } from "./chain/nobody.ts";
import { refuse, retryAfter } from "./chain/refuse.ts";
import * as endpoints from "./endpoints.ts";
import type { Refusal } from "./http/caller.ts";
import type { Inbound } from "./http/inbound.ts";
import type { BadMessage } from "./http/message.ts";
import type { Serving } from "./http/server.ts";
import type { Tools } from "./options.ts";
import { reply } from "./reply.ts";
import type { ServedSnapshot } from "./served-release.ts";

/** One exchange with a caller, before anything of it was judged. */
interface Exchange {
  readonly request: Inbound;
  readonly id: string;
  /** What follows `/v1/models/`. */
  readonly rest: string;
}

type Endpoint = (exchange: Exchange) => Promise<Answer> | Answer;

interface Path {
  readonly path: string | RegExp;
  /** By method. HEAD goes with GET. */
  readonly methods: Readonly<Record<string, Endpoint>>;
}

/** Everything that a gateway answers over HTTP. `requestId` makes the ids of callers' requests. */
export function createApp(tools: Tools, requestId: () => string): Omit<Serving, "times"> {
  const paths = pathsOf(tools);
  return {
    answer: (inbound) => void answerOne(tools, paths, requestId, inbound),
    refusal: (fault) => refusalOf(tools, requestId, fault),
    failed: (error) => tools.logger.error({ err: error }, "a caller could not be taken"),
  };
}

function pathsOf(tools: Tools): readonly Path[] {
  // Once: a chain of its own would give every API its own rate limit.
  const chain = requestChain(tools);
  const guarded = authenticate();
  const chained = (handler: Handler) => (exchange: Exchange) => run(tools, handler, exchange);
  const listed = (handler: Handler) => (exchange: Exchange) => runNamed(tools, handler, exchange);
  return [
    { path: "/v1/chat/completions", methods: { POST: chained(chain) } },
    { path: "/v1/completions", methods: { POST: chained(completions(chain)) } },
    { path: "/v1/responses", methods: { POST: chained(responses(chain)) } },
    {
      path: "/v1/embeddings",
      methods: { POST: chained((call) => chain({ ...call, api: "embeddings" })) },
    },
    { path: "/v1/models", methods: { GET: listed(guarded(endpoints.models())) } },
    {
      path: /^\/v1\/models\/(?<rest>.+)$/,
      methods: {
        GET: (exchange) => runNamed(tools, guarded(endpoints.model(exchange.rest)), exchange),
      },
    },
    { path: "/healthz", methods: { GET: () => endpoints.health(tools) } },
    { path: "/readyz", methods: { GET: () => endpoints.ready(tools) } },
    { path: "/metrics", methods: { GET: () => endpoints.metricsPage(tools) } },
    { path: GATEWAY_PATHS.status, methods: { GET: () => endpoints.status(tools) } },
    {
      path: GATEWAY_PATHS.snapshot,
      methods: {
        GET: ({ request }) =>
          holdsToken(tools.estateToken, bearerOf(request))
            ? endpoints.currentSnapshot(tools)
            : refuse(NOT_OURS),
        PUT: ({ request }) => endpoints.offerSnapshot(tools, request),
      },
    },
  ];
}

async function answerOne(
  tools: Tools,
  paths: readonly Path[],
  requestId: () => string,
  request: Inbound,
): Promise<void> {
  const id = idOf(request, requestId);
  try {
    const came = await dispatch(paths, { request, id, rest: "" });
    const answer = came.kind === "unanswered" ? refuse(FAILED) : came;
    const names = { [HEADERS.requestId]: id, [HEADERS.region]: tools.region };
    const told = reply(request, withHeaders(answer, names));
    if (told !== undefined) await told;
  } catch (error) {
    tools.logger.error({ requestId: id, err: error }, "an exchange failed inside the gateway");
    // Part of the answer may be out: only breaking the connection tells that it is not whole.
    if (request.hasBegun) request.abort();
    else await reply(request, refuse({ ...FAILED, headers: { [HEADERS.requestId]: id } }));
  }
}

/** What is said to a caller whose bytes are no request that can be trusted. */
function refusalOf(
  tools: Tools,
  requestId: () => string,
  { status, message }: BadMessage,
): Refusal {
  const headers = { [HEADERS.requestId]: requestId(), [HEADERS.region]: tools.region };
  return refuse({
    status,
    code: "malformed_request",
    message: `This is no request that can be read: ${message}.`,
    headers,
  });
}

const FAILED = {
  status: 500,
  code: "internal_error",
  message: "The gateway failed on this request; its log has the cause under the request's id.",
} as const;

/**
 * The id that another gateway or the client gave, so that the logs of all the gateways which had a
 * part in a request tell of one request; else a new one. A caller's own must be a uuid: any shorter
 * word would sooner or later be somebody else's, too.
 */
function idOf(request: Inbound, requestId: () => string): string {
  const given = request.headers[HEADERS.requestId];
  const forwarded = request.headers[HEADERS.forwardedBy] !== undefined;
  const form = forwarded ? GATEWAYS_ID : UUID;
  return given !== undefined && form.test(given) ? given : requestId();
}

const GATEWAYS_ID = /^[\w.:-]{1,128}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function dispatch(paths: readonly Path[], exchange: Exchange): Promise<Answer> | Answer {
  const { method, target } = exchange.request;
  const pathname = target.split("?", 1)[0] ?? "/";
  for (const { path, methods } of paths) {
    const rest = matched(path, pathname);
    if (rest === null) continue;
    const endpoint = methods[method === "HEAD" ? "GET" : method];
    if (endpoint !== undefined) return endpoint({ ...exchange, rest });
    return wrongMethod(method, pathname, allowed(methods));
  }
  return refuse({
    status: 404,
    code: "unknown_url",
    message: `Unknown request URL: ${method} ${pathname.slice(0, 200)}. There are POST /v1/chat/completions, /v1/responses, /v1/completions and /v1/embeddings, and the workflows at GET /v1/models.`,
  });
}

/** What the path's last part is, "" for a fixed path; null when it is another path. */
function matched(path: string | RegExp, pathname: string): string | null {
  if (typeof path === "string") return path === pathname ? "" : null;
  const rest = path.exec(pathname)?.groups?.rest;
  if (rest === undefined) return null;
  try {
    return decodeURIComponent(rest);
  } catch {
    // `%zz`: no workflow is called that, and the answer shows the name as it came.
    return rest;
  }
}

function allowed(methods: Path["methods"]): string {
  const names = Object.keys(methods);
  return [...names, ...(names.includes("GET") ? ["HEAD"] : []), "OPTIONS"].join(", ");
}

function wrongMethod(method: string, pathname: string, allow: string): WholeAnswer {
  if (method === "OPTIONS") {
    return { kind: "whole", status: 204, headers: { allow }, body: "", facts: {} };
  }
  return refuse({
    status: 405,
    code: "method_not_allowed",
    message: `${method} is not possible at ${pathname}. Use one of: ${allow}.`,
    headers: { allow },
  });
}

/** Runs a handler that needs a snapshot. */
function run(tools: Tools, handler: Handler, exchange: Exchange): Promise<Answer> | Answer {
  const snapshot = tools.snapshots.current();
  return snapshot === null ? refuse(noSnapshot(tools)) : handler(callOf(tools, snapshot, exchange));
}

/** The same for one whose answers do not say themselves which snapshot they were made under. */
async function runNamed(tools: Tools, handler: Handler, exchange: Exchange): Promise<Answer> {
  const snapshot = tools.snapshots.current();
  if (snapshot === null) return refuse(noSnapshot(tools));
  const call = callOf(tools, snapshot, exchange);
  const answer = await handler(call);
  const told = answer.kind === "unanswered" ? nobodyAnswered(call, answer.facts) : answer;
  // A list of workflows, too, is what one snapshot says and another may not.
  return withHeaders(told, {
    [HEADERS.release]: snapshot.releaseDigest,
    [HEADERS.snapshot]: String(snapshot.number),
  });
}

function callOf(tools: Tools, snapshot: ServedSnapshot, exchange: Exchange): Call {
  const { request, id } = exchange;
  return {
    id,
    api: "chat",
    toChat: null,
    headers: request.headers,
    readBody: (limitBytes) => request.readBody(limitBytes),
    arrivedAt: tools.clock.monotonic(),
    signal: request.over,
    snapshot,
    forwardedBy: request.headers[HEADERS.forwardedBy] ?? null,
    readiness: holdsToken(tools.estateToken, request.headers[HEADERS.readiness]),
    canary: holdsToken(tools.estateToken, request.headers[HEADERS.canary]),
    ticket: { admitted: false },
    known: nothingKnown(snapshot),
    tenant: null,
    body: NOTHING,
    workflow: null,
    request: null,
    embeddings: null,
    route: null,
    mode: null,
    documents: NO_DOCUMENTS,
  };
}

/** Until the body was read. */
const NOTHING = Buffer.alloc(0);
const NO_DOCUMENTS: Call["documents"] = [];

/** Digests first: `timingSafeEqual` wants equal lengths, and a length is a secret's property too. */
function holdsToken(token: string | null, given: unknown): boolean {
  if (token === null || token === "" || typeof given !== "string") return false;
  const [held, shown] = [token, given].map((text) => createHash("sha256").update(text).digest());
  return held !== undefined && shown !== undefined && timingSafeEqual(held, shown);
}

function bearerOf(request: Inbound): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? "")?.[1];
}

/** A snapshot names every tenant: only the estate's own processes may read it. */
const NOT_OURS = {
  status: 401,
  code: "invalid_token",
  message: "Snapshots are for the estate's own processes: send its token as a bearer token.",
} as const;

function noSnapshot(tools: Tools) {
  return {
    status: 503,
    code: "no_snapshot",
    message: `The gateway of ${tools.region} has not been told yet who serves what. Try again shortly, or ask another region's gateway.`,
    headers: retryAfter(1_000),
  } as const;
}
