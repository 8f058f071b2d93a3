import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { plainReleaseKey, publicPemOf } from "../config/release-key.ts";
import { releaseSpecOf } from "../model/spec.ts";
import { type DataDir, makeWritable } from "./data-dir.ts";
import type { Estate } from "./estate.ts";
import { writePrivate } from "./keys.ts";

/** Files of a cosign key pair: PEM. */
export interface OwnKey {
  readonly privateFile: string;
  readonly publicFile: string;
}

/** Whether this estate signs its releases itself, with a key of its own, and trusts that. */
export function signsItself({ spec }: Pick<Estate, "spec">): boolean {
  return releaseSpecOf(spec)?.signing === "embedded";
}

/**
 * The estate's own key pair, made on first use. Several processes may ask at once: one's key wins,
 * and the public half is always that of the private one which is there.
 */
export function ensureOwnKey({ keys }: DataDir): OwnKey {
  const privateFile = join(keys, "cosign.key");
  const publicFile = join(keys, "cosign.pub");
  if (!existsSync(privateFile)) {
    makeWritable(keys);
    writePrivate(privateFile, plainReleaseKey(), "first");
  }
  const publicKey = publicPemOf(readFileSync(privateFile, "utf8"), privateFile);
  const same = existsSync(publicFile) && readFileSync(publicFile, "utf8") === publicKey;
  if (!same) writePrivate(publicFile, publicKey, "replace");
  return { privateFile, publicFile };
}
