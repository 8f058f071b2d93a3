import type { IncomingMessage } from "node:http";
import type { z } from "zod";
import { RequestError, readJson } from "./http.ts";
import type { World } from "./world.ts";

export interface Asked {
  readonly request: IncomingMessage;
  readonly query: URLSearchParams;
  /** Name of the index in the path; "" elsewhere. */
  readonly index: string;
}

/** One path of the agent's API, behind the token. */
export interface Route {
  readonly method: "GET" | "POST";
  readonly path: RegExp;
  readonly answer: (world: World, asked: Asked) => Promise<unknown>;
}

const SMALL_BODY = 65_536;

export function exact(path: string): RegExp {
  return new RegExp(`^${path}$`);
}

export function ofIndex(path: (name: string) => string): RegExp {
  return new RegExp(`^${path("([a-z][a-z0-9-]*)")}$`);
}

/** A JSON body of a known shape. Throws RequestError 400 or 413. */
export async function body<T>(
  request: IncomingMessage,
  schema: z.ZodType<T>,
  limitBytes: number = SMALL_BODY,
): Promise<T> {
  const parsed = schema.safeParse(await readJson(request, limitBytes));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new RequestError(
    400,
    `body: ${issue?.path.join(".")}: ${issue?.message}`,
    "Mend the body.",
  );
}
