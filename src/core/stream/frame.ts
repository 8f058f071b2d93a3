import type { SseItem } from "../../wire/sse.ts";

/**
 * One event of a chat stream, read once. Only the fields that decide something are taken out; what
 * is passed on to a caller is always the text that came, so that unknown fields survive.
 */
export type Frame =
  | { readonly kind: "chunk"; readonly data: string; readonly chunk: Chunk }
  | { readonly kind: "done" }
  /** The stream says, or shows, that it cannot be trusted any further. */
  | { readonly kind: "fault"; readonly because: string };

export interface Chunk {
  readonly id: string | null;
  /** Unix seconds. */
  readonly created: number | null;
  readonly choices: readonly ChoiceDelta[];
  readonly usage: TokenCount | null;
}

/**
 * The members of a delta (for `text`: of a choice of `/v1/completions`) whose pieces add up to one
 * text. Everything else in a delta is passed on, but is no part of what an answer says.
 */
export const TEXT_FIELDS = [
  "content",
  "reasoning_content",
  "reasoning",
  "refusal",
  "text",
] as const;
export type TextField = (typeof TEXT_FIELDS)[number];
/** Only fields with a text that is not empty. */
export type Texts = Readonly<Partial<Record<TextField, string>>>;

export interface ChoiceDelta {
  readonly index: number;
  readonly texts: Texts;
  /** Of all spellings: `tool_calls` of functions and of custom tools, and the older `function_call`. */
  readonly toolCalls: readonly ToolDelta[];
  /** It says something (sound) that can neither be continued nor compared. */
  readonly opaque: boolean;
  readonly finish: string | null;
}

export interface ToolDelta {
  readonly index: number;
  readonly id: string;
  readonly name: string;
  readonly argumentText: string;
}

export interface TokenCount {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

export type Fields = Readonly<Record<string, unknown>>;

/** Total: whatever an upstream sends becomes a frame. */
export function readFrame(item: SseItem): Frame {
  if (item.kind === "fault") return { kind: "fault", because: item.message };
  if (item.data.trim() === "[DONE]") return { kind: "done" };
  const body = parseJson(item.data);
  if (!isFields(body)) return { kind: "fault", because: "an event that is not a JSON object" };
  // Servers report a failure in the middle of an answer as an ordinary event with status 200
  // long sent. Taken for a chunk, it would vanish and the rest would look like the whole answer.
  if (item.event === "error" || (body.error ?? null) !== null) {
    return { kind: "fault", because: `the model's server reported: ${errorText(body)}` };
  }
  const chunk = chunkOf(body);
  // Some servers put a failure where the reason to stop belongs, and `[DONE]` behind it.
  if (chunk.choices.some(({ finish }) => finish === "error")) {
    return { kind: "fault", because: 'the model\'s server ended it with finish_reason "error"' };
  }
  return { kind: "chunk", data: item.data, chunk };
}

function chunkOf(body: Fields): Chunk {
  return {
    id: typeof body.id === "string" ? body.id : null,
    created: typeof body.created === "number" ? body.created : null,
    choices: list(body.choices).map(choiceDelta),
    usage: tokenCount(body.usage),
  };
}

/** Tokens of a `usage` member; null when it has none. */
export function tokenCount(usage: unknown): TokenCount | null {
  if (!isFields(usage)) return null;
  const promptTokens = usage.prompt_tokens;
  const completionTokens = usage.completion_tokens;
  if (typeof promptTokens !== "number" || typeof completionTokens !== "number") return null;
  return { promptTokens, completionTokens };
}

function choiceDelta(choice: Fields, position: number): ChoiceDelta {
  const delta = isFields(choice.delta) ? choice.delta : {};
  const finish = choice.finish_reason;
  return {
    index: numberOr(choice.index, position),
    texts: textsOf(choice, delta),
    toolCalls: toolDeltas(delta),
    opaque: isFields(delta.audio) || isParts(delta.content),
    finish: typeof finish === "string" && finish !== "" ? finish : null,
  };
}

/** Some servers say thoughts so, beside the text that they say as text. */
function isParts(content: unknown): boolean {
  return Array.isArray(content) && content.length > 0;
}

/** Each by its name, as an engine reads them soonest: this is done for each event of each stream. */
function textsOf(choice: Fields, delta: Fields): Texts {
  const texts: Partial<Record<TextField, string>> = {};
  const { content, reasoning_content: reasoningContent, reasoning, refusal } = delta;
  if (isText(content)) texts.content = content;
  if (isText(reasoningContent)) texts.reasoning_content = reasoningContent;
  if (isText(reasoning)) texts.reasoning = reasoning;
  if (isText(refusal)) texts.refusal = refusal;
  if (isText(choice.text)) texts.text = choice.text;
  return texts;
}

function toolDeltas(delta: Fields): readonly ToolDelta[] {
  const { tool_calls: toolCalls, function_call: functionCall } = delta;
  if (toolCalls === undefined && functionCall === undefined) return NONE;
  const calls = list(toolCalls).map(toolDelta);
  return isFields(functionCall)
    ? [...calls, toolDelta({ function: functionCall }, calls.length)]
    : calls;
}

const NONE: readonly ToolDelta[] = [];

function toolDelta(call: Fields, position: number): ToolDelta {
  const custom = isFields(call.custom) ? call.custom : {};
  const called = isFields(call.function) ? call.function : custom;
  return {
    index: numberOr(call.index, position),
    id: textOr(call.id),
    name: textOr(called.name),
    argumentText: textOr(called === custom ? called.input : called.arguments),
  };
}

function errorText(body: Fields): string {
  const error = body.error ?? body;
  if (typeof error === "string") return error;
  const message = isFields(error) ? error.message : undefined;
  return typeof message === "string" ? message : "an error without a message";
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function textOr(value: unknown): string {
  return typeof value === "string" ? value : "";
}
