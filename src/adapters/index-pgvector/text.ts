/**
 * PostgreSQL's text cannot hold U+0000, and documents may. U+0001 is the escape: what stands in a
 * column differs from the source's text only where one of these two characters is.
 *
 * The order of two texts by their UTF-8 bytes (COLLATE "C") stays what it was: equal scores are
 * ordered by id, in every engine alike.
 */
export function toColumn(text: string): string {
  if (!text.includes("\u0000") && !text.includes("\u0001")) return text;
  return text.replaceAll("\u0001", "\u0001\u0002").replaceAll("\u0000", "\u0001\u0001");
}

/** The exact inverse of `toColumn`. */
export function fromColumn(column: string): string {
  if (!column.includes("\u0001")) return column;
  return column.replaceAll("\u0001\u0001", "\u0000").replaceAll("\u0001\u0002", "\u0001");
}

/** An array as PostgreSQL writes it as text, such as `{"a","b"}`. */
export function arrayText(texts: readonly string[]): string {
  const quoted = texts.map((text) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`);
  return `{${quoted.join(",")}}`;
}
