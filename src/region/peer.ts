import type { z } from "zod";
import { TideoverError } from "../lib/errors.ts";
import type { Probe } from "../ports/probe.ts";

export interface PeerRequest<T> {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly method?: "GET" | "POST" | "PUT";
  readonly body?: unknown;
  readonly timeoutMs: number;
  readonly schema: z.ZodType<T>;
  /** Who is asked, in the words of an error: `the agent of eu-west`. */
  readonly who: string;
}

/** Asks for JSON of a known shape. Throws PEER_UNAVAILABLE on everything else that may come back. */
export async function askJson<T>(probe: Probe, request: PeerRequest<T>): Promise<T> {
  const { schema, who, ...exchange } = request;
  const answer = await probe.exchange(exchange);
  if (!answer.answered) throw unavailable(`${who} did not answer: ${answer.reason}`);
  if (answer.status < 200 || answer.status > 299) {
    throw unavailable(`${who} answered ${answer.status}: ${shown(answer.body)}`);
  }
  const parsed = schema.safeParse(parseJson(answer.body));
  if (parsed.success) return parsed.data;
  throw unavailable(`${who} answered what is not understood: ${shown(answer.body)}`);
}

/** The JSON value of a text; undefined (which is no JSON value) when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function shown(body: string): string {
  const line = body.replace(/\s+/g, " ").trim();
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}

function unavailable(message: string): TideoverError {
  const next = "Look at the named process; it is asked again by itself.";
  return new TideoverError(message, { code: "PEER_UNAVAILABLE", retry: "later", next });
}
