import type { ToldResponse } from "../../wire/responses-told.ts";
import { type Fields, isFields, TEXT_FIELDS, type Texts } from "./frame.ts";
import type { Relay } from "./relay.ts";
import {
  addTexts,
  allTexts,
  type ChoiceState,
  lengthOf,
  type StreamState,
  saysText,
} from "./state.ts";

/** What the caller of a cut answer already has of it: all that a continuation may rest on. */
export interface Delivered {
  /** Of the answer, so that its rest bears them, too; null when nothing named them. */
  readonly id: string | null;
  /** Unix seconds. */
  readonly created: number | null;
  readonly choices: readonly DeliveredChoice[];
  /** Completion tokens of `choices`: as the server counted them, else the events that told some. */
  readonly tokens: number;
  /** It was cut inside a tool call, of which nothing was told. */
  readonly inToolCall: boolean;
  /** Something was told that can neither be continued nor compared. */
  readonly opaque: boolean;
  /** The halves that made it, all of them cut: for one honest sum of what the answer cost. */
  readonly cuts: readonly Cut[];
  /** Of an answer of `/v1/responses`: where its text stands. Means nothing in any other API. */
  readonly response?: ToldResponse;
}

/** What was spent on a half that was cut, in tokens. */
export interface Cut {
  /** Of the answer's own, read as a part of the prompt: what a server that continued was given. */
  readonly read: number;
  /** Made by the model, told or not. */
  readonly generated: number;
}

export type ThoughtsTold = "either" | "untold";

export interface DeliveredChoice {
  readonly index: number;
  readonly texts: Texts;
  /**
   * Where its caller's API is not chat: `either` knows not under which name its thoughts came
   * (`reasoning_content`, where they stand here, or `reasoning`), `untold` tells nobody of thoughts
   * and refusals, so that whatever comes of them contradicts nothing.
   */
  readonly thoughts?: ThoughtsTold;
}

/**
 * Member of a request's body, beside OpenAI's own: asks a gateway for the rest of an answer of which
 * the caller has this much. Another gateway sends it, or the client. Its value is `Delivered`, in
 * the terms of the API that is asked (see `dialects.ts` for others than chat).
 */
export const RESUME_FIELD = "tideover_resume";

export const NOTHING_DELIVERED: Delivered = {
  id: null,
  created: null,
  choices: [],
  tokens: 0,
  inToolCall: false,
  opaque: false,
  cuts: [],
};

/** What was told of a stream so far: what was followed, without what is held. */
export function deliveredOf({ state, held }: Relay): Delivered {
  const choices = [...state.choices].map(([index, choice]) => toldOf(index, choice, held));
  const heldPieces = held.reduce(
    (sum, { chunk }) => sum + chunk.choices.filter(saysText).length,
    0,
  );
  const calls = [...state.choices.values()].some(({ toolCalls }) => toolCalls.size > 0);
  return {
    id: state.id,
    created: state.created,
    choices: choices.filter((told) => told !== null).sort((a, b) => a.index - b.index),
    tokens: Math.max(0, generatedTokens(state) - heldPieces),
    inToolCall: calls,
    opaque: [...state.choices.values()].some(({ opaque }) => opaque),
    cuts: [{ read: 0, generated: generatedTokens(state) }],
  };
}

/** Tokens that a model spent on what came of a stream, told or not. */
export function generatedTokens({ choices, usage }: StreamState): number {
  const pieces = [...choices.values()].reduce((sum, choice) => sum + choice.pieces, 0);
  // Some servers count along; several tokens may have come in one event.
  return Math.max(pieces, usage?.completionTokens ?? 0);
}

/** Whether the caller has any text of it. A role alone is nothing that could be contradicted. */
export function hasText({ choices }: Delivered): boolean {
  return choices.some(({ texts }) => lengthOf(texts) > 0);
}

/**
 * What the caller has after both: `more` is the rest that was told behind `before`. Whether its
 * server went on or said all again is told by the gateway that asked it; who only reads the rest
 * takes it for continued, which is the cheaper and the usual way.
 */
export function addDelivered(
  before: Delivered,
  more: Delivered,
  how: "continue" | "regenerate" = "continue",
): Delivered {
  const read = how === "continue" ? before.tokens : 0;
  const byIndex = new Map(before.choices.map((choice) => [choice.index, choice]));
  for (const { index, texts, ...how } of more.choices) {
    const had = byIndex.get(index);
    byIndex.set(index, { ...how, ...had, index, texts: addTexts(had?.texts ?? {}, texts) });
  }
  return {
    id: before.id ?? more.id,
    created: before.created ?? more.created,
    choices: [...byIndex.values()].sort((a, b) => a.index - b.index),
    tokens: before.tokens + more.tokens,
    inToolCall: before.inToolCall || more.inToolCall,
    opaque: before.opaque || more.opaque,
    cuts: [...before.cuts, ...more.cuts.map((cut) => ({ ...cut, read: cut.read + read }))],
  };
}

/** The value of `RESUME_FIELD`, judged; null when it is not one. Total. */
export function readDelivered(value: unknown): Delivered | null {
  if (!isFields(value) || !Array.isArray(value.choices)) return null;
  const choices = value.choices.map(readChoice).filter((choice) => choice !== null);
  const cuts = readCuts(value.cuts);
  const { id, created, tokens, inToolCall, opaque } = value;
  const sound =
    choices.length === value.choices.length &&
    new Set(choices.map(({ index }) => index)).size === choices.length &&
    (id === null || typeof id === "string") &&
    (created === null || Number.isSafeInteger(created)) &&
    isCount(tokens) &&
    typeof inToolCall === "boolean" &&
    typeof opaque === "boolean";
  if (!sound || cuts === null) return null;
  return {
    id,
    created: created === null ? null : Number(created),
    choices,
    tokens,
    inToolCall,
    opaque,
    cuts,
  };
}

function readCuts(value: unknown): Cut[] | null {
  if (!Array.isArray(value)) return null;
  const cuts = value.filter(
    (cut): cut is Cut => isFields(cut) && isCount(cut.read) && isCount(cut.generated),
  );
  if (cuts.length < value.length) return null;
  return cuts.map(({ read, generated }) => ({ read, generated }));
}

function readChoice(value: unknown): DeliveredChoice | null {
  if (!isFields(value) || !isCount(value.index) || !isFields(value.texts)) return null;
  const { index, texts } = value;
  const known: readonly string[] = TEXT_FIELDS;
  const sound = Object.entries(texts).every(
    ([field, text]) => known.includes(field) && typeof text === "string",
  );
  if (!sound) return null;
  const { thoughts } = value;
  const choice = { index, texts: addTexts({}, texts as Fields & Texts) };
  return thoughts === "either" || thoughts === "untold" ? { ...choice, thoughts } : choice;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Held events of a choice are the last of it, so what was told is the text without its end. */
function toldOf(index: number, choice: ChoiceState, held: Relay["held"]): DeliveredChoice | null {
  const mine = held.flatMap(({ chunk }) => chunk.choices).filter((one) => one.index === index);
  // A choice of which only held events came is not begun for the caller.
  if (mine.length === choice.deltas) return null;
  const texts = allTexts(choice);
  const told: { -readonly [Field in keyof Texts]: Texts[Field] } = {};
  for (const field of TEXT_FIELDS) {
    const heldLength = mine.reduce((sum, one) => sum + (one.texts[field]?.length ?? 0), 0);
    const all = texts[field] ?? "";
    if (all.length > heldLength) told[field] = all.slice(0, all.length - heldLength);
  }
  return { index, texts: told };
}
