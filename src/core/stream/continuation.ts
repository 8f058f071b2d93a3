import type { ChatMessage, ChatRequest } from "../../wire/openai.ts";
import { type Delivered, type DeliveredChoice, hasText } from "./delivered.ts";
import { TEXT_FIELDS } from "./frame.ts";

/**
 * How a model's server takes a half-given answer:
 * - `continue-final-message`: vLLM's flag of that name (with `add_generation_prompt: false`);
 * - `prefill`: it goes on with the last message when that is the assistant's;
 * - `none`: not at all, or nobody knows.
 */
export type Capability = "continue-final-message" | "prefill" | "none";

export type Continuation =
  | {
      readonly kind: "ask";
      /** The model goes on, or says everything again. */
      readonly how: "continue" | "regenerate";
      readonly request: ChatRequest;
      /** What the caller has and the stream will say once more: to be taken out (splice.ts). */
      readonly repeats: readonly DeliveredChoice[];
    }
  /** Nothing is missing but the end: the caller has as many tokens as it allowed. */
  | { readonly kind: "finished"; readonly reason: "length" }
  | { readonly kind: "give-up"; readonly because: string };

/**
 * What to ask of a server, so that its answer and what the caller already has are one answer.
 * `request` is complete: the prompt rendered, the length capped; the rest of it is never touched,
 * and above all no word is added to the prompt. "Go on where you stopped" makes another answer.
 */
export function continuation(
  delivered: Delivered,
  request: ChatRequest,
  capability: Capability,
): Continuation {
  if (delivered.opaque) {
    return { kind: "give-up", because: "what came can be neither continued nor compared" };
  }
  const given = continuable(delivered, request, capability);
  if (given === null) return regenerate(delivered, request);
  const shortened = shorten(request, delivered.tokens);
  if (shortened === null) return { kind: "finished", reason: "length" };
  return goOn(given, shortened, capability);
}

function regenerate({ choices }: Delivered, request: ChatRequest): Continuation {
  return { kind: "ask", how: "regenerate", request, repeats: choices };
}

function goOn(given: string, request: ChatRequest, capability: Capability): Continuation {
  if (capability === "continue-final-message") {
    const flags = { add_generation_prompt: false, continue_final_message: true };
    const messages = withGiven(request.messages, given);
    return {
      kind: "ask",
      how: "continue",
      request: { ...request, ...flags, messages },
      repeats: [],
    };
  }
  // A prefill that ends in white space is refused (Anthropic) or derails the model, whose tokens
  // begin with their space: it is left out, said again, and taken out of what comes.
  const bare = given.trimEnd();
  const space = given.slice(bare.length);
  const repeats = space === "" ? [] : [{ index: 0, texts: { content: space } }];
  const messages = withGiven(request.messages, bare);
  return { kind: "ask", how: "continue", request: { ...request, messages }, repeats };
}

/** The text that a server can go on with; null when everything must be said again. */
function continuable(
  delivered: Delivered,
  request: ChatRequest,
  capability: Capability,
): string | null {
  if (capability === "none" || !hasText(delivered) || !takesGiven(request)) return null;
  // One message at the end of a prompt cannot be several choices, nor half a call of a tool.
  if ((request.n ?? 1) !== 1 || delivered.choices.length !== 1 || delivered.inToolCall) return null;
  const [choice] = delivered.choices;
  const texts = choice?.texts ?? {};
  const others = TEXT_FIELDS.some((field) => field !== "content" && (texts[field] ?? "") !== "");
  // Thoughts are no part of a message; a server would think anew before it went on.
  if (choice?.index !== 0 || others) return null;
  const given = texts.content ?? "";
  return capability === "prefill" && given.trimEnd() === "" ? null : given;
}

/** Whether appending to the answer means the same to the server as having said it. */
function takesGiven(request: ChatRequest): boolean {
  const { messages, response_format, continue_final_message, echo } = request;
  // What is said is bound by a grammar from its first token on: its rest would begin like a whole.
  if (isShaped(response_format) || GRAMMARS.some((name) => (request[name] ?? null) !== null)) {
    return false;
  }
  if (echo === true || isForced(request.tool_choice)) return false;
  const last = messages.at(-1);
  if (last?.role !== "assistant") return true;
  // The caller itself gave a beginning. Where the server was not told so, it is an earlier turn.
  return continue_final_message === true && typeof last.content === "string";
}

/** vLLM's members that bind the answer to a grammar. */
const GRAMMARS: readonly string[] = [
  "guided_json",
  "guided_regex",
  "guided_choice",
  "guided_grammar",
  "structured_outputs",
];

function isShaped(format: unknown): boolean {
  if (typeof format !== "object" || format === null || !("type" in format)) return false;
  return format.type !== "text";
}

function isForced(toolChoice: unknown): boolean {
  return toolChoice === "required" || (typeof toolChoice === "object" && toolChoice !== null);
}

function withGiven(messages: readonly ChatMessage[], given: string): ChatMessage[] {
  const last = messages.at(-1);
  if (last?.role === "assistant" && typeof last.content === "string") {
    return [...messages.slice(0, -1), { ...last, content: last.content + given }];
  }
  return [...messages, { role: "assistant", content: given }];
}

/** With so many tokens less to say; null when none is left. */
function shorten(request: ChatRequest, told: number): ChatRequest | null {
  const { max_tokens: old, max_completion_tokens: most } = request;
  const least = Math.min(old ?? Number.POSITIVE_INFINITY, most ?? Number.POSITIVE_INFINITY);
  if (least - told <= 0) return null;
  return {
    ...request,
    ...(typeof old === "number" ? { max_tokens: old - told } : {}),
    ...(typeof most === "number" ? { max_completion_tokens: most - told } : {}),
  };
}
