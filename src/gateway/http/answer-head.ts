import {
  BadMessage,
  type Framing,
  framingOf,
  type Headers,
  type Join,
  readHeaders,
  tokens,
} from "./message.ts";

/** The head of an answer over HTTP/1.1, judged. */
export interface AnswerHead {
  readonly status: number;
  /** What came several times is joined by commas. */
  readonly headers: Headers;
  readonly framing: Framing;
  /** The connection may be used again behind the answer. */
  readonly reusable: boolean;
  /** How long the server says that it keeps an idle connection, in ms; null when it does not say. */
  readonly keptMs: number | null;
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const OURS = "its answer";
/** Two lengths make one that is none, and so are refused. */
const JOIN: Join = (_name, before, value) => `${before}, ${value}`;

/** Reads a head: bytes as single characters, each line with its CRLF. Throws `BadMessage`. */
export function readAnswerHead(text: string): AnswerHead {
  const lineEnd = text.indexOf("\r\n");
  const line = STATUS_LINE.exec(text.slice(0, lineEnd));
  if (line === null) throw new BadMessage("its answer does not begin as HTTP/1.1 does");
  const status = Number(line[2]);
  const headers = readHeaders(text, lineEnd + 2, OURS, JOIN);
  const framing = answerFraming(status, headers);
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

function answerFraming(status: number, headers: Headers): Framing {
  if (status < 200 || status === 204 || status === 304) {
    const { "content-length": length, "transfer-encoding": coding } = headers;
    if (length !== undefined && coding !== undefined)
      throw new BadMessage("its answer has a length and chunks");
    return { kind: "none" };
  }
  return framingOf(headers, OURS) ?? { kind: "close" };
}

function keptMs(value: string | undefined): number | null {
  const seconds = value === undefined ? null : /(?:^|[\s,;])timeout=(\d{1,6})\b/i.exec(value);
  return seconds === null ? null : Number(seconds[1]) * 1_000;
}
