import {
  type Fields,
  fieldsList,
  fieldsOf,
  isFields,
  numberOr,
  present,
  textOr,
} from "./fields.ts";

/** The objects of a `/v1/responses` answer. */

export type PartKind = "output_text" | "refusal" | "reasoning_text";

/** The event names of a part's text: `<name>.delta` and `<name>.done`. */
export const TEXT_EVENTS: Readonly<Record<PartKind, string>> = {
  output_text: "response.output_text",
  refusal: "response.refusal",
  reasoning_text: "response.reasoning_text",
};

/** One piece of an item's content, as far as it came. */
export interface Part {
  readonly kind: PartKind;
  text: string;
  readonly logprobs: Fields[];
  readonly annotations: Fields[];
  open: boolean;
}

export type ItemStatus = "in_progress" | "completed" | "incomplete";

export type Item =
  | {
      readonly kind: "message" | "reasoning";
      readonly id: string;
      readonly parts: Part[];
      status: ItemStatus;
    }
  | {
      readonly kind: CallKind;
      readonly id: string;
      readonly callId: string;
      readonly name: string;
      /** The call's index in the chat answer. */
      readonly position: number;
      argumentText: string;
      status: ItemStatus;
    };

export type CallKind = "function_call" | "custom_tool_call";

/** How each kind of call is said: its item's id, its events and what they call its text. */
export const CALLS: Readonly<
  Record<CallKind, { readonly id: string; readonly events: string; readonly text: string }>
> = {
  function_call: { id: "fc", events: "response.function_call_arguments", text: "arguments" },
  custom_tool_call: { id: "ctc", events: "response.custom_tool_call_input", text: "input" },
};

export function partObject({ kind, text, logprobs, annotations }: Part): Fields {
  if (kind === "refusal") return { type: kind, refusal: text };
  if (kind === "reasoning_text") return { type: kind, text };
  return { type: kind, text, annotations, logprobs };
}

export function itemObject(item: Item, status: ItemStatus = item.status): Fields {
  if ("callId" in item) {
    const { kind, id, callId, name, argumentText } = item;
    return { id, type: kind, status, call_id: callId, name, [CALLS[kind].text]: argumentText };
  }
  const content = item.parts.map(partObject);
  return item.kind === "reasoning"
    ? { id: item.id, type: "reasoning", summary: [], content, status }
    : { id: item.id, type: "message", status, role: "assistant", content };
}

/** Chat's usage under the names of this API; null when there is none. */
export function responseUsage(usage: unknown): Fields | null {
  const { prompt_tokens, completion_tokens, ...given } = fieldsOf(usage);
  if (typeof prompt_tokens !== "number" || typeof completion_tokens !== "number") return null;
  const inDetail = fieldsOf(given.prompt_tokens_details);
  const outDetail = fieldsOf(given.completion_tokens_details);
  return {
    input_tokens: prompt_tokens,
    input_tokens_details: present({
      cached_tokens: numberOr(inDetail.cached_tokens, 0),
      cache_write_tokens: numberOr(inDetail.cache_write_tokens, 0),
    }),
    output_tokens: completion_tokens,
    output_tokens_details: { reasoning_tokens: numberOr(outDetail.reasoning_tokens, 0) },
    total_tokens: numberOr(given.total_tokens, prompt_tokens + completion_tokens),
  };
}

/** Chat's annotations, such as the sources of a web search; it keeps each in a member of its own. */
export function responseAnnotations(annotations: unknown): Fields[] {
  return fieldsList(annotations).map((given) => {
    const { [textOr(given.type)]: own, ...rest } = given;
    return isFields(own) ? { ...rest, ...own } : given;
  });
}

/** Chat's logprobs of one piece of text. */
export function responseLogprobs(logprobs: unknown): Fields[] {
  return fieldsList(fieldsOf(logprobs).content).map((entry) => ({
    token: textOr(entry.token),
    logprob: entry.logprob,
    bytes: entry.bytes ?? [],
    top_logprobs: fieldsList(entry.top_logprobs).map(({ token, logprob, bytes }) => ({
      token,
      logprob,
      bytes: bytes ?? [],
    })),
  }));
}

/** Why an answer is not whole although its model ended it; null when it is whole. */
export function incompleteReason(finish: string | null): string | null {
  if (finish === "length") return "max_output_tokens";
  return finish === "content_filter" ? "content_filter" : null;
}
