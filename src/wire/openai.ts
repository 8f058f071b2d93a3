/**
 * The OpenAI shapes that Tideover reads and writes: types only, no behaviour. Requests and messages
 * keep every field that is not named here, because a gateway that drops what it does not know
 * silently changes the answer.
 */

export type ChatRole = "system" | "developer" | "user" | "assistant" | "tool" | "function";

export interface ContentPart {
  readonly type: string;
  readonly text?: string;
  readonly [key: string]: unknown;
}

export interface ToolCall {
  readonly id: string;
  readonly type: "function";
  /** `arguments` is JSON as text. */
  readonly function: { readonly name: string; readonly arguments: string };
}

export interface ChatMessage {
  readonly role: ChatRole;
  readonly content?: string | readonly ContentPart[] | null;
  readonly tool_calls?: readonly ToolCall[] | null;
  readonly tool_call_id?: string;
  readonly [key: string]: unknown;
}

/**
 * A tool that the caller runs: a `function` takes JSON, a `custom` one any text. Other types are a
 * server's own affair.
 */
export interface ToolDefinition {
  readonly type?: string;
  readonly function?: { readonly name: string; readonly [key: string]: unknown };
  readonly custom?: { readonly name: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly ChatMessage[];
  readonly stream?: boolean | null;
  readonly stream_options?: { readonly include_usage?: boolean | null } | null;
  readonly max_tokens?: number | null;
  readonly max_completion_tokens?: number | null;
  readonly n?: number | null;
  readonly logprobs?: boolean | null;
  readonly top_logprobs?: number | null;
  readonly stop?: string | readonly string[] | null;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly seed?: number | null;
  readonly user?: string | null;
  readonly tools?: readonly ToolDefinition[] | null;
  readonly tool_choice?: unknown;
  /** vLLM: go on with the last message, which must be the assistant's. */
  readonly continue_final_message?: boolean | null;
  /** vLLM: open a new assistant message; true when absent. */
  readonly add_generation_prompt?: boolean | null;
  readonly [key: string]: unknown;
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

export type FinishReason = "stop" | "length" | "tool_calls" | "content_filter" | "function_call";

export interface ChatResponseMessage {
  readonly role: "assistant";
  readonly content: string | null;
  readonly tool_calls?: readonly ToolCall[];
  readonly refusal?: string | null;
}

export interface TokenLogprob {
  readonly token: string;
  readonly logprob: number;
  /** Of the token in UTF-8. */
  readonly bytes: readonly number[];
}

export interface ChoiceLogprobs {
  readonly content: readonly (TokenLogprob & { readonly top_logprobs: readonly TokenLogprob[] })[];
  readonly refusal: null;
}

export interface ChatResponse {
  readonly id: string;
  readonly object: "chat.completion";
  /** Unix seconds. */
  readonly created: number;
  readonly model: string;
  readonly choices: readonly {
    readonly index: number;
    readonly message: ChatResponseMessage;
    readonly finish_reason: FinishReason;
    readonly logprobs: ChoiceLogprobs | null;
  }[];
  readonly usage: Usage;
}

/** A piece of a tool call in a stream: the first names it, the later ones add to its arguments. */
export interface ToolCallDelta {
  readonly index: number;
  readonly id?: string;
  readonly type?: "function";
  readonly function?: { readonly name?: string; readonly arguments?: string };
}

export interface ChatDelta {
  readonly role?: "assistant";
  readonly content?: string | null;
  readonly tool_calls?: readonly ToolCallDelta[];
}

export interface ChatChunk {
  readonly id: string;
  readonly object: "chat.completion.chunk";
  readonly created: number;
  readonly model: string;
  readonly choices: readonly {
    readonly index: number;
    readonly delta: ChatDelta;
    readonly finish_reason: FinishReason | null;
    readonly logprobs?: ChoiceLogprobs | null;
  }[];
  /** Only with `stream_options.include_usage`: null until the last chunk, which has no choices. */
  readonly usage?: Usage | null;
}

export interface ModelEntry {
  readonly id: string;
  readonly object: "model";
  readonly created: number;
  readonly owned_by: string;
  readonly [key: string]: unknown;
}

export interface ModelList {
  readonly object: "list";
  readonly data: readonly ModelEntry[];
}

export interface EmbeddingsRequest {
  readonly model: string;
  readonly input: string | readonly string[];
  readonly encoding_format?: "float" | "base64" | null;
  readonly dimensions?: number | null;
  readonly [key: string]: unknown;
}

export interface EmbeddingsResponse {
  readonly object: "list";
  readonly data: readonly {
    readonly object: "embedding";
    readonly index: number;
    /** Numbers, or base64 of little-endian 32-bit floats when the request asked for it. */
    readonly embedding: readonly number[] | string;
  }[];
  readonly model: string;
  readonly usage: { readonly prompt_tokens: number; readonly total_tokens: number };
}

/** The words of a message: its text, or its text parts joined by line breaks. "" when it has none. */
export function textOf(message: ChatMessage): string {
  const { content } = message;
  if (typeof content === "string") return content;
  if (content === null || content === undefined) return "";
  return content
    .filter((part) => part.type === "text")
    .map((part) => part.text ?? "")
    .join("\n");
}
