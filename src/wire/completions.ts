import { wordsOf } from "./content.ts";
import { invalid, missing, unsupported } from "./faults.ts";
import {
  type Fields,
  fieldsList,
  fieldsOf,
  isFields,
  numberOr,
  present,
  textOr,
} from "./fields.ts";
import type { RequestFault } from "./parse-request.ts";

/**
 * The legacy `/v1/completions` as a dialect of chat: the prompt becomes the only user message, and
 * the chat answer is told in the old shape. Fields that both APIs have, and unknown ones, pass.
 */

/** What of the request the answer depends on. */
export interface AskedCompletion {
  readonly prompt: string;
  /** The prompt is told before the answer. */
  readonly echo: boolean;
}

export type CompletionAsChat =
  | { readonly ok: true; readonly chat: Fields; readonly asked: AskedCompletion }
  | RequestFault;

/** What the API documents for a request that names no length; callers rely on its being short. */
const DEFAULT_MAX_TOKENS = 16;

const MOST_LOGPROBS = 5;

/** The chat request of a completions body. Fields that chat has, too, are judged as chat's. */
export function completionToChat(body: unknown): CompletionAsChat {
  if (!isFields(body)) return invalid("body", "expected a JSON object", "invalid_type");
  const { prompt: given, echo, suffix, best_of, logprobs, ...rest } = body;
  const prompt = onePrompt(given);
  const fault =
    (prompt === null ? promptFault(given) : null) ??
    faultOf({ echo, suffix, best_of, logprobs, rest });
  if (prompt === null || fault !== null) return fault ?? missing("prompt");
  const chat = {
    ...rest,
    messages: [{ role: "user", content: prompt }],
    max_tokens: rest.max_tokens ?? (rest.max_completion_tokens == null ? DEFAULT_MAX_TOKENS : null),
    ...(typeof logprobs === "number" ? { logprobs: true, top_logprobs: logprobs } : {}),
  };
  return { ok: true, chat, asked: { prompt, echo: echo === true } };
}

function onePrompt(prompt: unknown): string | null {
  if (typeof prompt === "string") return prompt;
  const only = Array.isArray(prompt) && prompt.length === 1 ? prompt[0] : null;
  return typeof only === "string" ? only : null;
}

function promptFault(prompt: unknown): RequestFault {
  if (prompt === undefined || prompt === null) return missing("prompt");
  const why =
    Array.isArray(prompt) && prompt.every((text) => typeof text === "string")
      ? `expected one text, but got ${prompt.length}; send a request for each`
      : "expected a string; token ids are another tokeniser's, and are not taken";
  return invalid("prompt", why, "invalid_type");
}

function faultOf(given: Fields & { readonly rest: Fields }): RequestFault | null {
  const { echo, suffix, best_of, logprobs, rest } = given;
  if ((suffix ?? "") !== "")
    return unsupported("suffix", "A chat model does not fill in the middle.");
  // Judged by the model's own logprobs, which a gateway does not see: it could only guess the best.
  if ((best_of ?? 1) !== (rest.n ?? 1) && best_of != null)
    return unsupported("best_of", "Send `n`, and choose among the answers.");
  if (logprobs === undefined || logprobs === null) return null;
  if (!Number.isInteger(logprobs) || Number(logprobs) < 0 || Number(logprobs) > MOST_LOGPROBS)
    return invalid("logprobs", `expected an integer from 0 to ${MOST_LOGPROBS}`);
  if (echo === true)
    return unsupported("echo", "With `logprobs` the prompt's would be needed, too.");
  return null;
}

/** Turns chat answers of one request into completions; keeps how far each choice got. */
export class CompletionTeller {
  readonly #asked: AskedCompletion;
  /** Characters told, by choice. */
  readonly #offsets: Map<number, number>;

  /** @param told characters that its caller has already, by choice: only what follows is told. */
  constructor(asked: AskedCompletion, told: ReadonlyMap<number, number> = new Map()) {
    this.#asked = asked;
    this.#offsets = new Map(told);
  }

  /** A whole chat completion as a text completion. */
  whole(chat: Fields): Fields {
    const choices = fieldsList(chat.choices).map((choice) =>
      this.#choice(choice, wordsOf(fieldsOf(choice.message).content).text),
    );
    return { ...named(chat), choices };
  }

  /** A chunk of a chat stream as one of a completion; null when it says nothing in that shape. */
  chunk(chat: Fields): Fields | null {
    const given = fieldsList(chat.choices);
    const choices = given
      .filter(saysSomething)
      .map((choice) => this.#choice(choice, wordsOf(fieldsOf(choice.delta).content).text));
    // Of no choice at all is the usage; of choices that say nothing, such as a role, is nothing.
    return given.length > 0 && choices.length === 0 ? null : { ...named(chat), choices };
  }

  #choice(choice: Fields, said: string) {
    const index = numberOr(choice.index, 0);
    const finish = choice.finish_reason;
    const before = this.#offsets.get(index);
    const opening = before === undefined && this.#asked.echo ? this.#asked.prompt : "";
    // A role alone must not spend the echo: it is not told.
    const text = said === "" && typeof finish !== "string" ? "" : opening + said;
    const start = before ?? 0;
    if (text !== "") this.#offsets.set(index, start + text.length);
    return {
      index,
      text,
      logprobs: legacyLogprobs(choice.logprobs, start),
      finish_reason: typeof finish === "string" ? finish : null,
    };
  }
}

/** A token may be a part of a character, and has log probabilities then, and no text yet. */
function saysSomething({ delta, finish_reason, logprobs }: Fields): boolean {
  const { content, reasoning_content, reasoning } = fieldsOf(delta);
  if (typeof finish_reason === "string" || wordsOf(content).text !== "") return true;
  return (
    content === "" &&
    !reasoning_content &&
    !reasoning &&
    fieldsList(fieldsOf(logprobs).content).length > 0
  );
}

function named(chat: Fields): Fields {
  const id = textOr(chat.id).replace(/^chatcmpl-/, "");
  return present({ ...chat, id: `cmpl-${id}`, object: "text_completion" });
}

function legacyLogprobs(logprobs: unknown, start: number): Fields | null {
  const entries = fieldsList(fieldsOf(logprobs).content);
  if (entries.length === 0) return null;
  const tokens = entries.map(({ token }) => textOr(token));
  let offset = start;
  return {
    tokens,
    token_logprobs: entries.map(({ logprob }) => logprob ?? null),
    top_logprobs: entries.map(({ top_logprobs }) =>
      Object.fromEntries(fieldsList(top_logprobs).map((top) => [textOr(top.token), top.logprob])),
    ),
    text_offset: tokens.map((token) => {
      const at = offset;
      offset += token.length;
      return at;
    }),
  };
}
