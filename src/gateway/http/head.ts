/** The head of an answer over HTTP/1.1, judged. */
export interface Head {
  readonly status: number;
  /** Names in lower case; what came several times is joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly framing: Framing;
  /** The connection may be used again behind the answer. */
  readonly reusable: boolean;
  /** How long the server says that it keeps an idle connection, in ms; null when it does not say. */
  readonly keptMs: number | null;
}

/** Where the body ends. */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  /** At the end of the connection. */
  | { readonly kind: "close" };

/** The bytes are no answer that can be trusted. Its code is for whoever tells people. */
export class BadAnswer extends Error {
  readonly code = "BAD_ANSWER";
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const TEXT = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Up to a petabyte: as a number it is exact. */
const LENGTH = /^\d{1,15}$/;

/**
 * Reads a head: bytes as single characters, each line with its CRLF. Strict, since whoever reads
 * the end of an answer elsewhere than its sender takes the rest for the next one's beginning: two
 * lengths, a length beside chunks, a folded line, a blank before a colon, a bare CR or LF and a
 * coding other than `chunked` are refused, and none is mended. Throws `BadAnswer`.
 */
export function readHead(text: string): Head {
  const lineEnd = text.indexOf("\r\n");
  const line = STATUS_LINE.exec(text.slice(0, lineEnd));
  if (line === null) throw new BadAnswer("its answer does not begin as HTTP/1.1 does");
  const status = Number(line[2]);
  const headers = readHeaders(text, lineEnd + 2);
  const framing = framingOf(status, headers);
  const connection = tokens(headers.connection);
  const kept = line[1] === "1" ? !connection.includes("close") : connection.includes("keep-alive");
  return {
    status,
    headers,
    framing,
    reusable: kept && framing.kind !== "close",
    keptMs: keptMs(headers["keep-alive"]),
  };
}

function readHeaders(text: string, from: number): Record<string, string> {
  const headers: Record<string, string> = {};
  for (let at = from; at < text.length; ) {
    const end = text.indexOf("\r\n", at);
    const colon = text.indexOf(":", at);
    const name = text.slice(at, colon === -1 ? at : colon).toLowerCase();
    const value = trimmed(text, colon + 1, end);
    // A colon behind the line's end makes a name with a line break in it, which is no token.
    if (!TOKEN.test(name) || !TEXT.test(value)) throw new BadAnswer("a header of it is malformed");
    headers[name] = Object.hasOwn(headers, name) ? `${headers[name]}, ${value}` : value;
    at = end + 2;
  }
  return headers;
}

/** Without blanks and tabs at its ends. Not `trim`: that takes bytes for blanks that are none. */
function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text, start)) start++;
  while (start < end && isBlank(text, end - 1)) end--;
  return text.slice(start, end);
}

function isBlank(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === 0x20 || code === 0x09;
}

function framingOf(status: number, headers: Readonly<Record<string, string>>): Framing {
  const { "content-length": length, "transfer-encoding": coding } = headers;
  if (length !== undefined && coding !== undefined)
    throw new BadAnswer("its answer has a length and chunks");
  if (status < 200 || status === 204 || status === 304) return { kind: "none" };
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked")
      throw new BadAnswer(`its answer has the transfer coding ${coding.slice(0, 60)}`);
    return { kind: "chunked" };
  }
  if (length === undefined) return { kind: "close" };
  if (!LENGTH.test(length)) throw new BadAnswer("its answer has no plain length");
  return { kind: "length", bytes: Number(length) };
}

function tokens(value = ""): string[] {
  return value === "" ? [] : value.split(",").map((token) => token.trim().toLowerCase());
}

function keptMs(value: string | undefined): number | null {
  const seconds = value === undefined ? null : /(?:^|[\s,;])timeout=(\d{1,6})\b/i.exec(value);
  return seconds === null ? null : Number(seconds[1]) * 1_000;
}
