import { canonicalJson } from "../../../lib/canonical.ts";
import { kindOf, type ReleaseFile } from "../files.ts";
import type { ReleaseFinding, ReleaseRule } from "./rule.ts";

/**
 * What a slip of an editor or a generator leaves behind: the same text twice in one file, the same
 * entry twice in a list, a text of white space. All of them are well formed, and replicate at once.
 */
export const doubledContent: ReleaseRule = ({ release }) =>
  release.files.flatMap((file) => {
    const kind = kindOf(file.path)?.kind;
    if (kind === "prompt") return doubledText(file);
    return kind === "policy" || kind === "route" ? judgeValue(file, [], file.data) : [];
  });

function doubledText({ path, text }: ReleaseFile): ReleaseFinding[] {
  const lines = (text ?? "").split("\n");
  const second = secondCopy(lines);
  if (second === null) return [];
  const offset = lines.slice(0, second).join("\n").length + 1;
  const message = "from here on, the text repeats itself to its end";
  const instead = "remove one of the two copies";
  return [{ rule: "doubled", file: path, at: { offset }, message, instead, unlikely: false }];
}

/** Line on which a whole second copy of all lines before it begins; empty lines do not count. */
function secondCopy(lines: readonly string[]): number | null {
  const written = lines.flatMap((line, at) => (line.trim() === "" ? [] : [{ line, at }]));
  const half = written.length / 2;
  if (half < 1 || !Number.isInteger(half)) return null;
  const doubled = written.slice(0, half).every(({ line }, at) => line === written[half + at]?.line);
  return doubled ? (written[half]?.at ?? null) : null;
}

type Place = readonly (string | number)[];

function judgeValue({ path }: ReleaseFile, at: Place, value: unknown): ReleaseFinding[] {
  const here = [...blank(path, at, value), ...doubledEntries(path, at, value)];
  if (typeof value !== "object" || value === null) return here;
  const inner = Object.entries(value).flatMap(([name, member]) =>
    judgeValue(
      { path, data: null, text: null },
      [...at, Array.isArray(value) ? Number(name) : name],
      member,
    ),
  );
  return [...here, ...inner];
}

function blank(file: string, at: Place, value: unknown): ReleaseFinding[] {
  if (typeof value !== "string" || value.trim() !== "") return [];
  const instead = "write what is meant, or remove the entry";
  return [{ rule: "blank", file, at, message: "is blank", instead, unlikely: false }];
}

function doubledEntries(file: string, at: Place, value: unknown): ReleaseFinding[] {
  if (!Array.isArray(value)) return [];
  const seen = new Map<string, number>();
  return value.flatMap((entry: unknown, position): ReleaseFinding[] => {
    const text = nameOf(entry);
    const first = seen.get(text);
    if (first === undefined) seen.set(text, position);
    if (first === undefined) return [];
    const message = `stands here a second time: it is entry ${first + 1} already`;
    const instead = "remove one of the two";
    return [{ rule: "doubled", file, at: [...at, position], message, instead, unlikely: false }];
  });
}

/** Two entries of one name are one entry twice, whatever else they say: which would hold? */
function nameOf(entry: unknown): string {
  const named = typeof entry === "object" && entry !== null && "name" in entry;
  return canonicalJson(named ? { name: entry.name } : entry);
}
