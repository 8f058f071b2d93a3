import { type Delivered, RESUME_FIELD } from "../core/stream/delivered.ts";
import { isFields } from "../core/stream/frame.ts";
import { HEADERS } from "../wire/headers.ts";
import { type Heard, hearingOf, judgeStream } from "./leg.ts";
import type { Line, Sent } from "./line.ts";
import { moved, type Reached, reach, type Verdict } from "./reach.ts";
import type { Asked, StreamedBody } from "./request.ts";
import type { Tools } from "./tools.ts";
import { judgeWhole, retryAfterMs } from "./whole.ts";

export interface Cut {
  readonly asked: Asked;
  readonly streamed: StreamedBody;
  /** What the caller has of the answer; null when no event of it was told yet. */
  readonly had: Delivered | null;
  /** Release that began it, as its headers said; null when they did not. */
  readonly release: string | null;
  /** Who was telling it. */
  readonly last: string;
}

/**
 * Asks the gateways, the one that was cut last of all, for what follows the part that the caller
 * has. How an answer is gone on with, or whether, is the gateway's knowledge: it knows what the
 * model behind it can do. Under the same request id, both parts are one request in audit and spend.
 */
export function askForRest(tools: Tools, cut: Cut): Promise<Reached<Heard>> {
  const { asked, last } = cut;
  const judge = (line: Line) => judgeRest(tools, cut, line);
  return reach(tools, { asked, sent: sentFor(cut), last, judge });
}

function sentFor({ asked, streamed, had, release }: Cut): Sent {
  if (had === null) return { body: asked.body, headers: {} };
  const body = { ...streamed.fields, [RESUME_FIELD]: had };
  const headers: Record<string, string> = release === null ? {} : { [HEADERS.release]: release };
  return { body: new TextEncoder().encode(JSON.stringify(body)), headers };
}

async function judgeRest(
  tools: Tools,
  { asked, streamed, had }: Cut,
  line: Line,
): Promise<Verdict<Heard>> {
  const type = line.response.headers.get("content-type") ?? "";
  if (line.response.status !== 200 || !type.startsWith("text/event-stream")) {
    return refused(tools, await judgeWhole(tools, asked, line), line);
  }
  const verdict = await judgeStream(tools, line, hearingOf(streamed, had));
  // The rest says that it is one: by the answer's id, or by the number of its first event. A gateway
  // of an older version does not know the field and answers from the beginning, which the caller
  // would read twice.
  if (verdict.kind === "move" || verdict.value.leg.hearing.isRest) return verdict;
  line.hangUp(new Error("it began another answer"));
  return never("it began another answer instead of going on");
}

/** A refusal to go on is this gateway's last word; the next one may stand before another model. */
async function refused(
  tools: Tools,
  verdict: Verdict<Response>,
  { response }: Line,
): Promise<Verdict<Heard>> {
  if (verdict.kind === "move") return { ...verdict, refusal: null };
  const { status, headers } = response;
  const because = `it refused with status ${status}${await reasonOf(verdict.value)}`;
  if (status !== 429 && status < 500) return never(because);
  // To begin with, the caller would be told to come back later. Half an answer cannot wait for it.
  const againMs = retryAfterMs(headers, tools.world.date()) ?? 0;
  return moved(because, { againMs, blamed: false });
}

function never(because: string): Verdict<Heard> {
  return moved(because, { againMs: Number.POSITIVE_INFINITY, blamed: false });
}

/** The error's message, as far as it is one. */
async function reasonOf(response: Response): Promise<string> {
  try {
    const body: unknown = await response.json();
    const error = isFields(body) && isFields(body.error) ? body.error : {};
    return typeof error.message === "string" ? `: ${error.message}` : "";
  } catch {
    return "";
  }
}
