import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { z } from "zod";
import { type FileKind, kindOf, type ReleaseFile } from "../core/release/files.ts";
import type { ReleaseFinding } from "../core/release/lint/rule.ts";
import {
  evaluationFileSchema,
  PROMPT_VARIABLES,
  policyFileSchema,
  promptHeadSchema,
  releaseFileSchema,
  routeFileSchema,
} from "../model/release.ts";
import { didYouMean } from "./did-you-mean.ts";
import { type Fault, faultInText, fileFault } from "./faults.ts";
import { type FrontMatter, isFault, readFrontMatter } from "./front-matter.ts";
import { readShape } from "./read-shape.ts";
import { readText, shownPath } from "./read-text.ts";
import { readYaml, type YamlSource } from "./yaml-source.ts";

/** One file of a release folder, and where in it each thing was written. */
export interface FolderFile {
  /** null: it could not be read as what it should be; `faults` says why. */
  readonly file: ReleaseFile | null;
  readonly faults: readonly Fault[];
  /** Puts a finding of the lint at its line and column. */
  readonly faultOf: (finding: ReleaseFinding) => Fault;
}

/** Every file that belongs to a release: `release.yaml` first, then folder by folder, by name. */
export function readReleaseFiles(directory: string): FolderFile[] {
  const paths = [
    "release.yaml",
    ...filesIn(directory, "prompts", ".md"),
    ...filesIn(directory, "routes", ".yaml"),
    ...filesIn(directory, "policies", ".yaml"),
    ...(existsSync(join(directory, "evaluation.yaml")) ? ["evaluation.yaml"] : []),
  ];
  return paths.map((path) => readOne(directory, path));
}

function filesIn(directory: string, folder: string, suffix: string): string[] {
  const full = join(directory, folder);
  if (!existsSync(full)) return [];
  const names = readdirSync(full).filter((name) => name.endsWith(suffix));
  return names.sort().map((name) => `${folder}/${name}`);
}

function readOne(directory: string, path: string): FolderFile {
  const full = join(directory, path);
  const shown = shownPath(full);
  const read = readText(full, shown);
  if (!read.ok) return unreadable(shown, read.fault);
  return path.endsWith(".md")
    ? readPrompt(path, read.text, shown)
    : readData(path, read.text, shown);
}

function unreadable(shown: string, fault: Fault): FolderFile {
  return {
    file: null,
    faults: [fault],
    faultOf: ({ message, instead }) => fileFault(shown, message, instead),
  };
}

const SCHEMAS: Readonly<Record<Exclude<FileKind, "prompt">, z.ZodType>> = {
  release: releaseFileSchema,
  route: routeFileSchema,
  policy: policyFileSchema,
  evaluation: evaluationFileSchema,
};
/** The key that repeats the file's name, so that a copied file is not taken for its original. */
const NAMED_BY: Readonly<Partial<Record<FileKind, string>>> = {
  prompt: "name",
  policy: "name",
  route: "workflow",
};

function readData(path: string, text: string, shown: string): FolderFile {
  const source = readYaml(text, { file: shown });
  const kind = kindOf(path)?.kind ?? "release";
  const shape = readShape(kind === "prompt" ? promptHeadSchema : SCHEMAS[kind], source);
  const faults = [...shape.faults, ...nameFaults(path, source)];
  const file = faults.length > 0 ? null : { path, data: source.value, text: null };
  return { file, faults, faultOf: (finding) => atPath(source, finding) };
}

function atPath(source: YamlSource, { at, message, instead }: ReleaseFinding): Fault {
  return source.faultAt({ path: "offset" in at ? [] : at, message, instead, ...shownValue(at) });
}

/** A whole mapping as the value of a fault hides what the fault says. */
function shownValue(at: ReleaseFinding["at"]): { readonly value?: string } {
  return "offset" in at || at.length === 0 ? { value: "" } : {};
}

function readPrompt(path: string, text: string, shown: string): FolderFile {
  const matter = readFrontMatter(text, shown);
  if (isFault(matter)) return unreadable(shown, matter);
  const { faults } = readShape(promptHeadSchema, matter.head);
  const all = [...faults, ...nameFaults(path, matter.head), ...textFaults(matter, shown)];
  const file = all.length > 0 ? null : { path, data: matter.head.value, text: matter.body };
  const faultOf = (finding: ReleaseFinding): Fault => {
    const { at, message, instead } = finding;
    if (!("offset" in at)) return atPath(matter.head, finding);
    const what = { path: "", value: "", message, instead };
    return faultInText(shown, matter.text, matter.bodyOffset + at.offset, what);
  };
  return { file, faults: all, faultOf };
}

/** One name for one file: with a second spelling, people would correct the wrong file. */
function nameFaults(path: string, source: YamlSource): Fault[] {
  const found = kindOf(path);
  const key = found === null ? undefined : NAMED_BY[found.kind];
  if (found === null || key === undefined) return [];
  const name = Object.getOwnPropertyDescriptor(source.value ?? {}, key)?.value;
  if (typeof name !== "string" || name === found.stem) return [];
  const [file = path] = path.split("/").slice(-1);
  const message = `is not the name of its file, ${file}`;
  const instead = `write ${found.stem}, or rename the file`;
  return [source.faultAt({ path: [key], message, instead })];
}

const TEMPLATE_VARIABLE = /\{\{([^{}\n]*)(\}\})?/g;

function textFaults({ body, text, bodyOffset }: FrontMatter, file: string): Fault[] {
  if (body === "") {
    const what = { path: "", value: "", message: "this prompt has no text" };
    const offset = Math.max(0, text.length - 1);
    return [faultInText(file, text, offset, { ...what, instead: "write it below the head" })];
  }
  return [...body.matchAll(TEMPLATE_VARIABLE)].flatMap((match): Fault[] => {
    const [whole, name = "", closing] = match;
    if (closing !== undefined && Object.hasOwn(PROMPT_VARIABLES, name)) return [];
    const message =
      closing === undefined
        ? `${whole.trim()} is not closed by }}`
        : `${whole} is not a variable that the gateway fills in`;
    const what = { path: "", value: "", message, instead: variableAdvice(name.trim()) };
    return [faultInText(file, text, bodyOffset + match.index, what)];
  });
}

function variableAdvice(name: string): string {
  const known = Object.keys(PROMPT_VARIABLES);
  const near = didYouMean(name, known);
  if (near !== undefined) return `write {{${near}}}`;
  return `use one of ${known.map((variable) => `{{${variable}}}`).join(", ")}`;
}
