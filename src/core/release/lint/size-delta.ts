import { bytesOf, kindOf, type ReadRelease, type ReleaseFile } from "../files.ts";
import { counted, type ReleaseFinding, type ReleaseRule } from "./rule.ts";

/** Growth to this many times the old size, or loss of all but one over it, is unlikely to be meant. */
const TIMES = 2;
/** Bytes by which a file must differ at least: a short file doubles by one honest sentence. */
const LEAST_BYTES = 1_024;

/**
 * Compares every file with the last good release's: what doubled, what shrank to half, which field
 * lost its content, which policy is gone. Each of them may be meant, and each was also how a blank
 * or doubled file took a whole platform down, so a person has to say that it is.
 */
export const sizeDelta: ReleaseRule = ({ release, lastGood }) => {
  if (lastGood === null) return [];
  const old = new Map(lastGood.files.map((file) => [file.path, file]));
  return [
    ...release.files.flatMap((file) => judge(file, old.get(file.path))),
    ...lostPolicies(release, lastGood),
  ];
};

function judge(file: ReleaseFile, old: ReleaseFile | undefined): ReleaseFinding[] {
  if (old === undefined) return [];
  const blank = kindOf(file.path)?.kind === "prompt" ? [] : blanked(file, [], old.data, file.data);
  return [...resized(file, old), ...blank];
}

function resized(file: ReleaseFile, old: ReleaseFile): ReleaseFinding[] {
  const before = bytesOf(old).length;
  const after = bytesOf(file).length;
  if (Math.abs(after - before) < LEAST_BYTES) return [];
  const sizes = `${counted(after)} bytes, ${counted(before)} in the last good release`;
  const at = file.text === null ? [] : { offset: 0 };
  if (after >= before * TIMES)
    return [unlikely("size", file.path, at, `has doubled or more: ${sizes}`)];
  if (after * TIMES > before) return [];
  return [unlikely("size", file.path, at, `has shrunk to half or less: ${sizes}`)];
}

type Place = readonly (string | number)[];

/** Fields that had content and have none. */
function blanked(file: ReleaseFile, at: Place, before: unknown, after: unknown): ReleaseFinding[] {
  if (isEmpty(before)) return [];
  if (isEmpty(after)) {
    const lost = after === undefined ? "is gone" : "is empty";
    const message = `${lost}, and had content in the last good release`;
    return [unlikely("blanked", file.path, at, message)];
  }
  // Entries of a list have no names to be told apart by; the size tells when many are gone.
  if (!isMapping(before) || !isMapping(after)) return [];
  const now = new Map(Object.entries(after));
  return Object.entries(before).flatMap(([name, value]) =>
    blanked(file, [...at, name], value, now.get(name)),
  );
}

function isMapping(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value === "string") return value.trim() === "";
  return typeof value === "object" && Object.keys(value).length === 0;
}

function lostPolicies(release: ReadRelease, lastGood: ReadRelease): ReleaseFinding[] {
  const there = new Set(release.files.map(({ path }) => path));
  return lastGood.files
    .filter(({ path }) => kindOf(path)?.kind === "policy" && !there.has(path))
    .map(({ path }) =>
      unlikely(
        "lost",
        path,
        [],
        "is gone: what the last good release refused would be let through",
      ),
    );
}

function unlikely(
  rule: string,
  file: string,
  at: ReleaseFinding["at"],
  message: string,
): ReleaseFinding {
  const instead = "put it right, or say that it is meant: --accept-changes";
  return { rule, file, at, message, instead, unlikely: true };
}
