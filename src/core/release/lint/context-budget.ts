import type { Release } from "../../../model/release.ts";
import type { ServingContract } from "../../../model/serving.ts";
import { kindOf, type ReleaseFile } from "../files.ts";
import { counted, type ReleaseFinding, type ReleaseRule } from "./rule.ts";

/**
 * A prompt must leave room for its answer, or every request fails in the region that has just been
 * given the release. Tokens are estimated from bytes, as the contract says: the model's own
 * tokenizer is not at hand where a release is built, and an estimate from bytes is high for what is
 * hard to tokenize. The place is where the budget is used up.
 */
export const contextBudget: ReleaseRule = ({ release }) => {
  const budget = budgetOf(release.body);
  if (budget === null) return [];
  return release.files
    .filter(({ path }) => kindOf(path)?.kind === "prompt")
    .flatMap((file) => judge(file, budget));
};

interface Budget {
  readonly tokens: number;
  readonly bytesPerToken: number;
  /** What the number is, for people. */
  readonly from: string;
}

function budgetOf({ contract, policy }: Release): Budget | null {
  if (contract === undefined) return null;
  const { bytesPerToken, promptTokens } = contract;
  const room = roomOf(contract, policy.maxOutputTokens);
  if (promptTokens !== undefined && promptTokens <= (room ?? promptTokens))
    return { tokens: promptTokens, bytesPerToken, from: "contract.promptTokens" };
  if (room === null) return null;
  const from = "contract.contextTokens less policy.maxOutputTokens";
  return { tokens: Math.max(0, room), bytesPerToken, from };
}

function roomOf({ contextTokens }: ServingContract, answer: number): number | null {
  return contextTokens === undefined ? null : contextTokens - answer;
}

/** Tokens of a text as a contract estimates them. */
export function estimateTokens(text: string, bytesPerToken: number): number {
  return Math.ceil(Buffer.byteLength(text) / bytesPerToken);
}

function judge({ path, text }: ReleaseFile, budget: Budget): ReleaseFinding[] {
  const tokens = estimateTokens(text ?? "", budget.bytesPerToken);
  if (tokens <= budget.tokens) return [];
  return [
    {
      rule: "context-budget",
      file: path,
      at: { offset: offsetAtByte(text ?? "", budget.tokens * budget.bytesPerToken) },
      message: `here the prompt leaves its budget: about ${counted(tokens)} tokens, and ${counted(budget.tokens)} are allowed (${budget.from})`,
      instead: "shorten it, or serve it with a longer context",
      unlikely: false,
    },
  ];
}

/** Where a text has had so many bytes. */
function offsetAtByte(text: string, bytes: number): number {
  // A character that is cut in the middle decodes to a replacement, which is none of the text's.
  const cut = Buffer.from(text).subarray(0, Math.floor(bytes)).toString("utf8");
  const before = cut.replace(/\uFFFD$/, "");
  return Math.min(before.length, Math.max(0, text.length - 1));
}
