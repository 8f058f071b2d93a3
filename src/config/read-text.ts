import { readFileSync, statSync } from "node:fs";
import { relative, resolve } from "node:path";
import { messageOf } from "../lib/errors.ts";
import { type Fault, fileFault } from "./faults.ts";

/** Far above any spec or document that a person writes; below what would stall a start. */
const LARGEST_FILE_BYTES = 16 * 1_048_576;

export type TextResult =
  | { readonly ok: true; readonly text: string }
  | {
      readonly ok: false;
      readonly reason: "missing" | "folder" | "unreadable" | "not-text";
      readonly fault: Fault;
    };

/** Reads a UTF-8 file, without its byte order mark. `shown` names it in a fault. */
export function readText(path: string, shown: string): TextResult {
  try {
    const stat = statSync(path);
    if (stat.isDirectory())
      return refused("folder", shown, "this is a folder", "name a file inside it");
    if (stat.size > LARGEST_FILE_BYTES)
      return refused("not-text", shown, "this file is larger than 16 MiB", "split or shorten it");
    return decoded(readFileSync(path), shown);
  } catch (error) {
    if (isMissing(error))
      return refused("missing", shown, "there is no such file", `look at ${resolve(path)}`);
    const instead = "give this user the right to read it";
    return refused("unreadable", shown, `cannot be read: ${messageOf(error)}`, instead);
  }
}

/** ENOTDIR: a file stands where the path wants a folder, so what was named is missing as well. */
function isMissing(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" || code === "ENOTDIR";
}

function decoded(bytes: Buffer, shown: string): TextResult {
  const text = decodeStrictly(bytes);
  if (text !== undefined) return { ok: true, text };
  const fault = fileFault(shown, "is not UTF-8 text", "save the file as UTF-8");
  return { ok: false, reason: "not-text", fault: { ...fault, ...placeOfBadByte(bytes) } };
}

/** Lenient decoding would turn a bad byte into `�` inside a name, and the fault would puzzle. */
function decodeStrictly(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function placeOfBadByte(bytes: Buffer): { line: number; column: number } {
  let start = 0;
  for (let line = 1; ; line++) {
    const found = bytes.indexOf(0x0a, start);
    const end = found < 0 ? bytes.length : found;
    if (decodeStrictly(bytes.subarray(start, end)) === undefined)
      return { line, column: goodPrefix(bytes.subarray(start, end)) + 1 };
    if (found < 0) return { line, column: 1 };
    start = end + 1;
  }
}

/** Characters before the first bad byte of a line. */
function goodPrefix(line: Uint8Array): number {
  const lenient = new TextDecoder("utf-8").decode(line);
  return Math.max(0, lenient.indexOf("\uFFFD"));
}

function refused(
  reason: "missing" | "folder" | "unreadable" | "not-text",
  shown: string,
  message: string,
  instead: string,
): TextResult {
  return { ok: false, reason, fault: fileFault(shown, message, instead) };
}

/** As a person standing in the current folder would name it. */
export function shownPath(path: string): string {
  const near = relative(process.cwd(), resolve(path));
  return near === "" || near.startsWith("..") ? path : near;
}
