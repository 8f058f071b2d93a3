/**
 * The reference runtime's tokeniser: a token is a word of at most 16 letters or digits, or one
 * other character, with the white space before it. Joined, the tokens are the text again, exactly;
 * streaming, `max_tokens` and the usage counts all rest on that.
 */
const TOKEN = /\s{0,64}(?:[\p{L}\p{N}_]{1,16}|[^\s\p{L}\p{N}_])|\s{1,64}/gu;

/** The rule as text: runtimes that share its digest cut texts alike. */
export const TOKEN_RULE = String(TOKEN);

export function tokenise(text: string): string[] {
  return text.match(TOKEN) ?? [];
}

export function countTokens(text: string): number {
  return tokenise(text).length;
}

/** The text before the earliest stop sequence; the text itself when none occurs. */
export function cutAtStop(text: string, stops: readonly string[]): string {
  // An empty stop sequence would match at once and silence every answer.
  const found = stops.filter((stop) => stop !== "").map((stop) => text.indexOf(stop));
  const first = Math.min(...found.filter((at) => at >= 0), text.length);
  return text.slice(0, first);
}
