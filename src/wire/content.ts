import { fieldsList, textOr } from "./fields.ts";

/** What a message, or a piece of one, says. */
export interface Words {
  readonly text: string;
  readonly thoughts: string;
}

/**
 * The words of an answer's `content`. Servers of thinking models give parts in it, of the thoughts
 * and of the text; read as nothing, they would make a whole answer of no word.
 */
export function wordsOf(content: unknown): Words {
  if (typeof content === "string") return { text: content, thoughts: "" };
  const parts = fieldsList(content);
  return {
    text: parts.map((part) => (part.type === "text" ? textOr(part.text) : "")).join(""),
    thoughts: parts
      .map((part) => (part.type === "thinking" ? thoughtOf(part.thinking) : ""))
      .join(""),
  };
}

function thoughtOf(thinking: unknown): string {
  if (typeof thinking === "string") return thinking;
  return fieldsList(thinking)
    .map((part) => textOr(part.text))
    .join("");
}
