import { REFUSALS } from "./faults.ts";
import { answerTo, argumentsOf, TOOL } from "./speech.ts";

export interface Asked {
  readonly workflow: string;
  readonly question: string;
  readonly stream: boolean;
  readonly tools: boolean;
  /** `n`. */
  readonly choices: number;
  /** `stream_options.include_usage`. */
  readonly usage: boolean;
}

export type Verdict =
  /** One whole, right answer. */
  | { readonly kind: "right" }
  /** The model's server refused the request itself, and its words were passed on. */
  | { readonly kind: "refused" }
  /** No answer, and an error that says who was tried. */
  | { readonly kind: "error"; readonly code: string }
  /** A beginning of the right answer, and an error event that says how far it got. */
  | { readonly kind: "cut" }
  /** Anything else: what may never happen. */
  | { readonly kind: "wrong"; readonly because: string };

type Fields = Readonly<Record<string, unknown>>;

/** What was said in one choice. */
interface Said {
  text: string;
  call: { name: string; arguments: string } | null;
  finishes: unknown[];
}

export function judgeWhole(asked: Asked, status: number, text: string): Verdict {
  const body = parse(text);
  if (body === null) return wrong(`status ${status} without a JSON object: ${text.slice(0, 80)}`);
  if (status !== 200) return judgeError(status, body);
  if (asked.stream) return wrong("a whole answer, though a stream was asked for");
  return judgeSaid(asked, list(body.choices).map(saidIn));
}

function saidIn({ message, finish_reason }: Fields): Said {
  const { content, tool_calls } = fields(message);
  const said: Said = { text: textOr(content), call: null, finishes: [finish_reason] };
  for (const call of list(tool_calls)) addCall(said, call);
  return said;
}

/** `broken`: the transfer ended without its proper end. */
export function judgeStream(asked: Asked, text: string, broken: boolean): Verdict {
  const stream = read(text);
  if (stream.strange !== null) return wrong(stream.strange);
  const choices = [...stream.choices.values()];
  if (stream.error !== null) return judgeCut(asked, stream, choices);
  if (!stream.done || broken) return wrong(`a bare close after ${text.length} characters`);
  if (stream.ids.size > 1) return wrong(`ids of ${stream.ids.size} answers in one`);
  if (stream.usages > 1) return wrong(`${stream.usages} times its usage`);
  return judgeSaid(asked, choices);
}

interface Stream {
  readonly choices: Map<unknown, Said>;
  readonly ids: Set<unknown>;
  usages: number;
  error: Fields | null;
  done: boolean;
  /** What no stream may hold. */
  strange: string | null;
}

function read(text: string): Stream {
  const stream: Stream = {
    choices: new Map(),
    ids: new Set(),
    usages: 0,
    error: null,
    done: false,
    strange: null,
  };
  for (const block of text.split("\n\n")) {
    const data = /^data: ?(.*)$/m.exec(block)?.[1];
    if (data !== undefined) readEvent(stream, data);
  }
  return stream;
}

function readEvent(stream: Stream, data: string): void {
  if (stream.done || stream.error !== null) stream.strange ??= `after its end: ${data}`;
  if (data === "[DONE]") {
    stream.done = true;
    return;
  }
  const body = parse(data);
  if (body === null) {
    stream.strange ??= `an event that is no JSON object: ${data.slice(0, 80)}`;
    return;
  }
  if ("error" in body) {
    stream.error = fields(body.error);
    return;
  }
  stream.ids.add(body.id);
  if ((body.usage ?? null) !== null) stream.usages += 1;
  for (const choice of list(body.choices)) addDelta(stream.choices, choice);
}

function addDelta(choices: Stream["choices"], { index, delta, finish_reason }: Fields): void {
  const said = choices.get(index) ?? { text: "", call: null, finishes: [] };
  choices.set(index, said);
  const { content, tool_calls } = fields(delta);
  said.text += textOr(content);
  for (const call of list(tool_calls)) addCall(said, call);
  if ((finish_reason ?? null) !== null) said.finishes.push(finish_reason);
}

function addCall(said: Said, call: Fields): void {
  const { name, arguments: told } = fields(call.function);
  const before = said.call ?? { name: "", arguments: "" };
  said.call = {
    name: before.name + textOr(name),
    arguments: before.arguments + textOr(told),
  };
}

/** Every choice, to the last character, with one end. */
function judgeSaid({ question, tools, choices }: Asked, came: readonly Said[]): Verdict {
  if (came.length !== choices) return wrong(`${came.length} choices instead of ${choices}`);
  for (const [at, { text, call, finishes }] of came.entries()) {
    const right = answerTo(question, at);
    const told = tools ? `${call?.name}(${call?.arguments})` : text;
    const wanted = tools ? `${TOOL}(${argumentsOf(right)})` : right;
    if (told !== wanted) return wrong(`it says "${told}" instead of "${wanted}"`);
    const finish = tools ? "tool_calls" : "stop";
    if (finishes.length !== 1 || finishes[0] !== finish) return wrong(`it ended with ${finishes}`);
  }
  return { kind: "right" };
}

/** No word that is not right, no end and no half of a tool call. */
function judgeCut({ question }: Asked, { error }: Stream, came: readonly Said[]): Verdict {
  const message = textOr(error?.message);
  if (error?.code !== "stream_cut" || !/ cut (after \d+|before) /.test(message)) {
    return wrong(`it ended with an error that is no cut: ${JSON.stringify(error)}`);
  }
  for (const [at, { text, call, finishes }] of came.entries()) {
    if (!answerTo(question, at).startsWith(text)) return wrong(`cut after wrong words: "${text}"`);
    if (call !== null) return wrong(`cut after half a tool call: ${call.arguments}`);
    // A choice may have ended before another was cut.
    if (finishes.length > 1 || (came.length === 1 && finishes.length > 0))
      return wrong(`cut after an end: ${finishes}`);
  }
  return { kind: "cut" };
}

function judgeError(status: number, body: Fields): Verdict {
  const { code, message } = fields(body.error);
  const named = textOr(code);
  if (named === REFUSALS.context || named === REFUSALS.policy) return { kind: "refused" };
  const clear = status >= 429 && /Tried: \S+/.test(textOr(message));
  if (clear && named !== "") return { kind: "error", code: `${status} ${named}` };
  return wrong(`status ${status} with ${JSON.stringify(body).slice(0, 200)}`);
}

function wrong(because: string): Verdict {
  return { kind: "wrong", because };
}

function parse(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : null;
  } catch {
    return null;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fields(value: unknown): Fields {
  return isFields(value) ? value : {};
}

function list(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

function textOr(value: unknown): string {
  return typeof value === "string" ? value : "";
}
