import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { readPublicKey } from "../config/release-key.ts";
import { sha256 } from "../lib/canonical.ts";
import { messageOf, TideoverError } from "../lib/errors.ts";
import { releaseSpecOf } from "../model/spec.ts";
import { makeWritable } from "./data-dir.ts";
import type { Estate } from "./estate.ts";
import { ensureOwnKey, signsItself } from "./own-key.ts";

/** A key whose releases are served, as the spec names it, and where it lies. */
interface TrustedKey {
  readonly name: string;
  readonly file: string;
}

/** The keys that the spec names, as they lie beside it: what a controller judges by. */
export function namedTrust(estate: Estate): () => readonly string[] {
  const keys = keysOf(estate);
  return () => keys.map(({ file }) => readKey(file));
}

/**
 * The trust root of one region: its own copies of the keys that the spec names. They are renewed
 * while the files of the spec can be read, and used as they are when they cannot.
 */
export function trustOf(estate: Estate, region: string): () => readonly string[] {
  const folder = estate.data.region(region).trust;
  const keys = keysOf(estate);
  const there = keys.filter(({ file }) => existsSync(file));
  if (there.length > 0) makeWritable(folder);
  for (const key of there) renew(join(folder, copyName(key)), readKey(key.file));
  return () => keys.map((key) => readCopy(folder, key));
}

function keysOf(estate: Estate): TrustedKey[] {
  const named = (releaseSpecOf(estate.spec)?.trust ?? []).map((name) => ({
    name,
    file: resolve(dirname(estate.specPath), name),
  }));
  if (!signsItself(estate)) return named;
  return [...named, { name: "own", file: ensureOwnKey(estate.data).publicFile }];
}

/** By the whole path: `old/cosign.pub` and `new/cosign.pub` are two keys while one is replaced. */
function copyName({ name }: TrustedKey): string {
  return `${sha256(name).slice("sha256:".length, 20)}-${basename(name)}`;
}

/** As one step, and only where something changed: the agent and the gateway do it at one time. */
function renew(copy: string, pem: string): void {
  if (existsSync(copy) && readFileSync(copy, "utf8") === pem) return;
  const draft = `${copy}.${process.pid}`;
  writeFileSync(draft, pem);
  renameSync(draft, copy);
}

/** Throws when a key that the spec names is neither here nor there: nobody is trusted by mistake. */
function readCopy(folder: string, key: TrustedKey): string {
  const copy = join(folder, copyName(key));
  if (existsSync(copy)) return readKey(copy);
  throw new TideoverError(`the trusted key ${key.name} cannot be found`, {
    code: "KEY_INVALID",
    next: `Put it at ${key.file}, and start again.`,
  });
}

function readKey(file: string): string {
  try {
    return readPublicKey(readFileSync(file, "utf8"), file);
  } catch (error) {
    if (error instanceof TideoverError) throw error;
    throw new TideoverError(`the trusted key ${file} cannot be read: ${messageOf(error)}`, {
      code: "KEY_INVALID",
      next: "Put the public key there, or take its name out of `release.trust`.",
      cause: error,
    });
  }
}
