import { type ChatRequest, type FinishReason, textOf, type Usage } from "../wire/openai.ts";
import type { RequestFault } from "../wire/parse-request.ts";
import { type Answer, answerOf } from "./answer.ts";
import type { English } from "./english.ts";
import { inFormat } from "./schema.ts";
import { countTokens, cutAtStop, tokenise } from "./tokens.ts";

/**
 * From a request to the tokens that go out: the answer, cut by `stop` and `max_tokens`, or the rest
 * of a half-given one.
 */

export interface Completion {
  /** Name of the called tool; undefined when the answer is text. */
  readonly tool: string | undefined;
  /** The text, or the tool's arguments, in the pieces in which it is streamed. */
  readonly tokens: readonly string[];
  readonly finishReason: FinishReason;
  readonly usage: Usage;
}

/** Added per message for its role and its borders, as chat templates cost a few tokens each. */
const TOKENS_PER_MESSAGE = 3;

/** The tokens of a prompt as this runtime counts them. */
export function promptTokens(request: ChatRequest): number {
  return request.messages.reduce((sum, message) => {
    const calls = message.tool_calls ? countTokens(JSON.stringify(message.tool_calls)) : 0;
    return sum + TOKENS_PER_MESSAGE + countTokens(textOf(message)) + calls;
  }, 0);
}

/**
 * Judges the two vLLM flags together. `add_generation_prompt` is true when absent, so continuing
 * needs it said false: an open new message and a continued old one exclude each other.
 */
export function checkContinuation(request: ChatRequest): RequestFault | undefined {
  if (request.continue_final_message !== true) return undefined;
  const param = "continue_final_message";
  const code = "invalid_value";
  if (request.add_generation_prompt !== false) {
    const message =
      "Cannot set both `continue_final_message` and `add_generation_prompt` to True. Send `add_generation_prompt: false` with it.";
    return { ok: false, message, param, code };
  }
  if (request.messages.at(-1)?.role === "assistant") return undefined;
  const message = "`continue_final_message` needs the last message to have the role `assistant`.";
  return { ok: false, message, param, code };
}

/** @param maxTokens upper bound for the answer besides the request's own, such as room left. */
export function completionOf(
  request: ChatRequest,
  modelDigest: string,
  english: English,
  maxTokens: number,
): Completion {
  const answer = request.continue_final_message
    ? continuedAnswer(request, modelDigest, english)
    : stoppedAnswer(saidTo(request, modelDigest, english), stopsOf(request));
  const all = tokenise(answer.kind === "tool" ? answer.arguments : answer.text);
  const asked = request.max_completion_tokens ?? request.max_tokens ?? maxTokens;
  const tokens = all.slice(0, Math.min(asked, maxTokens));
  const whole = answer.kind === "tool" ? "tool_calls" : "stop";
  return {
    tool: answer.kind === "tool" ? answer.name : undefined,
    tokens,
    finishReason: tokens.length < all.length ? "length" : whole,
    usage: usageOf(promptTokens(request), tokens.length * (request.n ?? 1)),
  };
}

function saidTo(request: ChatRequest, modelDigest: string, english: English): Answer {
  return inFormat(answerOf(request, modelDigest, english), request);
}

function usageOf(prompt: number, completion: number): Usage {
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
  };
}

function stopsOf({ stop }: ChatRequest): readonly string[] {
  if (stop === null || stop === undefined) return [];
  return typeof stop === "string" ? [stop] : stop;
}

function stoppedAnswer(answer: Answer, stops: readonly string[]): Answer {
  // A stop sequence inside a tool's arguments would leave broken JSON behind.
  if (answer.kind === "tool") return answer;
  return { kind: "text", text: cutAtStop(answer.text, stops) };
}

/**
 * What is missing of the half-given message. If it is the beginning of the uncut answer, given and
 * rest together are that answer to the byte: a caller that resumes in another region reads one
 * seamless text. If it is not (another model or prompt began it), the whole answer follows after a
 * space, as no honest seam exists.
 */
function continuedAnswer(request: ChatRequest, modelDigest: string, english: English): Answer {
  const given = textOf(request.messages.at(-1) ?? { role: "assistant" });
  // Without tools: a message that began as text cannot go on as a tool call.
  const before: ChatRequest = { ...request, messages: request.messages.slice(0, -1), tools: null };
  const answer = saidTo(before, modelDigest, english);
  const whole = answer.kind === "text" ? answer.text : "";
  const stops = stopsOf(request);
  // Stops apply to the uncut text first, or one that lies across the seam would be missed.
  const stopped = cutAtStop(whole, stops);
  if (stopped.startsWith(given)) return { kind: "text", text: stopped.slice(given.length) };
  const seam = given === "" || /\s$/.test(given) ? "" : " ";
  return { kind: "text", text: cutAtStop(`${seam}${whole}`, stops) };
}
