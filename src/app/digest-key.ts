import { TideoverError } from "../lib/errors.ts";

/** Fewer bytes than SHA-256 gives would be the weakest part of what they key. */
const SHORTEST_KEY_BYTES = 32;

/**
 * The key of an index's digests, from the variable that its `digestKeyEnv` names. Hex is read as
 * hex, everything else as base64 (also base64url). Throws USAGE with the variable and how to make
 * one; the value itself is never shown.
 */
export function readDigestKey(
  index: string,
  variable: string,
  env: Readonly<Record<string, string | undefined>>,
): Uint8Array {
  const value = env[variable]?.trim() ?? "";
  if (value === "") throw refused(index, variable, "is not set");
  const key = decoded(value);
  if (key === null) throw refused(index, variable, "is neither hex nor base64");
  if (key.length >= SHORTEST_KEY_BYTES) return key;
  throw refused(index, variable, `holds ${key.length} bytes, fewer than ${SHORTEST_KEY_BYTES}`);
}

function decoded(value: string): Uint8Array | null {
  if (/^([0-9a-f]{2})+$/i.test(value)) return plain(Buffer.from(value, "hex"));
  if (/^[A-Za-z0-9+/_-]+={0,2}$/.test(value)) return plain(Buffer.from(value, "base64"));
  return null;
}

/** A copy: a Buffer is a part of shared memory, and would be sent to a thread with all of it. */
function plain(bytes: Buffer): Uint8Array {
  return Uint8Array.from(bytes);
}

function refused(index: string, variable: string, fault: string): TideoverError {
  return new TideoverError(`indexes.${index}.digestKeyEnv names ${variable}, which ${fault}.`, {
    code: "USAGE",
    next: `Set ${variable} to the same key in every region, once made by: openssl rand -hex 32`,
  });
}
