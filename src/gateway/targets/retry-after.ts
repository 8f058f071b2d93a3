/** Longer than any wait we would ever do or pass on: a server that says more means "go away". */
const LONGEST_MS = 86_400_000;

/**
 * When an upstream wants to be asked again, in ms from now: `retry-after-ms`, or `retry-after` in
 * seconds or as an HTTP date. Null when it says nothing, or nothing that can be read.
 */
export function retryAfterMs(
  headers: Readonly<Record<string, string>>,
  nowMs: number,
): number | null {
  const exact = parseNumber(headers["retry-after-ms"]);
  if (exact !== null) return bounded(exact);
  const told = headers["retry-after"];
  const seconds = parseNumber(told);
  if (seconds !== null) return bounded(seconds * 1_000);
  // A date holds letters; `Date.parse("-5")` would be a year.
  const date = told !== undefined && /[a-z]/i.test(told) ? Date.parse(told) : Number.NaN;
  return Number.isNaN(date) ? null : bounded(date - nowMs);
}

function parseNumber(text: string | undefined): number | null {
  return text !== undefined && /^\s*\d+(\.\d+)?\s*$/.test(text) ? Number(text) : null;
}

function bounded(ms: number): number {
  return Math.min(LONGEST_MS, Math.max(0, ms));
}
