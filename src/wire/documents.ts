/**
 * How retrieved documents stand in a prompt, written by the gateway and read by the reference
 * runtime:
 *
 *     <document id="leave-07" title="Parental leave">
 *     Every parent has 26 weeks.
 *     </document>
 *
 * A document is foreign text. If its own words could close the block, they would be read as the
 * prompt's instructions, so `renderDocument` escapes any line of it that looks like a delimiter.
 */

export interface PromptDocument {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

export interface PromptParts {
  readonly documents: readonly PromptDocument[];
  /** The text outside every document block: what the prompt's author wrote. */
  readonly instructions: string;
}

const OPENING = /^<document((?:\s+[a-z]+="[^"]*")*)\s*>$/;
const CLOSING = "</document>";

export function renderDocument(document: PromptDocument): string {
  const text = document.text
    .split(/\r\n|\r|\n/)
    .map(escapeLine)
    .join("\n");
  const attributes = `id="${escapeAttribute(document.id)}" title="${escapeAttribute(document.title)}"`;
  return `<document ${attributes}>\n${text}\n${CLOSING}`;
}

export function renderDocuments(documents: readonly PromptDocument[]): string {
  return documents.length === 0 ? "" : documents.map(renderDocument).join("\n");
}

/** Takes a prompt apart. A block that is never closed runs to the end of the prompt. */
export function parseDocuments(prompt: string): PromptParts {
  const documents: PromptDocument[] = [];
  const instructions: string[] = [];
  let open: { id: string; title: string; lines: string[] } | undefined;
  const close = (): void => {
    if (open === undefined) return;
    documents.push({ id: open.id, title: open.title, text: open.lines.join("\n") });
    open = undefined;
  };
  for (const line of prompt.split("\n")) {
    const attributes = OPENING.exec(line.trim())?.[1];
    if (open !== undefined) {
      if (line.trim() === CLOSING) close();
      else open.lines.push(unescapeLine(line));
    } else if (attributes !== undefined) {
      open = { id: attribute(attributes, "id"), title: attribute(attributes, "title"), lines: [] };
    } else {
      instructions.push(line);
    }
  }
  close();
  return { documents, instructions: instructions.join("\n") };
}

/** `<` at the head of a delimiter-like line; one `amp;` more on a line that was escaped before. */
function escapeLine(line: string): string {
  return line
    .replace(/^(\s*&)((?:amp;)*lt;\/?document)/, "$1amp;$2")
    .replace(/^(\s*)<(\/?document)/, "$1&lt;$2");
}

function unescapeLine(line: string): string {
  if (/^\s*&lt;\/?document/.test(line)) return line.replace("&lt;", "<");
  return line.replace(/^(\s*&)amp;((?:amp;)*lt;\/?document)/, "$1$2");
}

const ATTRIBUTE_ENTITIES: readonly (readonly [string, string])[] = [
  ["&", "&amp;"],
  ['"', "&quot;"],
  ["<", "&lt;"],
  [">", "&gt;"],
];

function escapeAttribute(value: string): string {
  const flat = value.replace(/\s+/g, " ");
  return ATTRIBUTE_ENTITIES.reduce((text, [raw, entity]) => text.replaceAll(raw, entity), flat);
}

function attribute(attributes: string, name: string): string {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
  // `&amp;` last, or `&amp;lt;` would be undone twice.
  return ATTRIBUTE_ENTITIES.toReversed().reduce(
    (text, [raw, entity]) => text.replaceAll(entity, raw),
    value,
  );
}
