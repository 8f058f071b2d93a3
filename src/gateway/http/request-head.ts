import {
  BadMessage,
  type Framing,
  framingOf,
  type Headers,
  type Join,
  readHeaders,
  tokens,
} from "./message.ts";

/** The head of a request over HTTP/1.1 or HTTP/1.0, judged. */
export interface RequestHead {
  readonly method: string;
  /** As it came: a path with what stands behind a `?`, or the `*` of OPTIONS. */
  readonly target: string;
  /** HTTP/1.0: it knows no chunks. */
  readonly isOld: boolean;
  readonly headers: Headers;
  readonly framing: Framing;
  /** The caller means to use the connection again. */
  readonly keeps: boolean;
  /** It waits for `100 Continue` before it sends the body. */
  readonly waits: boolean;
  /**
   * It would like another protocol. It gets none, as HTTP allows; but what its caller sends before
   * it knows that may be of that protocol, and is no request.
   */
  readonly wishes: boolean;
}

/** Visible characters, without the fragment that no target has. */
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21\x22\x24-\x7e]+) HTTP\/(\d\.\d)$/;
const HOST = /^[A-Za-z0-9.:_~%!$&'()*+;=[\]-]*$/;
const THEIRS = "the request";

/** CONNECT wants a tunnel, and TRACE its own secrets told again: neither is for a gateway. */
const METHODS: readonly string[] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** More headers are an attack: each is work. */
const MOST_HEADERS = 128;

/**
 * What may come once only. Of two, one reader takes the first and another the last, and whoever
 * judges the one may pass the other on.
 */
const ONCE: ReadonlySet<string> = new Set([
  ...["authorization", "content-encoding", "content-length", "content-location", "content-type"],
  ...["date", "etag", "expect", "expires", "from", "host", "if-modified-since"],
  ...["if-unmodified-since", "last-modified", "location", "max-forwards", "proxy-authorization"],
  ...["referer", "retry-after", "server", "set-cookie", "transfer-encoding", "user-agent"],
  "age",
]);

const JOIN: Join = (name, before, value) => {
  if (ONCE.has(name)) throw new BadMessage(`the request has the header ${name} twice`);
  return name === "cookie" ? `${before}; ${value}` : `${before}, ${value}`;
};

/** Reads a head: bytes as single characters, each line with its CRLF. Throws `BadMessage`. */
export function readRequestHead(text: string): RequestHead {
  const lineEnd = text.indexOf("\r\n");
  const [, method = "", target = "", version] = REQUEST_LINE.exec(text.slice(0, lineEnd)) ?? [];
  if (version === undefined) throw new BadMessage("the request does not begin as HTTP/1.1 does");
  if (version !== "1.1" && version !== "1.0")
    throw new BadMessage(`HTTP/${version} is not spoken here: use HTTP/1.1`, 505);
  judgeLine(method, target);
  const isOld = version === "1.0";
  const headers = readHeaders(text, lineEnd + 2, THEIRS, JOIN, MOST_HEADERS);
  judgeHost(headers, isOld);
  return {
    method,
    target,
    isOld,
    headers,
    framing: requestFraming(headers, isOld),
    keeps: keeps(headers, isOld),
    waits: !isOld && waits(headers),
    wishes: headers.upgrade !== undefined,
  };
}

function judgeLine(method: string, target: string): void {
  if (!METHODS.includes(method))
    throw new BadMessage(`the method ${method.slice(0, 40)} is not taken`, 501);
  // A whole URL is what a forward proxy is asked for, and its host would count instead of `Host`.
  if (!target.startsWith("/") && !(target === "*" && method === "OPTIONS"))
    throw new BadMessage("the request's target is no path: it must begin with /");
}

function judgeHost({ host }: Headers, isOld: boolean): void {
  if (host === undefined && isOld) return;
  if (host === undefined) throw new BadMessage("the request has no header host");
  if (!HOST.test(host)) throw new BadMessage("the request's header host is malformed");
}

function requestFraming(headers: Headers, isOld: boolean): Framing {
  const framing = framingOf(headers, THEIRS) ?? { kind: "none" };
  // Whoever wrote that does not know where its body ends.
  if (framing.kind === "chunked" && isOld)
    throw new BadMessage("the request has chunks, which HTTP/1.0 does not know");
  return framing;
}

function keeps({ connection }: Headers, isOld: boolean): boolean {
  if (connection === undefined) return !isOld;
  const words = tokens(connection);
  return !words.includes("close") && (!isOld || words.includes("keep-alive"));
}

function waits({ expect }: Headers): boolean {
  if (expect === undefined) return false;
  if (expect.toLowerCase() !== "100-continue")
    throw new BadMessage(
      `the request expects ${expect.slice(0, 60)}, which is not known here`,
      417,
    );
  return true;
}
