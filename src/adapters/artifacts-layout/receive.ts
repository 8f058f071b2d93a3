import { type FileHandle, open, rm, stat } from "node:fs/promises";
import { TideoverError } from "../../lib/errors.ts";
import { Verifier } from "../../lib/verified.ts";
import type { Descriptor } from "../../model/artifact.ts";
import { isAbsent } from "./failures.ts";
import { bytesOf, writeAt } from "./files.ts";
import type { Partials } from "./partials.ts";

/** Small writes are collected to this many bytes: each costs a turn of a thread. */
const WRITE_BYTES = 262_144;

/**
 * Takes in a blob behind what is kept of it, compares the whole, and flushes it. Gives the path of
 * the file, not visible yet. When the bytes end early they are kept; when they are wrong, none are.
 */
export async function receive(
  partials: Partials,
  descriptor: Descriptor,
  bytes: AsyncIterable<Uint8Array>,
  from: number,
): Promise<string> {
  const path = await partials.path(descriptor.digest);
  if (from > 0) await requireKept(path, descriptor.digest, from);
  await using file = await open(path, from === 0 ? "w+" : "r+");
  const verifier = new Verifier({ ...descriptor, where: `blob ${descriptor.digest}` });
  try {
    for await (const kept of bytesOf(file, 0, from)) verifier.add(kept);
    await append(file, bytes, verifier, from);
    requireWhole(descriptor, verifier.bytes);
    verifier.end();
  } catch (error) {
    if (isCorrupt(error)) await rm(path, { force: true });
    throw error;
  }
  await file.sync();
  return path;
}

async function append(
  file: FileHandle,
  bytes: AsyncIterable<Uint8Array>,
  verifier: Verifier,
  from: number,
): Promise<void> {
  let collected: Uint8Array[] = [];
  let size = 0;
  let at = from;
  let writing: Promise<void> = Promise.resolve();
  const flush = async (): Promise<void> => {
    await writing;
    writing = writeAt(file, collected, at);
    // Heard of at the next flush, or at the end; until then it is nobody's surprise.
    writing.catch(() => undefined);
    at += size;
    collected = [];
    size = 0;
  };
  try {
    for await (const chunk of bytes) {
      verifier.add(chunk);
      collected.push(chunk);
      size += chunk.length;
      if (size >= WRITE_BYTES) await flush();
    }
  } finally {
    // Also when the source broke off: what has come is not asked for again.
    if (size > 0) await flush();
    await writing;
  }
}

/** Too short is not wrong: the source was cut, and the rest is asked for later. */
function requireWhole({ digest, size }: Descriptor, got: number): void {
  if (got >= size) return;
  throw new TideoverError(`blob ${digest} ended after ${got} of ${size} bytes`, {
    code: "ARTIFACTS_UNAVAILABLE",
    retry: "now",
    next: "Copy it again: what has come is kept.",
  });
}

async function requireKept(path: string, digest: string, from: number): Promise<void> {
  const kept = await stat(path).catch((error: unknown) => {
    if (isAbsent(error)) return { size: 0 };
    throw error;
  });
  if (kept.size !== from) throw notThere(digest, from, kept.size);
}

function notThere(digest: string, from: number, size: number): TideoverError {
  return new TideoverError(`of blob ${digest} ${size} bytes are kept, and not ${from}`, {
    code: "STORE_CONFLICT",
    retry: "now",
    next: "Ask again how many bytes are kept, and go on from there.",
  });
}

function isCorrupt(error: unknown): boolean {
  return error instanceof TideoverError && error.code === "ARTIFACT_CORRUPT";
}
