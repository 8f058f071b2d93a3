import { existsSync, readdirSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { z } from "zod";
import type { SourceDocument } from "../model/change.ts";
import { type GoldenSet, goldenSetSchema } from "../model/golden.ts";
import { deepFreeze } from "./deep-freeze.ts";
import {
  type Fault,
  FaultsError,
  faultInText,
  fileFault,
  type Path,
  sortFaults,
} from "./faults.ts";
import { formatFaults } from "./format-faults.ts";
import { type FrontMatter, isFault, readFrontMatter } from "./front-matter.ts";
import { readShape } from "./read-shape.ts";
import { readText, shownPath } from "./read-text.ts";
import { readYaml, type YamlSource } from "./yaml-source.ts";

/**
 * Reads every `*.md` below a folder, in source order: oldest first, then by id. A document in a
 * sub-folder belongs to the audience of that name. Throws CORPUS_INVALID with every fault.
 */
export function loadCorpus(directory: string): SourceDocument[] {
  const read = markdownFiles(directory).map((path) => readDocument(path, directory));
  const faults = [
    ...(read.length === 0 ? [nothingIn(directory)] : []),
    ...read.flatMap((one) => one.faults),
    ...doubledIds(read),
  ];
  throwIfAny(faults);
  return read
    .flatMap(({ document }) => (document === undefined ? [] : [document]))
    .sort((a, b) => a.sourceTime - b.sourceTime || (a.id < b.id ? -1 : 1));
}

function markdownFiles(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".md"))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function nothingIn(directory: string): Fault {
  const instead = "add Markdown files with id, title, audience and updated in their heads";
  return fileFault(shownPath(directory), "holds no documents", instead);
}

const documentHeadSchema = z.strictObject({
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]{0,255}$/, "is no id; write lower-case letters, digits and dashes")
    .meta({ examples: ["returns-process"] }),
  title: z
    .string()
    .min(1)
    .meta({ examples: ["How to return a parcel"] }),
  audience: z
    .string()
    .min(1)
    .meta({ description: "`public`, or the one tenant who may see it.", examples: ["public"] }),
  labels: z
    .array(z.string().min(1))
    .default([])
    .meta({ description: "Access labels: who lacks one of them does not see it." }),
  updated: z
    .string({ error: "is no date; write it as 2026-05-19" })
    .refine((text) => instantOf(text) !== undefined, "is no date; write it as 2026-05-19")
    .meta({ description: "When the source made this version.", examples: ["2026-05-19"] }),
});

const DATE = /^(\d{4}-\d{2}-\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?Z)?$/;

/** Milliseconds since 1970 of `2026-05-19` (midnight UTC) or of `2026-05-19T08:30:00Z`. */
function instantOf(text: string): number | undefined {
  const day = DATE.exec(text)?.[1];
  if (day === undefined) return undefined;
  const midnight = Date.parse(`${day}T00:00:00Z`);
  // 31 February becomes 3 March without a word: only a day that reads back the same is one.
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(day)) return undefined;
  const instant = Date.parse(text);
  return Number.isNaN(instant) ? undefined : instant;
}

interface ReadDocument {
  readonly document?: SourceDocument;
  readonly head?: YamlSource;
  readonly faults: readonly Fault[];
}

function readDocument(path: string, directory: string): ReadDocument {
  const shown = shownPath(path);
  const read = readText(path, shown);
  if (!read.ok) return { faults: [read.fault] };
  const matter = readFrontMatter(read.text, shown);
  if (isFault(matter)) return { faults: [matter] };
  const { value: head, faults } = readShape(documentHeadSchema, matter.head);
  const folder = folderOf(path, directory);
  const all = [
    ...faults,
    ...folderFaults(head?.audience, folder, matter),
    ...noText(matter, shown),
  ];
  if (all.length > 0 || head === undefined) return { faults: all };
  const { updated, ...rest } = head;
  const sourceTime = instantOf(updated) ?? 0;
  const document = { ...rest, text: matter.body, payload: {}, sourceTime };
  return { document, head: matter.head, faults: [] };
}

function folderOf(path: string, directory: string): string | undefined {
  const parts = relative(directory, path).split(sep);
  return parts.length > 1 ? parts[0] : undefined;
}

/** A private page that a slip of the head made public would be shown to every tenant. */
function folderFaults(
  audience: string | undefined,
  folder: string | undefined,
  { head }: FrontMatter,
): Fault[] {
  if (audience === undefined || folder === undefined || audience === folder) return [];
  const message = `differs from the folder it stands in, ${folder}/`;
  const instead = `write ${folder}, or move the file to ${audience}/`;
  return [head.faultAt({ path: ["audience"], message, instead })];
}

function noText({ body, text }: FrontMatter, file: string): Fault[] {
  if (body !== "") return [];
  const what = { path: "", value: "", message: "this document has no text" };
  const offset = Math.max(0, text.length - 1);
  return [faultInText(file, text, offset, { ...what, instead: "write it below the head" })];
}

function doubledIds(read: readonly ReadDocument[]): Fault[] {
  const firsts = new Map<string, Fault>();
  return read.flatMap(({ document, head }): Fault[] => {
    if (document === undefined || head === undefined) return [];
    const first = firsts.get(document.id);
    const place = (message: string) =>
      head.faultAt({ path: ["id"], message, instead: "write an id of its own" });
    if (first !== undefined) return [place(`is the id of ${first.file} too`)];
    firsts.set(document.id, place(""));
    return [];
  });
}

export type GoldenResult =
  | { readonly ok: true; readonly golden: GoldenSet }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Reads a file of golden questions. Throws CORPUS_INVALID with every fault. */
export function loadGolden(file: string): GoldenSet {
  const result = readGolden(file);
  if (result.ok) return result.golden;
  throw new FaultsError(formatFaults(result.faults), "CORPUS_INVALID", result.faults);
}

export function readGolden(file: string): GoldenResult {
  const shown = shownPath(file);
  const read = readText(file, shown);
  if (!read.ok) return { ok: false, faults: [read.fault] };
  const source = readYaml(read.text, { file: shown });
  const { value, faults } = readShape(goldenSetSchema, source);
  const all = sortFaults([...faults, ...(value === undefined ? [] : doubled(value, source))]);
  if (all.length > 0 || value === undefined) return { ok: false, faults: all };
  return { ok: true, golden: deepFreeze(value) };
}

function doubled({ questions, canaries }: GoldenSet, { faultAt }: YamlSource): Fault[] {
  return [
    ...repeats(questions.map(({ id }) => id)).map((at): [Path, string] => [
      ["questions", at, "id"],
      "is the id of an earlier question",
    ]),
    ...repeats(canaries.map(({ phrase }) => phrase)).map((at): [Path, string] => [
      ["canaries", at, "phrase"],
      "is the phrase of an earlier canary, so it would betray nobody",
    ]),
  ].map(([path, message]) => faultAt({ path, message, instead: "write another one" }));
}

/** Positions of values that stood before. */
function repeats(values: readonly string[]): number[] {
  return values.flatMap((value, at) => (values.indexOf(value) < at ? [at] : []));
}

function throwIfAny(faults: readonly Fault[]): void {
  if (faults.length === 0) return;
  // By file first: the doubled ids were found after all files had been read.
  const sorted = sortFaults(faults.toSorted((a, b) => (a.file < b.file ? -1 : 1)));
  throw new FaultsError(formatFaults(sorted), "CORPUS_INVALID", sorted);
}
