import { createHash } from "node:crypto";
import { TideoverError } from "../lib/errors.ts";

/**
 * The connection string of a region's index server, from the variable that its `urlEnv` names.
 * Throws USAGE with the variable when it is not set.
 */
export function readIndexUrl(
  region: string,
  variable: string,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const value = env[variable]?.trim() ?? "";
  if (value !== "") return value;
  const place = `regions.${region}.components.index.urlEnv`;
  throw new TideoverError(`${place} names ${variable}, which is not set.`, {
    code: "USAGE",
    next: `Set ${variable} to postgres://USER:PASSWORD@HOST:PORT/DATABASE, or see docs/pgvector.md.`,
  });
}

/** PostgreSQL cuts longer names off, and two that begin alike would then be one. */
const LONGEST_NAME = 63;

/** The schema that holds one index; a person should find it by the index's name. */
export function indexSchema(prefix: string | undefined, index: string): string {
  const name = `${prefix ?? "tideover"}_${index.replaceAll("-", "_")}`;
  if (name.length <= LONGEST_NAME) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, 12);
  return `${name.slice(0, LONGEST_NAME - 13)}_${hash}`;
}
