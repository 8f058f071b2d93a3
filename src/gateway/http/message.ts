/** Names in lower case. */
export type Headers = Readonly<Record<string, string>>;

/** Where a body ends. */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  /** At the end of the connection; answers only. */
  | { readonly kind: "close" };

/** Whose message it is, for the words about it. */
export type Whose = "its answer" | "the request";

/** The bytes are no message that can be trusted. Its message says why, for whoever tells people. */
export class BadMessage extends Error {
  readonly code = "BAD_MESSAGE";
  /** What a server answers to such a request. */
  readonly status: number;

  constructor(because: string, status = 400) {
    super(because);
    this.status = status;
  }
}

/** A token, a colon and text on each line. All at once: two looks at each line cost more. */
const LINES = /(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/y;
const TEXT = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Up to a petabyte: as a number it is exact. */
const LENGTH = /^\d{1,15}$/;

/** What came before and what comes now under one name, or throws `BadMessage`. */
export type Join = (name: string, before: string, value: string) => string;

/**
 * Reads header lines: bytes as single characters, each line with its CRLF. Strict, since whoever
 * reads the end of a message elsewhere than its sender takes the rest for the next one's beginning:
 * a folded line, a blank before a colon, a bare CR or LF and a NUL are refused, and none is mended.
 * Throws `BadMessage`.
 */
export function readHeaders(
  text: string,
  from: number,
  whose: Whose,
  join: Join,
  most = Number.POSITIVE_INFINITY,
): Headers {
  LINES.lastIndex = from;
  if (!LINES.test(text)) throw new BadMessage(`a header of ${whose} is malformed`);
  const headers: Record<string, string> = {};
  let count = 0;
  for (let at = from; at < text.length; ) {
    if (++count > most) throw new BadMessage(`${whose} has more than ${most} headers`, 431);
    const end = text.indexOf("\r\n", at);
    const colon = text.indexOf(":", at);
    const name = text.slice(at, colon).toLowerCase();
    const value = trimmed(text, colon + 1, end);
    // Readers differ in whether a tab belongs to the word, and so in where the body ends.
    if (name === "transfer-encoding" && text.slice(colon, end).includes("\t"))
      throw new BadMessage(`the transfer coding of ${whose} has a tab`);
    headers[name] = Object.hasOwn(headers, name) ? join(name, headers[name] ?? "", value) : value;
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

/**
 * Where the body ends by its headers alone; null when they do not say. Two lengths, a length beside
 * chunks and any coding but `chunked` are refused. Throws `BadMessage`.
 */
export function framingOf(headers: Headers, whose: Whose): Framing | null {
  const { "content-length": length, "transfer-encoding": coding } = headers;
  if (length !== undefined && coding !== undefined)
    throw new BadMessage(`${whose} has a length and chunks`);
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked")
      throw new BadMessage(`${whose} has the transfer coding ${coding.slice(0, 60)}`, 501);
    return { kind: "chunked" };
  }
  if (length === undefined) return null;
  if (!LENGTH.test(length)) throw new BadMessage(`${whose} has no plain length`);
  return { kind: "length", bytes: Number(length) };
}

/** The words of a header such as `connection`, in lower case. */
export function tokens(value = ""): string[] {
  return value === "" ? [] : value.split(",").map((token) => token.trim().toLowerCase());
}

const ASCII = /^[\t\x20-\x7e]*$/;

/** Header lines to send. */
export interface Lines {
  readonly text: string;
  /** Else it has to be written as latin1, and nothing of another encoding with it. */
  readonly isAscii: boolean;
}

/** Throws a TypeError for a header that cannot be sent: half a line of it could be a message of its own. */
export function linesOf(headers: Headers): Lines {
  let text = "";
  let isAscii = true;
  for (const name in headers) {
    const value = headers[name] ?? "";
    if (!ASCII.test(value)) {
      if (!TEXT.test(value)) throw new TypeError(`the header ${name} cannot be sent`);
      isAscii = false;
    }
    text += `${name}: ${value}\r\n`;
  }
  return { text, isAscii };
}
