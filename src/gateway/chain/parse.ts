import { isAscii, isUtf8 } from "node:buffer";
import { parseExact } from "../../wire/exact-json.ts";
import {
  parseChatRequest,
  parseEmbeddingsRequest,
  type RequestFault,
} from "../../wire/parse-request.ts";
import type { Body } from "../http/inbound.ts";
import type { Answer, Call, Handler, Link } from "./call.ts";
import { workflowOfEmbedding } from "./embedding.ts";
import { refuse } from "./refuse.ts";

/** Reads and judges the body. What is wrong with it is answered with the field and the value. */
export function parse(): Link {
  return (next) => (call) => {
    const limit = call.snapshot.maxBodyBytes;
    const encoding = call.headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") return refuse(unknownEncoding(encoding));
    // Most bodies came with their head: nobody waits then.
    const body = call.readBody(limit);
    return body instanceof Promise
      ? body.then((came) => judged(next, call, came))
      : judged(next, call, body);
  };
}

function judged(next: Handler, call: Call, body: Body): Promise<Answer> | Answer {
  const limit = call.snapshot.maxBodyBytes;
  if (body.kind === "too-large") return refuse(tooLarge(limit));
  if (body.kind === "gone") return refuse(GONE);
  const text = decodeUtf8(body.bytes);
  if (text === null) return refuse(BAD_UTF8);
  const json = parseJson(text);
  if (!json.ok) return refuse(badJson(json.because));
  const asked =
    call.api === "embeddings" ? askedVectors(call, json.value) : askedChat(call, json.value);
  if (!asked.ok) return refuse({ status: 400, ...asked });
  const { bytes = body.bytes, workflow, request, embeddings } = asked.read;
  // The same bound in every region: the next gateway judges what it is forwarded.
  if (bytes.length > limit) return refuse(tooLarge(limit));
  return next({ ...call, workflow, request, embeddings, body: bytes });
}

type Asked =
  | {
      readonly ok: true;
      /** `bytes` only where they are not what came. */
      readonly read: Pick<Call, "workflow" | "request" | "embeddings"> & {
        readonly bytes?: Buffer;
      };
    }
  | RequestFault;

function askedChat(call: Call, body: unknown): Asked {
  const translated = call.toChat?.(body) ?? null;
  if (translated?.ok === false) return translated;
  const chat = translated === null ? body : translated.chat;
  const parsed = parseChatRequest(chat);
  if (!parsed.ok) return parsed;
  const { request } = parsed;
  const read = { workflow: request.model, request, embeddings: null };
  return {
    ok: true,
    read: translated === null ? read : { ...read, bytes: Buffer.from(JSON.stringify(chat)) },
  };
}

function askedVectors(call: Call, body: unknown): Asked {
  const parsed = parseEmbeddingsRequest(body);
  if (!parsed.ok) return parsed;
  const embeddings = parsed.request;
  const workflow = workflowOfEmbedding(call.snapshot, embeddings.model) ?? embeddings.model;
  return { ok: true, read: { workflow, request: null, embeddings } };
}

/** Null for bytes that are no UTF-8: replacement characters would silently change what was asked. */
function decodeUtf8(bytes: Buffer): string | null {
  if (isAscii(bytes)) return bytes.toString("latin1");
  if (!isUtf8(bytes)) return null;
  const text = bytes.toString("utf8");
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
}

const BYTE_ORDER_MARK = "\uFEFF";

type Json =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly because: string };

function parseJson(text: string): Json {
  try {
    return { ok: true, value: parseExact(text) };
  } catch (error) {
    return { ok: false, because: error instanceof Error ? error.message : String(error) };
  }
}

const GONE = {
  status: 499,
  code: "caller_gone",
  message: "The caller closed the connection before the whole body was here.",
} as const;

const BAD_UTF8 = {
  status: 400,
  code: "invalid_utf8",
  message: "The body is not valid UTF-8. Send JSON in UTF-8.",
} as const;

function badJson(because: string) {
  const message = `We could not parse the JSON body of your request: ${because}`;
  return { status: 400, code: "invalid_json", message } as const;
}

function unknownEncoding(encoding: string) {
  const message = `The body's content-encoding ${encoding.slice(0, 40)} is not taken. Send it uncompressed.`;
  return { status: 415, code: "unsupported_encoding", message } as const;
}

function tooLarge(limit: number) {
  const message = `The body is larger than the ${limit} bytes that this estate accepts (maxBody). Send a smaller one.`;
  return { status: 413, code: "body_too_large", message } as const;
}
