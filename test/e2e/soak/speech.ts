import { seededRandom } from "../../../src/sim/random.ts";
import type { RawAsked } from "../../support/raw-upstream.ts";
import { chunk, completion } from "../../support/upstream.ts";

/**
 * What is right to say. Every upstream answers a question alike, whatever its place, so that any
 * gateway's answer can be held against it: not a word more, not a word less.
 */
export interface Speech {
  /** One text a choice. */
  readonly texts: readonly string[];
  /** Of a tool call: its arguments, in the place of a text. */
  readonly calls: boolean;
  /** `stream_options.include_usage`. */
  readonly usage: boolean;
}

/** The name of the tool that is called when there are tools. */
export const TOOL = "look_up";

/** Some longer than a byte or two, since a text may be cut anywhere between two bytes. */
const WORDS =
  "depot seal night run return box café naïve 倉庫 🌊 parts carrier until noon thirty days".split(
    " ",
  );

/** The right text of one choice. */
export function answerTo(question: string, choice: number): string {
  const random = seededRandom(hash(`${question}#${choice}`));
  const count = 6 + random.below(40);
  return Array.from({ length: count }, (_, at) => `${random.pick(WORDS)}-${at}`).join(" ");
}

/** FNV-1a: any spread will do. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}

interface Message {
  readonly role?: unknown;
  readonly content?: unknown;
}

/** What a request asks for; of an answer that is to be continued, the rest. */
export function speechOf({ body }: RawAsked): Speech {
  const messages: readonly Message[] = Array.isArray(body.messages) ? body.messages : [];
  const question = String(messages.findLast(({ role }) => role === "user")?.content ?? "");
  const last = messages.at(-1);
  const given = last?.role === "assistant" ? String(last.content) : "";
  const count = typeof body.n === "number" ? body.n : 1;
  const texts = Array.from({ length: count }, (_, at) => answerTo(question, at));
  const options = body.stream_options;
  return {
    texts: texts.map((text) => (text.startsWith(given) ? text.slice(given.length) : text)),
    calls: Array.isArray(body.tools),
    usage: typeof options === "object" && options !== null && "include_usage" in options,
  };
}

export function wholeAnswer({ texts, calls }: Speech): object {
  const choices = texts.map((text, index) => ({
    index,
    message: calls
      ? { role: "assistant", content: null, tool_calls: [toolCall(text)] }
      : { role: "assistant", content: text },
    finish_reason: calls ? "tool_calls" : "stop",
    logprobs: null,
  }));
  return { ...completion(""), choices };
}

/** The arguments of the tool call that is right where `text` would be. */
export function argumentsOf(text: string): string {
  return JSON.stringify({ query: text });
}

function toolCall(text: string): object {
  return { id: "call-1", type: "function", function: { name: TOOL, arguments: argumentsOf(text) } };
}

/** Every event but `[DONE]`, the last ones with the finish reasons and then the usage. */
export function eventsOf(speech: Speech): { readonly said: object[]; readonly ends: object[] } {
  const said = speech.texts.flatMap((text, index) => [
    delta(index, { role: "assistant", content: speech.calls ? null : "" }),
    ...(speech.calls ? callDeltas(text) : textDeltas(text)).map((one) => delta(index, one)),
  ]);
  const finish = speech.calls ? "tool_calls" : "stop";
  const finishes = speech.texts.map((_, index) => delta(index, {}, finish));
  return { said, ends: speech.usage ? [...finishes, USAGE] : finishes };
}

const USAGE = {
  ...chunk({}),
  choices: [],
  usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
};

function delta(index: number, said: object, finish: string | null = null): object {
  return { ...chunk({}), choices: [{ index, delta: said, finish_reason: finish }] };
}

/** A word with the space before it, as most models' tokens are. */
function textDeltas(text: string): object[] {
  return text.split(/(?= )/).map((content) => ({ content }));
}

function callDeltas(text: string): object[] {
  const told = argumentsOf(text);
  const half = Math.ceil(told.length / 2);
  const pieces = [told.slice(0, half), told.slice(half)];
  const named = { index: 0, id: "call-1", type: "function", function: { name: TOOL } };
  return [named, ...pieces.map((piece) => ({ index: 0, function: { arguments: piece } }))].map(
    (call) => ({ tool_calls: [call] }),
  );
}
