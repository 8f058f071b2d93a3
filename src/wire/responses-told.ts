import { type Fields, isFields, textOr } from "./fields.ts";
import type { PartKind } from "./responses-output.ts";

/**
 * What a caller has of a streamed `/v1/responses` answer: its text, in the items and parts that it
 * came in. The last part of the last item is open, all others are closed; calls are none of it,
 * because nobody is told half of one.
 */
export interface ToldResponse {
  /** Of the next event. */
  readonly sequence: number;
  readonly items: readonly ToldItem[];
}

export interface ToldItem {
  readonly kind: "message" | "reasoning";
  readonly parts: readonly ToldPart[];
}

export interface ToldPart {
  readonly kind: PartKind;
  readonly text: string;
  /** The closing event repeats those of all its text. */
  readonly logprobs: readonly Fields[];
}

export const NOTHING_TOLD: ToldResponse = { sequence: 0, items: [] };

export const PART_KINDS: readonly PartKind[] = ["output_text", "refusal", "reasoning_text"];

/** Judges what somebody says to have; null when it is not that. Total. */
export function readTold(value: unknown): ToldResponse | null {
  if (!isFields(value) || !Array.isArray(value.items)) return null;
  const { sequence } = value;
  const items = value.items.map(readItem).filter((item) => item !== null);
  if (typeof sequence !== "number" || !Number.isSafeInteger(sequence) || sequence < 0) return null;
  // An item without a part would have been told without a word.
  if (items.length < value.items.length) return null;
  return { sequence, items };
}

function readItem(value: unknown): ToldItem | null {
  if (!isFields(value) || !Array.isArray(value.parts) || value.parts.length === 0) return null;
  const { kind } = value;
  const parts = value.parts.map(readPart).filter((part) => part !== null);
  if (parts.length < value.parts.length) return null;
  return kind === "message" || kind === "reasoning" ? { kind, parts } : null;
}

function readPart(value: unknown): ToldPart | null {
  if (!isFields(value) || !Array.isArray(value.logprobs)) return null;
  const kind = PART_KINDS.find((one) => one === value.kind);
  const text = textOr(value.text);
  if (kind === undefined || text === "" || !value.logprobs.every(isFields)) return null;
  return { kind, text, logprobs: value.logprobs };
}
