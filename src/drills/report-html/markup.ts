declare const brand: unique symbol;

/** Text that is HTML already. Only `html` makes it, so nothing unescaped can be passed for it. */
export interface Markup {
  readonly [brand]: true;
}

/**
 * What may stand in a template. No numbers: each must pass through format.ts first, where a NaN or
 * an infinity becomes a word, or the page would print it as if it had been measured.
 */
type Part = string | Markup | readonly Markup[] | null;

/** Kept here and not in the object: a parsed JSON that looks like Markup is not Markup. */
const texts = new WeakMap<object, string>();

/** A template whose strings are escaped and whose Markup is not; null is nothing. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  const text = strings.reduce((whole, piece, at) => whole + textOf(parts[at - 1] ?? null) + piece);
  const markup = Object.freeze({}) as Markup;
  texts.set(markup, text);
  return markup;
}

/** The HTML itself, for the outermost template. */
export function toText(markup: Markup): string {
  return texts.get(markup) ?? "";
}

function textOf(part: Part): string {
  if (part === null) return "";
  if (typeof part === "string") return escapeHtml(part);
  return isList(part) ? part.map(toText).join("") : toText(part);
}

function isList(part: Markup | readonly Markup[]): part is readonly Markup[] {
  return Array.isArray(part);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Fit for element content and for quoted attributes. */
function escapeHtml(text: string): string {
  return visible(text).replace(/[&<>"']/g, (found) => ENTITIES[found] ?? found);
}

/**
 * Control characters and half surrogates are no HTML. Bidirectional overrides are, but one in a
 * piece of evidence would make an auditor read other digits than the record holds.
 */
function visible(text: string): string {
  return text.toWellFormed().replace(/(?![\t\n\r])\p{Cc}|[\u202a-\u202e\u2066-\u2069]/gu, "\ufffd");
}
