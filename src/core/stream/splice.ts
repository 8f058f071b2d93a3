import type { DeliveredChoice, ThoughtsTold } from "./delivered.ts";
import {
  type Fields,
  isFields,
  parseJson,
  TEXT_FIELDS,
  type TextField,
  type Texts,
} from "./frame.ts";

/**
 * Takes out of a stream what its caller has already, so that only the rest is told. The stream may
 * say it in other pieces; what counts is the text.
 *
 * Safety argument: an event is told only once the whole of the caller's text in its choice has come
 * by, character for character. The first character that differs, an end too early, or a tool call
 * in its place makes the splice diverge, and then nothing of that choice was or will be told: the
 * caller never reads one answer's beginning with another's end.
 */
export interface Splice {
  /** By choice index: what has still to come by. A choice that is through is not in it. */
  readonly awaited: ReadonlyMap<number, Texts>;
  /** By choice: what its caller's API tells of thoughts, where that is not chat. */
  readonly thoughts: ReadonlyMap<number, ThoughtsTold>;
  /** Why the two are not one answer; null while they may be. */
  readonly diverged: string | null;
}

export interface Spliced {
  readonly splice: Splice;
  /** Data of the events to tell, at most one for each that came. */
  readonly tell: readonly string[];
}

export function startSplice(repeats: readonly DeliveredChoice[]): Splice {
  const awaited = new Map<number, Texts>();
  for (const { index, texts } of repeats) if (!isEmpty(texts)) awaited.set(index, texts);
  const thoughts = new Map<number, ThoughtsTold>();
  for (const one of repeats) if (one.thoughts) thoughts.set(one.index, one.thoughts);
  return { awaited, thoughts, diverged: null };
}

/** One event, sound and as it came; `[DONE]` too. */
export function splice(before: Splice, data: string): Spliced {
  if (before.diverged !== null) return { splice: before, tell: [] };
  if (before.awaited.size === 0) return { splice: before, tell: [data] };
  if (data === "[DONE]") return diverge(before, "it ended before the place of the cut");
  const body = parseJson(data);
  if (!isFields(body) || !Array.isArray(body.choices)) return { splice: before, tell: [data] };
  const awaited = new Map(before.awaited);
  const choices: Fields[] = [];
  for (const [position, choice] of body.choices.filter(isFields).entries()) {
    const index = typeof choice.index === "number" ? choice.index : position;
    const said = asToldOf(choice, before.thoughts.get(index));
    const rest = passChoice(said, awaited.get(index) ?? {});
    if (rest.diverged !== null) return diverge(before, rest.diverged);
    if (isEmpty(rest.awaited)) awaited.delete(index);
    else awaited.set(index, rest.awaited);
    if (rest.tell !== null) choices.push(rest.tell);
  }
  const after: Splice = { ...before, awaited };
  // An event of no choice, such as the usage, says something by itself.
  if (choices.length === 0 && body.choices.length > 0) return { splice: after, tell: [] };
  return { splice: after, tell: [JSON.stringify({ ...body, choices })] };
}

function diverge(before: Splice, because: string): Spliced {
  return { splice: { ...before, diverged: because }, tell: [] };
}

/**
 * The choice as the caller's API tells it: without its thoughts and refusals, or with the thoughts
 * under the one name that they are awaited by, since some servers send them under both.
 */
function asToldOf(choice: Fields, thoughts: ThoughtsTold | undefined): Fields {
  if (thoughts === undefined || !isFields(choice.delta)) return choice;
  const { reasoning, reasoning_content, refusal, ...delta } = choice.delta;
  if (thoughts === "untold") return { ...choice, delta };
  const thought = reasoning_content ?? reasoning;
  const told = { ...delta, ...(refusal == null ? {} : { refusal }) };
  return { ...choice, delta: thought == null ? told : { ...told, reasoning_content: thought } };
}

interface PassedChoice {
  readonly awaited: Texts;
  readonly diverged: string | null;
  /** What of it is new to the caller; null when nothing is. */
  readonly tell: Fields | null;
}

function passChoice(choice: Fields, awaited: Texts): PassedChoice {
  if (isEmpty(awaited)) return { awaited, diverged: null, tell: choice };
  const delta = isFields(choice.delta) ? choice.delta : {};
  const left: Partial<Record<TextField, string>> = { ...awaited };
  const fresh: Partial<Record<TextField, string>> = {};
  for (const field of TEXT_FIELDS) {
    const said = (field === "text" ? choice : delta)[field];
    if (typeof said !== "string" || said === "") continue;
    const wanted = left[field] ?? "";
    const common = said.length < wanted.length ? wanted.startsWith(said) : said.startsWith(wanted);
    if (!common) return differs(awaited);
    if (wanted.length > said.length) left[field] = wanted.slice(said.length);
    else {
      delete left[field];
      if (said.length > wanted.length) fresh[field] = said.slice(wanted.length);
    }
  }
  const through = isEmpty(left);
  // New words of one kind (thoughts) before the old ones of another (the answer) are through.
  if (!through && (!isEmpty(fresh) || endsOrCalls(choice, delta))) return differs(left);
  const news = through && (!isEmpty(fresh) || endsOrCalls(choice, delta));
  return { awaited: left, diverged: null, tell: news ? onlyFresh(choice, delta, fresh) : null };
}

function differs(awaited: Texts): PassedChoice {
  return { awaited, diverged: "the answer was another this time", tell: null };
}

function endsOrCalls(choice: Fields, delta: Fields): boolean {
  const calls = Array.isArray(delta.tool_calls) && delta.tool_calls.length > 0;
  return calls || isFields(delta.function_call) || typeof choice.finish_reason === "string";
}

/** The event without the words that the caller has, and without what belongs to those. */
function onlyFresh(choice: Fields, delta: Fields, fresh: Texts): Fields {
  const { text: _text, logprobs: _logprobs, ...rest } = choice;
  const kept = Object.entries(delta).filter(([name]) => !isTextField(name));
  const { text, ...texts } = fresh;
  return {
    ...rest,
    ...(text === undefined ? {} : { text }),
    ...("delta" in choice ? { delta: { ...Object.fromEntries(kept), ...texts } } : {}),
    logprobs: null,
  };
}

function isTextField(name: string): boolean {
  return TEXT_FIELDS.some((field) => field === name);
}

function isEmpty(texts: Texts): boolean {
  return TEXT_FIELDS.every((field) => (texts[field] ?? "") === "");
}
