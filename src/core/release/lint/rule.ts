import type { ReadRelease } from "../files.ts";

export interface LintInput {
  readonly release: ReadRelease;
  /** The release that serves well at present; null: there is none to compare with. */
  readonly lastGood: ReadRelease | null;
  /** Embedding versions that the records of each index bear; null: nobody has asked. */
  readonly indexes: ReadonlyMap<string, readonly (readonly string[])[]> | null;
}

/** One thing that is wrong with a release. The place is found by whoever has the file. */
export interface ReleaseFinding {
  readonly rule: string;
  readonly file: string;
  /** Keys and positions from the file's root, or an offset in a Markdown file's text. */
  readonly at: readonly (string | number)[] | { readonly offset: number };
  /** To be read after the place: `is four times as long as …`. */
  readonly message: string;
  /** In the imperative. */
  readonly instead: string;
  /** true: only unlikely, and fine once a person has looked at it and said so. */
  readonly unlikely: boolean;
}

export type ReleaseRule = (input: LintInput) => readonly ReleaseFinding[];

/** `12,345`: a count that is read at 3 a.m. */
export function counted(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}
