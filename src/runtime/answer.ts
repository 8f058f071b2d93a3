import { type PromptDocument, parseDocuments } from "../wire/documents.ts";
import { FINGERPRINT_QUESTION, referenceIdentity } from "../wire/fingerprint.ts";
import { type ChatMessage, type ChatRequest, textOf } from "../wire/openai.ts";
import { type Directives, parseDirectives } from "./directives.ts";
import type { English } from "./english.ts";
import { bestSentences, centralSentences, type Extract, statementsOf } from "./extract.ts";

/**
 * What the reference runtime says: sentences lifted from the documents in the prompt, shaped by the
 * prompt's directives (see directives.ts). It has no weights and no knowledge, so a wrong prompt, a
 * stale index or a foreign document shows in the answer. The same request always gives the same
 * answer.
 */

export interface TextAnswer {
  readonly kind: "text";
  readonly text: string;
}

export interface ToolAnswer {
  readonly kind: "tool";
  readonly name: string;
  /** JSON as text: `{"query": …}`. */
  readonly arguments: string;
}

export type Answer = TextAnswer | ToolAnswer;

/** The source named when an answer is lifted from the user's own message. */
export const OWN_TEXT = "your-text";

/** From here on a message without documents counts as material to extract from. */
const MIN_OWN_STATEMENTS = 3;
const MAX_QUOTED_QUESTION = 200;

/** The whole answer, before `stop` and `max_tokens` cut it. */
export function answerOf(request: ChatRequest, modelDigest: string, english: English): Answer {
  const question = lastQuestion(request.messages);
  if (question.trim() === FINGERPRINT_QUESTION) {
    // Before any directive: the probe must give one text, whatever prompt a gateway puts around it.
    return { kind: "text", text: referenceIdentity(modelDigest) };
  }
  const prompt = parseDocuments(promptOf(request.messages));
  const directives = parseDirectives(prompt.instructions);
  const results = toolResults(request.messages);
  const tool = results.length === 0 ? toolToCall(request, directives) : undefined;
  if (tool !== undefined) {
    return { kind: "tool", name: tool, arguments: JSON.stringify({ query: question }) };
  }
  const documents = [...prompt.documents, ...results];
  return { kind: "text", text: textAnswer(question, documents, directives, english) };
}

function textAnswer(
  question: string,
  documents: readonly PromptDocument[],
  directives: Directives,
  english: English,
): string {
  const limit = directives.style === "full" ? 2 : 1;
  if (documents.length > 0) {
    const found = bestSentences(question, documents, english, limit);
    const nothing = "The material given does not answer this question.";
    return found.length === 0
      ? spoken(nothing, directives)
      : spoken(cited(found, "The material says: ", directives), directives);
  }
  if (statementsOf(question).length >= MIN_OWN_STATEMENTS) {
    const extracts = centralSentences(question, english, directives.style === "brief" ? 1 : 2).map(
      (sentence) => ({ sentence, source: OWN_TEXT }),
    );
    return spoken(cited(extracts, "In short: ", directives), directives);
  }
  return spoken(nothingToAnswerFrom(question), directives);
}

function nothingToAnswerFrom(question: string): string {
  const asked = question.replace(/\s+/g, " ").trim();
  if (asked === "") return "There is no question, and no material to answer from.";
  const quoted =
    asked.length > MAX_QUOTED_QUESTION ? `${asked.slice(0, MAX_QUOTED_QUESTION)}…` : asked;
  return `There is no material to answer from. The question was: ${quoted}`;
}

/** Sentences with their opening and their sources, as `Answer style` and `Cite sources` want. */
function cited(found: readonly Extract[], opening: string, directives: Directives): string {
  const { style, cite } = directives;
  const head = style === "brief" ? "" : style === "full" ? "In detail: " : opening;
  const body = found
    .map(({ sentence, source }) => (cite === true ? `${sentence} [${source}]` : sentence))
    .join(" ");
  const sources = [...new Set(found.map(({ source }) => source))].join(", ");
  return cite === undefined ? `${head}${body} (from: ${sources})` : `${head}${body}`;
}

function spoken(text: string, { persona }: Directives): string {
  return persona === undefined ? text : `${persona}: ${text}`;
}

/** The named tool, if the request offers it and does not forbid calling. */
function toolToCall(request: ChatRequest, directives: Directives): string | undefined {
  const offered = (request.tools ?? []).flatMap((tool) => tool.function?.name ?? []);
  if (request.tool_choice === "none") return undefined;
  const wanted = forcedTool(request.tool_choice) ?? directives.tool;
  if (wanted !== undefined && offered.includes(wanted)) return wanted;
  return request.tool_choice === "required" ? offered[0] : undefined;
}

function forcedTool(choice: unknown): string | undefined {
  if (typeof choice !== "object" || choice === null || !("function" in choice)) return undefined;
  const called = choice.function;
  if (typeof called !== "object" || called === null || !("name" in called)) return undefined;
  return typeof called.name === "string" ? called.name : undefined;
}

function promptOf(messages: readonly ChatMessage[]): string {
  return messages
    .filter(({ role }) => role === "system" || role === "developer")
    .map(textOf)
    .join("\n");
}

function lastUserIndex(messages: readonly ChatMessage[]): number {
  return messages.findLastIndex(({ role }) => role === "user");
}

function lastQuestion(messages: readonly ChatMessage[]): string {
  const message = messages[lastUserIndex(messages)];
  return message === undefined ? "" : textOf(message);
}

/** What tools answered to the last question; results of earlier questions are not about it. */
function toolResults(messages: readonly ChatMessage[]): PromptDocument[] {
  return messages
    .slice(lastUserIndex(messages) + 1)
    .filter(({ role }) => role === "tool")
    .flatMap((message) => {
      const { documents } = parseDocuments(textOf(message));
      const plain = { id: message.tool_call_id ?? "tool", title: "", text: textOf(message) };
      return documents.length > 0 ? documents : [plain];
    });
}
