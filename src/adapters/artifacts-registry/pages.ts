import type { z } from "zod";
import { finish, jsonOf, type RegistryHttp } from "./http.ts";

/** A list that goes on for ever is a registry's mistake, and must not hold us. */
const MOST_PAGES = 1_000;

/**
 * Every page of a list, following `link: <…>; rel="next"`. null when there is no such thing (404).
 */
export async function readPages<T>(
  http: RegistryHttp,
  first: string,
  schema: z.ZodType<T>,
  accept = "application/json",
): Promise<T[] | null> {
  const pages: T[] = [];
  let url: string | null = first;
  while (url !== null && pages.length < MOST_PAGES) {
    const answer = await http.ask({ method: "GET", url, headers: { accept }, expect: [200, 404] });
    if (answer.status === 404) {
      await finish(answer);
      return null;
    }
    const parsed = schema.safeParse(jsonOf(await answer.body.text()));
    // What is no such list is no list at all: a proxy that answers 200 to everything.
    if (!parsed.success) return null;
    pages.push(parsed.data);
    url = nextOf(answer.header("link"), url);
  }
  return pages;
}

function nextOf(link: string | undefined, base: string): string | null {
  const [, next] = /<([^>]+)>\s*;\s*rel="?next"?/.exec(link ?? "") ?? [];
  return next === undefined ? null : new URL(next, base).href;
}
