import type { Cut, Delivered } from "./delivered.ts";
import { type Fields, isFields, parseJson, type TokenCount, tokenCount } from "./frame.ts";

/**
 * What the whole answer cost, as one sum: every prompt that a model read and every token that one
 * made, also those that a regeneration made a second time. A server that was cut never said how
 * long its prompt was; but all of them read the same one, so the last one's count says it, less
 * the half answer (`read`) when it was given that, too.
 */
export function sumUsage(cuts: readonly Cut[], last: TokenCount, read: number): TokenCount {
  const prompt = Math.max(0, last.promptTokens - read);
  return cuts.reduce(
    (sum, cut) => ({
      promptTokens: sum.promptTokens + prompt + cut.read,
      completionTokens: sum.completionTokens + cut.generated,
    }),
    last,
  );
}

/** What the events of a later half are told as, so that the two look like one stream. */
export interface Joint {
  /** What the caller had when this half began. */
  readonly delivered: Delivered;
  /** The whole answer's sum from this half's own usage. */
  readonly sum: (usage: TokenCount) => TokenCount;
}

/**
 * The event as a part of the one stream: its id and time are the answer's, the role is not said
 * again, and usage is the sum. `model` stays: it names who answered from here on. Null for an event
 * that has nothing left to say.
 */
export function joined({ delivered, sum }: Joint, data: string): string | null {
  const body = data === "[DONE]" ? undefined : parseJson(data);
  if (!isFields(body)) return data;
  const begun = new Set(delivered.choices.map(({ index }) => index));
  const came = Array.isArray(body.choices) ? body.choices.filter(isFields) : [];
  const choices = came
    .map((choice, position) => {
      const index = typeof choice.index === "number" ? choice.index : position;
      return begun.has(index) ? withoutRole(choice) : choice;
    })
    .filter((choice) => choice !== null);
  const usage = tokenCount(body.usage);
  if (choices.length === 0 && came.length > 0 && usage === null) return null;
  return JSON.stringify({
    ...body,
    ...(delivered.id === null ? {} : { id: delivered.id }),
    ...(delivered.created === null ? {} : { created: delivered.created }),
    ...("choices" in body ? { choices } : {}),
    ...(usage === null ? {} : { usage: usageFields(body.usage, sum(usage)) }),
  });
}

/** Null when the role was all that it said. */
function withoutRole(choice: Fields): Fields | null {
  if (!isFields(choice.delta) || choice.delta.role === undefined) return choice;
  const { role: _role, ...delta } = choice.delta;
  const says = (value: unknown): boolean => value !== null && value !== undefined && value !== "";
  const said = [...Object.values(delta), choice.finish_reason];
  return said.some(says) ? { ...choice, delta } : null;
}

/** The sum, without the details that were counted for one half only. */
function usageFields(usage: unknown, sum: TokenCount): Fields {
  const others = Object.entries(isFields(usage) ? usage : {}).filter(
    ([name]) => !name.endsWith("_details"),
  );
  return {
    ...Object.fromEntries(others),
    prompt_tokens: sum.promptTokens,
    completion_tokens: sum.completionTokens,
    total_tokens: sum.promptTokens + sum.completionTokens,
  };
}

/** An event that ends an answer whose text is whole. */
export function endEvent(delivered: Delivered, model: string, reason: string): string {
  const { id, created } = delivered;
  const choices = [{ index: 0, delta: {}, finish_reason: reason, logprobs: null }];
  return JSON.stringify({
    id: id ?? "chatcmpl-continued",
    object: "chat.completion.chunk",
    created: created ?? 0,
    model,
    choices,
  });
}
