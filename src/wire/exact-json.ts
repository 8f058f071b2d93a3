/**
 * JSON whose numbers survive. A schema's bound of 9223372036854775807, or an id of twenty digits, is
 * no number that JavaScript has: read and written again it is another one, and 1e400 is null.
 */

/** Of ES2026, which the types of the language do not know yet. */
const { rawJSON, isRawJSON } = JSON as typeof JSON & {
  readonly rawJSON: (text: string) => object;
  readonly isRawJSON: (value: unknown) => value is { readonly rawJSON: string };
};

type Reviver = (key: string, value: unknown) => unknown;

/**
 * As `JSON.parse`, but a number too large to be kept is an object that `JSON.stringify` writes as it
 * came. Decimals are read as every reader of doubles reads them.
 */
export function parseExact(text: string): unknown {
  const value: unknown = JSON.parse(text);
  // A second reading, with each number's own text, costs several times the first: nearly none needs it.
  return isInexact(value, MOST_DEPTH) ? JSON.parse(text, keepNumbers as Reviver) : value;
}

/** What a number that was kept as text says; null for any other value. */
export function keptNumber(value: unknown): string | null {
  return isRawJSON(value) ? value.rawJSON : null;
}

/** Deeper is nothing that a server reads, and the stack ends somewhere. */
const MOST_DEPTH = 200;

function isInexact(value: unknown, depth: number): boolean {
  if (typeof value === "number") return isLossy(value);
  if (typeof value !== "object" || value === null || depth === 0) return false;
  if (Array.isArray(value)) return value.some((one) => isInexact(one, depth - 1));
  const fields = value as Readonly<Record<string, unknown>>;
  // Not by `Object.values`: this is done for each message of each request.
  for (const name in fields) if (isInexact(fields[name], depth - 1)) return true;
  return false;
}

/** Every decimal that large is an integer, too. */
function isLossy(value: number): boolean {
  return value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER;
}

function keepNumbers(_: string, value: unknown, { source }: { readonly source?: string }): unknown {
  if (typeof value !== "number" || source === undefined || !isLossy(value)) return value;
  return String(value) === source ? value : rawJSON(source);
}
