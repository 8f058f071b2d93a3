import type {
  ChatChunk,
  ChatDelta,
  ChatResponse,
  ChoiceLogprobs,
  FinishReason,
  ToolCall,
  ToolCallDelta,
  Usage,
} from "../wire/openai.ts";
import type { Completion } from "./completion.ts";
import type { TokenLogprobs } from "./logprobs.ts";

/** A completion in OpenAI's shapes, whole or in chunks. Pure: who sends them is chat.ts. */

export interface AnswerHead {
  readonly id: string;
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
  /** Number of identical choices. */
  readonly choices: number;
  /** One entry a token of the answer; null when no logprobs were asked for. */
  readonly logprobs: readonly TokenLogprobs[] | null;
}

export function wholeAnswer(head: AnswerHead, completion: Completion): ChatResponse {
  const text = completion.tokens.join("");
  const { id, created, model } = head;
  return {
    id,
    object: "chat.completion",
    created,
    model,
    choices: indexes(head).map((index) => ({
      index,
      message:
        completion.tool === undefined
          ? { role: "assistant", content: text, refusal: null }
          : { role: "assistant", content: null, tool_calls: [toolCall(head, completion, index)] },
      finish_reason: completion.finishReason,
      logprobs: choiceLogprobs(head, completion, head.logprobs ?? []),
    })),
    usage: completion.usage,
  };
}

/** The chunks that open every choice: its role and, for a tool call, its name. */
export function openingChunks(head: AnswerHead, completion: Completion): ChatChunk[] {
  return indexes(head).map((index) => {
    if (completion.tool === undefined) {
      return chunk(head, index, { role: "assistant", content: "" }, null);
    }
    const call = { index: 0, ...toolCall(head, completion, index) };
    const opened: ToolCallDelta = { ...call, function: { ...call.function, arguments: "" } };
    return chunk(head, index, { role: "assistant", content: null, tool_calls: [opened] }, null);
  });
}

/** The token at a position, for every choice. */
export function tokenChunks(head: AnswerHead, completion: Completion, at: number): ChatChunk[] {
  const token = completion.tokens[at] ?? "";
  const delta: ChatDelta =
    completion.tool === undefined
      ? { content: token }
      : { tool_calls: [{ index: 0, function: { arguments: token } }] };
  const logprobs = choiceLogprobs(head, completion, head.logprobs?.slice(at, at + 1) ?? []);
  return indexes(head).map((index) => chunk(head, index, delta, null, logprobs));
}

/** Tool calls have none, as in OpenAI's API. */
function choiceLogprobs(
  { logprobs }: AnswerHead,
  { tool }: Completion,
  content: readonly TokenLogprobs[],
): ChoiceLogprobs | null {
  return logprobs === null || tool !== undefined ? null : { content, refusal: null };
}

export function finalChunks(head: AnswerHead, completion: Completion): ChatChunk[] {
  return indexes(head).map((index) => chunk(head, index, {}, completion.finishReason));
}

export function usageChunk(head: AnswerHead, usage: Usage): ChatChunk {
  const { id, created, model } = head;
  return { id, object: "chat.completion.chunk", created, model, choices: [], usage };
}

function chunk(
  head: AnswerHead,
  index: number,
  delta: ChatDelta,
  finish: FinishReason | null,
  logprobs: ChoiceLogprobs | null = null,
): ChatChunk {
  return {
    id: head.id,
    object: "chat.completion.chunk",
    created: head.created,
    model: head.model,
    choices: [{ index, delta, finish_reason: finish, logprobs }],
  };
}

function indexes(head: AnswerHead): number[] {
  return Array.from({ length: head.choices }, (_, index) => index);
}

function toolCall(head: AnswerHead, completion: Completion, index: number): ToolCall {
  return {
    id: `call_${head.id.replace(/^chatcmpl-/, "")}-${index}`,
    type: "function",
    function: { name: completion.tool ?? "", arguments: completion.tokens.join("") },
  };
}
