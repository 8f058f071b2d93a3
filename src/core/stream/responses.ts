import { type Fields, fieldsList, fieldsOf, isFields, textOr } from "../../wire/fields.ts";
import { TEXT_EVENTS } from "../../wire/responses-output.ts";
import {
  NOTHING_TOLD,
  PART_KINDS,
  type ToldItem,
  type ToldPart,
  type ToldResponse,
} from "../../wire/responses-told.ts";
import { formatSse, type SseItem } from "../../wire/sse.ts";
import { parseJson } from "./frame.ts";

/**
 * A stream of `/v1/responses`, followed event by event: what may be told of it, and what its caller
 * has then.
 *
 * Safety argument: every event carries its number, and its item's place, so a rest fits only if the
 * caller's state is known exactly. Therefore an event that says no text (an item or a part that
 * opens or closes) is told only together with the next text, or with the end. A stream that is cut
 * at any byte has then told nothing but whole pieces of text, and its last part stands open: that
 * is all that `ToldResponse` has to say. Calls are held until the end, as in chat (`relay.ts`), and
 * so is the end itself, which is one event: what looks finished is.
 */
export interface FollowedResponse {
  /** Of the answer; null before its first event said it. */
  readonly id: string | null;
  /** Unix seconds. */
  readonly created: number | null;
  /** Sound events heard. */
  readonly events: number;
  /** Number of the first event; null before it. */
  readonly first: number | null;
  /** What the caller has, with what it had before. */
  readonly told: ToldResponse;
  /** What was heard: `told`, and what is held. */
  readonly heard: ToldResponse;
  /** SSE text of the events that are not told yet, in order, and its UTF-16 units. */
  readonly held: readonly string[];
  readonly heldLength: number;
  /** Events that told some text, and those that said some. */
  readonly toldPieces: number;
  readonly pieces: number;
  /** A call has begun: nothing more is told before the end. */
  readonly inCall: boolean;
  /** The text that was told last is over: a model that went on with it would add words to it. */
  readonly closed: boolean;
  /** Something was told that nobody could go on with. */
  readonly opaque: boolean;
  readonly end: null | "whole" | { readonly because: string };
}

export interface ResponseStep {
  readonly after: FollowedResponse;
  /** SSE text of the events to tell now. */
  readonly tell: readonly string[];
}

/** What is held stands in memory: a call of this length is no answer but an attack or a loop. */
const MAX_HELD_LENGTH = 16 * 1024 * 1024;

const ENDS: readonly string[] = ["response.completed", "response.incomplete"];
const BEGINNINGS: readonly string[] = [
  "response.created",
  "response.in_progress",
  "response.queued",
];
const CALL_EVENTS = /^response\.(function_call_arguments|custom_tool_call_input)\.(delta|done)$/;
const CALLS: readonly unknown[] = ["function_call", "custom_tool_call"];
const CLOSING_EVENTS =
  /^response\.(content_part|output_item|output_text|refusal|reasoning_text)\.done$/;

export function followResponse(had: ToldResponse = NOTHING_TOLD): FollowedResponse {
  return {
    id: null,
    created: null,
    events: 0,
    first: null,
    told: had,
    heard: had,
    held: [],
    heldLength: 0,
    toldPieces: 0,
    pieces: 0,
    inCall: false,
    closed: false,
    opaque: false,
    end: null,
  };
}

export function responseStep(before: FollowedResponse, item: SseItem): ResponseStep {
  if (before.end !== null) return { after: before, tell: [] };
  if (item.kind === "fault") return cut(before, item.message);
  const body = parseJson(item.data);
  if (!isFields(body)) return cut(before, "an event that is not a JSON object");
  const type = textOr(body.type, item.event);
  const failure = failureOf(type, body);
  if (failure !== null) return cut(before, `the model's server reported: ${failure}`);
  const sequence = body.sequence_number;
  const expected = before.first === null ? sequence : before.heard.sequence;
  if (typeof sequence === "number" && sequence !== expected)
    return cut(before, `event ${before.heard.sequence} is missing`);
  const now = numbered({ ...before, events: before.events + 1 }, sequence);
  const text = formatSse(item.data, item.event === "message" ? undefined : item.event);
  return hear(now, type, body, text);
}

function hear(now: FollowedResponse, type: string, body: Fields, text: string): ResponseStep {
  if (ENDS.includes(type)) return release({ ...now, end: "whole" }, text);
  if (type.endsWith(".delta") && !CALL_EVENTS.test(type)) return hearText(now, type, body, text);
  return hold(structured(now, type, body), text);
}

/** What bears no numbers is told all the same, but nobody could say where its rest begins. */
function numbered(now: FollowedResponse, sequence: unknown): FollowedResponse {
  if (typeof sequence !== "number") return { ...now, opaque: true };
  const heard = { ...now.heard, sequence: sequence + 1 };
  return { ...now, first: now.first ?? sequence, heard };
}

/** What an event that says no text means for those that do. */
function structured(now: FollowedResponse, type: string, body: Fields): FollowedResponse {
  if (BEGINNINGS.includes(type)) return named(now, fieldsOf(body.response));
  if (type === "response.output_item.added") return withItem(now, fieldsOf(body.item).type);
  if (type === "response.content_part.added") return withPart(now, body);
  if (CLOSING_EVENTS.test(type)) return { ...now, closed: true };
  return CALL_EVENTS.test(type) ? now : { ...now, opaque: true };
}

function named(now: FollowedResponse, response: Fields): FollowedResponse {
  const { id, created_at: created } = response;
  return {
    ...now,
    id: typeof id === "string" ? id : now.id,
    created: typeof created === "number" ? created : now.created,
  };
}

function withItem(now: FollowedResponse, kind: unknown): FollowedResponse {
  if (CALLS.includes(kind)) return { ...now, inCall: true };
  if (kind !== "message" && kind !== "reasoning") return { ...now, opaque: true };
  return { ...now, heard: { ...now.heard, items: [...now.heard.items, { kind, parts: [] }] } };
}

function withPart(now: FollowedResponse, body: Fields): FollowedResponse {
  const kind = PART_KINDS.find((one) => one === fieldsOf(body.part).type);
  const last = now.heard.items.at(-1);
  if (kind === undefined || last === undefined) return { ...now, opaque: true };
  const part: ToldPart = { kind, text: "", logprobs: [] };
  return withLastItem(now, { ...last, parts: [...last.parts, part] });
}

function withLastItem(now: FollowedResponse, item: ToldItem): FollowedResponse {
  const items = [...now.heard.items.slice(0, -1), item];
  return { ...now, heard: { ...now.heard, items } };
}

function hearText(now: FollowedResponse, type: string, body: Fields, text: string): ResponseStep {
  const said = withText(now, type, body);
  const spoken = { ...said, pieces: said.pieces + 1 };
  if (spoken.inCall) return hold(spoken, text);
  return release({ ...spoken, toldPieces: spoken.toldPieces + 1 }, text);
}

/** The text in its place, which is the last one; text anywhere else could not be gone on with. */
function withText(now: FollowedResponse, type: string, body: Fields): FollowedResponse {
  const item = now.heard.items.at(-1);
  const part = item?.parts.at(-1);
  const fits =
    item !== undefined &&
    part !== undefined &&
    `${TEXT_EVENTS[part.kind]}.delta` === type &&
    typeof body.delta === "string" &&
    body.content_index === item.parts.length - 1 &&
    (now.inCall || body.output_index === now.heard.items.length - 1);
  if (!fits) return { ...now, opaque: true };
  const longer: ToldPart = {
    ...part,
    text: part.text + textOr(body.delta),
    logprobs: [...part.logprobs, ...fieldsList(body.logprobs)],
  };
  return withLastItem(now, { ...item, parts: [...item.parts.slice(0, -1), longer] });
}

function hold(now: FollowedResponse, text: string): ResponseStep {
  const heldLength = now.heldLength + text.length;
  if (heldLength > MAX_HELD_LENGTH) return cut(now, "a tool call larger than 16 MiB");
  return { after: { ...now, held: [...now.held, text], heldLength }, tell: [] };
}

function release(now: FollowedResponse, text: string): ResponseStep {
  const after = { ...now, told: now.heard, held: [], heldLength: 0, closed: false };
  return { after, tell: [...now.held, text] };
}

function cut(before: FollowedResponse, because: string): ResponseStep {
  return { after: { ...before, end: { because } }, tell: [] };
}

/** What the stream says of its own failure; null when it reports none. */
function failureOf(type: string, body: Fields): string | null {
  if (type === "response.failed") {
    const { error } = fieldsOf(body.response);
    return textOr(fieldsOf(error).message, "a response that failed");
  }
  if (type !== "error" && (body.error ?? null) === null) return null;
  return textOr(fieldsOf(body.error).message, textOr(body.message, "an error without a message"));
}
