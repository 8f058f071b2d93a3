import { isFields, parseJson } from "../core/stream/frame.ts";
import type { StreamedApi } from "../core/stream/hearing.ts";
import { HEADERS } from "../wire/headers.ts";
import { restOf } from "./bases.ts";
import type { Fetch, Tools } from "./tools.ts";

/** One logical request, kept so that it can be sent more than once. */
export interface Asked {
  /** The caller's own `x-request-id`, or a new uuid: the same at every gateway that is asked. */
  readonly id: string;
  /** What follows a gateway's base URL. */
  readonly rest: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer> | null;
  /** The caller's options for its fetch, such as a dispatcher. */
  readonly init: RequestInit;
  /** Aborts when the caller aborts, or leaves its answer. */
  readonly signal: AbortSignal;
  readonly leave: (reason: unknown) => void;
  /** Monotonic ms. */
  readonly deadline: number;
  /** Whether sending it again does no harm when nobody knows what became of the first time. */
  readonly repeatable: boolean;
  /** Of a stream that can be gone on with when it is cut; null for everything else. */
  readonly streamed: StreamedBody | null;
}

export interface StreamedBody {
  readonly api: StreamedApi;
  readonly fields: Readonly<Record<string, unknown>>;
  /** Choices that were asked for. */
  readonly n: number;
}

/** Questions: asked twice, they cost twice and change nothing. */
const QUESTIONS = /\/(chat\/completions|completions|embeddings|responses|moderations)$/;
/** By the end of the path; the first that fits. */
const STREAMED: readonly (readonly [end: string, api: StreamedApi])[] = [
  ["/chat/completions", "chat"],
  ["/completions", "completions"],
  ["/responses", "responses"],
];

/** Reads a request to one of the gateways; null when it goes to somebody else, nothing of it read. */
export async function readRequest(
  tools: Tools,
  input: Parameters<Fetch>[0],
  init: RequestInit = {},
): Promise<Asked | null> {
  const given = input instanceof Request ? input : null;
  const rest = restOf(tools.bases, given?.url ?? String(input));
  if (rest === null) return null;
  const startedAt = tools.world.now();
  // The signal is followed by ourselves: the request is only a reader of the caller's body.
  const request = new Request(input, { ...init, signal: null });
  const left = new AbortController();
  const callers = init.signal ?? given?.signal ?? null;
  const signal = callers === null ? left.signal : AbortSignal.any([callers, left.signal]);
  signal.throwIfAborted();
  const bytes = request.body === null ? null : new Uint8Array(await request.arrayBuffer());
  signal.throwIfAborted();
  const { method } = request;
  const path = rest.split(/[?#]/, 1)[0] ?? "";
  return {
    id: idOf(tools, request),
    rest,
    method,
    headers: headersOf(request),
    body: bytes,
    init: { ...(given === null ? {} : optionsOf(given)), ...init },
    signal,
    leave: (reason) => left.abort(reason),
    deadline: startedAt + tools.limits.budgetMs,
    repeatable: isRepeatable(method, path, request),
    streamed: method === "POST" ? streamedBody(path, bytes) : null,
  };
}

function idOf(tools: Tools, request: Request): string {
  const given = request.headers.get(HEADERS.requestId);
  return given !== null && /^[\w.:-]{1,128}$/.test(given) ? given : tools.world.uuid();
}

function headersOf(request: Request): Headers {
  const headers = new Headers(request.headers);
  // Another gateway gets a longer body when it is asked for the rest of an answer.
  headers.delete("content-length");
  return headers;
}

/** Those of a Request's own options that are not told by its method, headers and body. */
function optionsOf({ credentials, redirect, keepalive }: Request): RequestInit {
  return { credentials, redirect, keepalive };
}

function isRepeatable(method: string, path: string, request: Request): boolean {
  if (method === "GET" || method === "HEAD") return true;
  return (
    (method === "POST" && QUESTIONS.test(path)) || request.headers.get("idempotency-key") !== null
  );
}

function streamedBody(path: string, bytes: Uint8Array | null): StreamedBody | null {
  const api = STREAMED.find(([end]) => path.endsWith(end))?.[1];
  if (api === undefined || bytes === null) return null;
  const fields = parseJson(new TextDecoder().decode(bytes));
  // What is no JSON object, the gateway refuses, and says why.
  if (!isFields(fields) || fields.stream !== true) return null;
  return { api, fields, n: typeof fields.n === "number" ? fields.n : 1 };
}
