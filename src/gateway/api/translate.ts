import { type Delivered, RESUME_FIELD } from "../../core/stream/delivered.ts";
import { type Fields, isFields } from "../../wire/fields.ts";
import type { RequestFault } from "../../wire/parse-request.ts";
import { SseParser } from "../../wire/sse.ts";
import type { Handler, StreamedAnswer, StreamPart, ToChat, WholeAnswer } from "../chain/call.ts";

/** Another API, told in terms of chat. */
export interface Dialect<Asked> {
  /** The chat request of a body, and what of it the answer needs. */
  readonly read: (
    body: unknown,
  ) => { readonly ok: true; readonly chat: Fields; readonly asked: Asked } | RequestFault;
  /** Teller of one request's answer. `id` is the request's own, the same in every region. */
  readonly tell: (asked: Asked, id: string) => Teller;
  /**
   * For a caller that has this much of the answer: the same in the terms of chat, and a teller of
   * the rest. Null when it is no half answer to this request.
   */
  readonly resume: (value: unknown, asked: Asked, id: string) => Resumed | null;
}

export interface Resumed {
  readonly delivered: Delivered;
  readonly teller: Teller;
}

export interface Teller {
  /** The body of a whole answer. */
  whole(chat: Fields): Fields;
  /** SSE text for one chunk of a sound stream; "" while there is nothing to tell. */
  chunk(chat: Fields): string;
  /** SSE text that ends a whole stream. */
  done(): string;
  /** SSE text that ends a cut one: nothing in it may look finished. */
  failed(error: Fields): string;
}

/**
 * Lets the chat chain answer a request of another API. Everything that the chain promises (limits,
 * holding, continuing elsewhere, audit) holds, because the chain knows nothing of this; what is
 * forwarded to another region is the chat request, so that only the caller's gateway translates.
 */
export function translated<Asked>(chain: Handler, dialect: Dialect<Asked>): Handler {
  return async (call) => {
    let teller: Teller | null = null as Teller | null;
    const toChat: ToChat = (body) => {
      const read = dialect.read(body);
      if (!read.ok) return read;
      const { chat, asked } = read;
      teller = dialect.tell(asked, call.id);
      // Only a stream has a rest.
      if (!(RESUME_FIELD in chat) || chat.stream !== true) return read;
      const resumed = dialect.resume(chat[RESUME_FIELD], asked, call.id);
      teller = resumed?.teller ?? teller;
      // What is no half answer the chain refuses, in the words that it has for chat.
      return { ok: true, chat: { ...chat, [RESUME_FIELD]: resumed?.delivered ?? null } };
    };
    const answer = await chain({ ...call, toChat });
    // Errors have one shape in all of OpenAI's APIs.
    if (teller === null || answer.kind === "unanswered" || answer.status !== 200) return answer;
    return answer.kind === "stream"
      ? { ...answer, parts: toldParts(answer, teller) }
      : toldWhole(answer, teller);
  };
}

function toldWhole(answer: WholeAnswer, teller: Teller): WholeAnswer {
  const chat: unknown = JSON.parse(answer.body.toString());
  return isFields(chat) ? { ...answer, body: JSON.stringify(teller.whole(chat)) } : answer;
}

async function* toldParts(answer: StreamedAnswer, teller: Teller): AsyncGenerator<StreamPart> {
  const parser = new SseParser();
  const encoder = new TextEncoder();
  let over = false;
  for await (const { text, end } of answer.parts) {
    const told = isComment(text) ? [text] : [];
    for (const { data } of eventsOf(parser, encoder.encode(text))) {
      if (over) break;
      const event = readEvent(data);
      over = event.kind !== "chunk";
      told.push(tellEvent(teller, event));
    }
    if (end !== null || told.some((piece) => piece !== "")) yield { text: told.join(""), end };
  }
}

function eventsOf(parser: SseParser, bytes: Uint8Array) {
  return parser.push(bytes).filter((item) => item.kind === "event");
}

type ChatEvent =
  | { readonly kind: "chunk" | "error"; readonly fields: Fields }
  | { readonly kind: "done" };

/** What the chain tells is sound; only how it ends is still to be told apart. */
function readEvent(data: string): ChatEvent {
  if (data.trim() === "[DONE]") return { kind: "done" };
  const fields: unknown = JSON.parse(data);
  if (!isFields(fields)) throw new TypeError("the chain told an event that is no JSON object");
  return isFields(fields.error)
    ? { kind: "error", fields: fields.error }
    : { kind: "chunk", fields };
}

function tellEvent(teller: Teller, event: ChatEvent): string {
  if (event.kind === "done") return teller.done();
  return event.kind === "error" ? teller.failed(event.fields) : teller.chunk(event.fields);
}

/** Keep-alive comments mean nothing in any API, and keep any connection open. */
function isComment(text: string): boolean {
  return /^(?::[^\n]*\n+)+$/.test(text);
}
