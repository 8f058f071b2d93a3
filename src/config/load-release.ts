import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { digestOf, sha256 } from "../lib/canonical.ts";
import type { ReleaseDigest } from "../model/ids.ts";
import { PROMPT_VARIABLES, type Release, releaseFileSchema } from "../model/release.ts";
import { deepFreeze } from "./deep-freeze.ts";
import { didYouMean } from "./did-you-mean.ts";
import { type Fault, FaultsError, faultInText, fileFault, sortFaults } from "./faults.ts";
import { formatFaults } from "./format-faults.ts";
import { type FrontMatter, isFault, readFrontMatter } from "./front-matter.ts";
import { readShape } from "./read-shape.ts";
import { readText, shownPath } from "./read-text.ts";
import { readYaml } from "./yaml-source.ts";

export interface LoadedRelease {
  /** Equal wherever the files say the same, whatever their order, names or line ends. */
  readonly digest: ReleaseDigest;
  readonly body: Release;
}

export type ReleaseResult =
  | { readonly ok: true; readonly release: LoadedRelease }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Reads `release.yaml` and `prompts/*.md` of a folder. Throws RELEASE_INVALID with every fault. */
export function loadRelease(directory: string): LoadedRelease {
  const result = readRelease(directory);
  if (result.ok) return result.release;
  throw new FaultsError(formatFaults(result.faults), "RELEASE_INVALID", result.faults);
}

export function readRelease(directory: string): ReleaseResult {
  const file = readReleaseFile(join(directory, "release.yaml"));
  const prompts = readPrompts(join(directory, "prompts"));
  const faults = sortFaults([...file.faults, ...prompts.faults]);
  if (faults.length > 0 || file.value === undefined) return { ok: false, faults };
  const body: Release = deepFreeze({ ...file.value, prompts: prompts.prompts });
  return { ok: true, release: { digest: digestOf(body), body } };
}

function readReleaseFile(path: string) {
  const shown = shownPath(path);
  const read = readText(path, shown);
  if (!read.ok) return { value: undefined, faults: [read.fault] };
  return readShape(releaseFileSchema, readYaml(read.text, { file: shown }));
}

interface Prompts {
  readonly prompts: Release["prompts"];
  readonly faults: readonly Fault[];
}

function readPrompts(folder: string): Prompts {
  const names = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(".md"))
        .sort()
    : [];
  if (names.length === 0) {
    const instead = "add a Markdown file for each prompt, with `name:` in its head";
    return { prompts: {}, faults: [fileFault(shownPath(folder), "holds no prompts", instead)] };
  }
  const read = names.map((name) => readPrompt(join(folder, name), name.slice(0, -".md".length)));
  return {
    prompts: Object.fromEntries(read.flatMap(({ entry }) => (entry ? [entry] : []))),
    faults: read.flatMap(({ faults }) => faults),
  };
}

const promptHeadSchema = z.strictObject({
  name: z.string().min(1).describe("Name of the prompt, as workflows say it."),
  description: z.string().optional().describe("One sentence for people."),
});

interface ReadPrompt {
  readonly entry?: readonly [name: string, prompt: Release["prompts"][string]];
  readonly faults: readonly Fault[];
}

function readPrompt(path: string, stem: string): ReadPrompt {
  const shown = shownPath(path);
  const read = readText(path, shown);
  if (!read.ok) return { faults: [read.fault] };
  const matter = readFrontMatter(read.text, shown);
  if (isFault(matter)) return { faults: [matter] };
  const { value: head, faults } = readShape(promptHeadSchema, matter.head);
  const all = [...faults, ...nameFaults(head?.name, stem, matter), ...bodyFaults(matter, shown)];
  if (all.length > 0 || head === undefined) return { faults: all };
  return { entry: [head.name, { system: matter.body, version: sha256(matter.body) }], faults: [] };
}

/** One name for one prompt: with a second spelling, people would correct the wrong file. */
function nameFaults(name: string | undefined, stem: string, { head }: FrontMatter): Fault[] {
  if (name === undefined || name === stem) return [];
  const message = `is not the name of its file, ${stem}.md`;
  return [head.faultAt({ path: ["name"], message, instead: `write ${stem}, or rename the file` })];
}

const TEMPLATE_VARIABLE = /\{\{([^{}\n]*)(\}\})?/g;

function bodyFaults({ body, text, bodyOffset }: FrontMatter, file: string): Fault[] {
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
