import { parseChatRequest } from "../../wire/parse-request.ts";
import type { Link } from "./call.ts";
import { refuse } from "./refuse.ts";

/** Reads and judges the body. What is wrong with it is answered with the field and the value. */
export function parse(): Link {
  return (next) => async (call) => {
    const limit = call.snapshot.maxBodyBytes;
    const encoding = call.headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") return refuse(unknownEncoding(encoding));
    const body = await call.readBody(limit);
    if (body.kind === "too-large") return refuse(tooLarge(limit));
    if (body.kind === "gone") return refuse(GONE);
    const text = decodeUtf8(body.bytes);
    if (text === null) return refuse(BAD_UTF8);
    const json = parseJson(text);
    if (!json.ok) return refuse(badJson(json.because));
    const parsed = parseChatRequest(json.value);
    if (!parsed.ok) return refuse({ status: 400, ...parsed });
    return next({ ...call, body: body.bytes, request: parsed.request });
  };
}

function decodeUtf8(bytes: Buffer): string | null {
  try {
    // `fatal`: replacement characters would silently change what was asked.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

type Json =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly because: string };

function parseJson(text: string): Json {
  try {
    return { ok: true, value: JSON.parse(text) };
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
