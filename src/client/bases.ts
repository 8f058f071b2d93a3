import { TideoverError } from "../lib/errors.ts";

/**
 * The gateways' base URLs, without a slash at the end, in the caller's order. Throws USAGE for what
 * is no list of different http(s) URLs: a mistyped gateway would otherwise show only on the day
 * that it is needed.
 */
export function readBases(gateways: readonly string[]): readonly string[] {
  const bases = gateways.map(readBase);
  const twice = bases.find((base, i) => bases.indexOf(base) !== i);
  if (twice !== undefined) throw wrong(`the gateway ${twice} is given twice`);
  if (bases.length === 0) throw wrong("no gateway is given");
  return bases;
}

function readBase(given: string): string {
  const url = parseUrl(given);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw wrong(`"${given}" is not an http or https URL`);
  }
  // A question mark or key in a base could not be kept when the API's path is added to it.
  if (url.search !== "" || url.hash !== "" || url.username !== "" || url.password !== "") {
    throw wrong(`the gateway "${given}" has more than a host and a path`);
  }
  return url.href.replace(/\/+$/, "");
}

function wrong(what: string): TideoverError {
  return new TideoverError(`createFetch: ${what}`, {
    code: "USAGE",
    next: 'Give the gateways\' base URLs without /v1, such as "https://eu.ai.example".',
  });
}

/** What follows the gateway's base in a URL, such as `/v1/models?x=1`; null for anybody else's URL. */
export function restOf(bases: readonly string[], url: string): string | null {
  const href = parseUrl(url)?.href;
  if (href === undefined) return null;
  const fitting = bases.filter(
    // The next character counts: https://ai.example must not match https://ai.example.evil.
    (base) => href.startsWith(base) && ["", "/", "?", "#"].includes(href.charAt(base.length)),
  );
  const [base] = fitting.toSorted((a, b) => b.length - a.length);
  return base === undefined ? null : href.slice(base.length);
}

/** `URL.parse` is too young for some of the places where this runs. */
function parseUrl(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
