import type { AskedCompletion } from "../../wire/completions.ts";
import type { PartKind } from "../../wire/responses-output.ts";
import { readTold, type ToldResponse } from "../../wire/responses-told.ts";
import { type Delivered, type DeliveredChoice, readDelivered } from "./delivered.ts";
import { isFields, type TextField, type Texts } from "./frame.ts";

/**
 * What a caller of another API has of an answer, in the terms of chat, which are those in which it
 * is gone on with; and what the teller of that API needs to tell only the rest.
 */

export interface HalfCompletion {
  readonly delivered: Delivered;
  /** Characters that the caller has, by choice, an echoed prompt among them. */
  readonly told: ReadonlyMap<number, number>;
}

/** Null for what is no half answer to this request. Total. */
export function readHalfCompletion(value: unknown, asked: AskedCompletion): HalfCompletion | null {
  const half = readDelivered(value);
  if (half === null) return null;
  const choices = half.choices.map((choice) => inChat(choice, asked));
  const known = choices.filter((choice) => choice !== null);
  if (known.length < choices.length) return null;
  const told = half.choices.map(({ index, texts }) => [index, texts.text?.length ?? 0] as const);
  const id = half.id?.replace(/^cmpl-/, "chatcmpl-") ?? null;
  return { delivered: { ...half, id, choices: known }, told: new Map(told) };
}

/** No server was asked to echo the prompt: the gateway tells it, and so takes it off again. */
function inChat(
  { index, texts }: DeliveredChoice,
  { prompt, echo }: AskedCompletion,
): DeliveredChoice | null {
  const { text = "", ...others } = texts;
  const opening = echo ? prompt : "";
  if (Object.keys(others).length > 0 || !text.startsWith(opening)) return null;
  const content = text.slice(opening.length);
  return { index, texts: content === "" ? {} : { content }, thoughts: "untold" };
}

export interface HalfResponse {
  readonly delivered: Delivered;
  readonly told: ToldResponse;
  /** From which the ids of its items are made. */
  readonly id: string;
}

/** Null for what is no half answer of `/v1/responses`. Total. */
export function readHalfResponse(value: unknown): HalfResponse | null {
  const half = readDelivered(value);
  const told = isFields(value) ? readTold(value.response) : null;
  const id = /^resp_([\w.:-]{1,128})$/.exec(half?.id ?? "")?.[1];
  if (half === null || told === null || id === undefined) return null;
  // One text, said once: where the parts stand. What else the sender says of it could contradict.
  const texts = textsOfTold(told);
  const choices = told.items.length === 0 ? [] : [{ index: 0, texts, thoughts: "either" as const }];
  return { delivered: { ...half, choices }, told, id };
}

const FIELDS: Readonly<Record<PartKind, TextField>> = {
  output_text: "content",
  refusal: "refusal",
  reasoning_text: "reasoning_content",
};

/** The texts of a chat answer that says the same. */
export function textsOfTold({ items }: ToldResponse): Texts {
  const texts: { -readonly [Field in keyof Texts]: Texts[Field] } = {};
  for (const { kind, text } of items.flatMap(({ parts }) => parts)) {
    texts[FIELDS[kind]] = (texts[FIELDS[kind]] ?? "") + text;
  }
  return texts;
}
