import { HEADERS } from "../wire/headers.ts";
import type { Line } from "./line.ts";
import { moved, type Verdict } from "./reach.ts";
import type { Asked } from "./request.ts";
import type { Tools } from "./tools.ts";

/** Statuses that say something of the gateway, or of what is behind it, and nothing of the request. */
const NOT_HERE: readonly number[] = [408, 421, 502, 503, 504];

/** A gateway that refuses to forward what was forwarded: it has asked nobody. */
const MISDIRECTED = 421;

/** Statuses that come without a body: a Response of them with one cannot be made. */
const BODILESS: readonly number[] = [204, 205, 304];

/** Reads an answer that is not streamed to its end and judges it: what is cut was never begun. */
export async function judgeWhole(
  tools: Tools,
  asked: Asked,
  line: Line,
): Promise<Verdict<Response>> {
  const bytes = await line.readWhole();
  const { status, headers } = line.response;
  const response = copyOf(line.response, BODILESS.includes(status) ? null : bytes);
  if (!movesOn(status, headers)) {
    if (!isCut(asked, line.response, bytes)) return { kind: "take", value: response };
    return moved("a body that is not the JSON that it says");
  }
  return moved(`status ${status}`, {
    refusal: response,
    againMs: againMs(tools, headers),
    // One that serves from a snapshot lives, and speaks of what is behind it.
    blamed: status >= 500 && !headers.has(HEADERS.snapshot),
    untouched: status === MISDIRECTED,
  });
}

/** The same answer with a body that was read already, or is told by somebody else. */
export function copyOf(
  response: Response,
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null,
): Response {
  const { status, statusText, headers, url } = response;
  const copy = new Response(body, { status, statusText, headers });
  // Clients write it to their logs; the constructor has no way to say it.
  Object.defineProperty(copy, "url", { value: url });
  return copy;
}

/** Other failures are handed on, unless the gateway itself asks for another try. */
function movesOn(status: number, headers: Headers): boolean {
  if (NOT_HERE.includes(status)) return true;
  return status >= 500 && headers.get("x-should-retry") === "true";
}

/** `x-should-retry: false` binds for the gateway that says it; another region may see more. */
function againMs(tools: Tools, headers: Headers): number {
  if (headers.get("x-should-retry") === "false") return Number.POSITIVE_INFINITY;
  return retryAfterMs(headers, tools.world.date()) ?? 0;
}

/** How long a gateway asks to be left alone, in ms; null when it does not say. `now` in ms since 1970. */
export function retryAfterMs(headers: Headers, now: number): number | null {
  const exact = headers.get("retry-after-ms");
  const rough = headers.get("retry-after");
  if (isNumber(exact)) return Math.max(0, Number(exact));
  if (rough === null) return null;
  if (isNumber(rough)) return Math.max(0, Number(rough) * 1_000);
  const until = Date.parse(rough);
  return Number.isNaN(until) ? null : Math.max(0, until - now);
}

function isNumber(text: string | null): text is string {
  return text !== null && text.trim() !== "" && Number.isFinite(Number(text));
}

/** A proxy may end a cut body as if it were whole. JSON that does not parse tells it. */
function isCut(asked: Asked, response: Response, bytes: Uint8Array): boolean {
  const type = response.headers.get("content-type") ?? "";
  if (!response.ok || !type.startsWith("application/json") || asked.method === "HEAD") return false;
  try {
    JSON.parse(new TextDecoder().decode(bytes));
    return false;
  } catch {
    return true;
  }
}
