import { canonicalJson } from "../../lib/canonical.ts";
import { diffLines, type LineChange } from "./diff-lines.ts";
import type { ReadRelease, ReleaseFile } from "./files.ts";

export interface FieldChange {
  /** `contract.engine.versions`, `safety[0].phrases[2]`. */
  readonly field: string;
  /** undefined: it was not there, or is not any more. */
  readonly before?: unknown;
  readonly after?: unknown;
}

export interface FileChange {
  readonly path: string;
  readonly change: "added" | "removed" | "changed";
  /** Of YAML, and of a Markdown file's head. */
  readonly fields: readonly FieldChange[];
  /** Lines of a Markdown file's text. */
  readonly lines: readonly LineChange[];
}

/** What differs between two releases, by file and field. Empty exactly when their digests are equal. */
export function diffReleases(before: ReadRelease, after: ReadRelease): FileChange[] {
  const old = new Map(before.files.map((file) => [file.path, file]));
  const now = new Map(after.files.map((file) => [file.path, file]));
  const paths = [...new Set([...old.keys(), ...now.keys()])].sort();
  return paths.flatMap((path) => diffFile(path, old.get(path), now.get(path)));
}

function diffFile(path: string, before?: ReleaseFile, after?: ReleaseFile): FileChange[] {
  const change = !before ? "added" : !after ? "removed" : "changed";
  const fields = diffFields("", before?.data, after?.data);
  const lines = diffLines(before?.text ?? null, after?.text ?? null);
  if (change === "changed" && fields.length === 0 && lines.length === 0) return [];
  return [{ path, change, fields, lines }];
}

/** Down to single values, so that a person reads the word that changed and not the whole file. */
function diffFields(field: string, before: unknown, after: unknown): FieldChange[] {
  if (before === undefined && after === undefined) return [];
  if (before !== undefined && after !== undefined && same(before, after)) return [];
  const names = haveParts(before, after) ? namesOf(before, after) : [];
  if (names.length === 0) return [changeOf(field, before, after)];
  const list = Array.isArray(before ?? after);
  return names.flatMap((name) =>
    diffFields(fieldName(field, name, list), member(before, name), member(after, name)),
  );
}

/** Of something that comes or goes whole the parts are told as well: nothing has to be looked up. */
function haveParts(before: unknown, after: unknown): boolean {
  const there = [before, after].filter((value) => value !== undefined);
  const alike = before === undefined || after === undefined;
  return (
    there.every((value) => typeof value === "object" && value !== null) &&
    (alike || Array.isArray(before) === Array.isArray(after))
  );
}

function namesOf(before: unknown, after: unknown): string[] {
  const names = [before, after].flatMap((value) => Object.keys(value ?? {}));
  return [...new Set(names)].sort(byPlace);
}

function member(value: unknown, name: string): unknown {
  return Object.getOwnPropertyDescriptor(value ?? {}, name)?.value;
}

function same(a: unknown, b: unknown): boolean {
  return canonicalJson(a) === canonicalJson(b);
}

function changeOf(field: string, before: unknown, after: unknown): FieldChange {
  return {
    field,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  };
}

function byPlace(a: string, b: string): number {
  return Number(a) - Number(b) || (a < b ? -1 : a > b ? 1 : 0);
}

function fieldName(parent: string, name: string, list: boolean): string {
  if (list) return `${parent}[${name}]`;
  return parent === "" ? name : `${parent}.${name}`;
}
